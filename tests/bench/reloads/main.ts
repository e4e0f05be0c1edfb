/**
 * Measures reloads of a service under load, and of Caddy and HAProxy under the same load. Clients hold connections
 * and WebSockets open and check every byte, while `wrk` and `h2load` send requests. Prints a line of JSON: requests,
 * errors, connections that the server ended, round trips in milliseconds while nothing is reloaded and while reloads
 * follow each other, and the server's memory.
 *
 *     bun tests/bench/reloads/main.ts [--server Deno|Bun|Caddy|HAProxy] [--connections 2000]
 *         [--web-sockets 200] [--reloads 100] [--upgrades 20] [--seconds 300] [--load off]
 *
 * With `--upgrades` the service is upgraded that often instead. A quarter of the time passes before the first change.
 *
 * @module
 */
import process from "node:process";
import { parseArgs } from "node:util";
import { Program } from "../../support/program.ts";
import { findRuntime } from "../../support/runtimes.ts";
import { ROOT } from "../../support/source_files.ts";
import { TemporaryFolder } from "../../support/temporary_folder.ts";
import { report } from "../report.ts";
import { checkEcho, checkHttp, checkWebSocket, Observations, type Run } from "./clients.ts";
import { type ReloadedServer, startBerth, startCaddy, startHaproxy } from "./servers.ts";

const { values } = parseArgs({
  options: {
    server: { type: "string", default: "Bun" },
    connections: { type: "string", default: "2000" },
    "web-sockets": { type: "string", default: "200" },
    reloads: { type: "string" },
    upgrades: { type: "string" },
    seconds: { type: "string", default: "300" },
    load: { type: "string", default: "on" },
  },
});

async function main(): Promise<void> {
  const [connections, webSockets] = [Number(values.connections), Number(values["web-sockets"])];
  const seconds = Number(values.seconds);
  using folder = new TemporaryFolder();
  const backend = new Program([
    findRuntime("Bun").executable,
    "tests/bench/programs/reload_backend.ts",
  ], ROOT);
  const [, web, echo] = await backend.printed(/ports (\d+) (\d+)/);
  const server = await start({ web: Number(web), echo: Number(echo) }, folder);
  const run: Run = {
    observations: new Observations(),
    // All together send about 2,000 requests a second.
    pauseMs: Math.max(100, (connections + webSockets) / 2),
    isOver: false,
  };
  const { observations } = run;
  const clients: Promise<void>[] = [];
  const add = (client: Promise<void>) =>
    clients.push(client.catch((error) => void observations.errors.push(String(error))));
  for (let i = 0; i < connections; i++) {
    const { echo, http } = server.ports;
    add(echo !== undefined && i % 2 === 0 ? checkEcho(run, echo, i) : checkHttp(run, http, i));
    if (i % 100 === 0) await sleep(20);
  }
  for (let i = 0; i < webSockets; i++) add(checkWebSocket(run, server.ports.http, String(i)));
  const loads = values.load === "on" ? startLoads(server, seconds + 5) : [];
  await sleep(seconds * 250);
  observations.phase = "changing";
  let memoryAfter10 = 0;
  const isUpgrade = values.upgrades !== undefined;
  const changes = Number(values.upgrades ?? values.reloads ?? 100);
  const begin = performance.now();
  for (let count = 1; count <= changes; count++) {
    await (isUpgrade ? server.upgrade!() : server.reload());
    if (count === 10) memoryAfter10 = server.memoryMb();
    // A change that takes long must not make the run longer than the loads.
    await sleep(begin + seconds * 750 * count / changes - performance.now());
  }
  const changingSeconds = Math.round((performance.now() - begin) / 100) / 10;
  const memoryMb = { after10: memoryAfter10, atEnd: server.memoryMb() };
  const loaded = (await Promise.all(loads.map((load) => load.ended))).map(({ out }) => out);
  run.isOver = true;
  await Promise.all(clients);
  report(isUpgrade ? "upgrades" : "reloads", {
    server: server.name,
    connections,
    webSockets,
    changes,
    changingSeconds,
    requests: observations.requests,
    ended: observations.ended,
    errors: observations.errors.length,
    quiet: observations.times("quiet"),
    changing: observations.times("changing"),
    memoryMb,
    ...Object.assign({}, ...loaded.map(readLoad)),
  });
  for (const error of new Set(observations.errors)) console.error(error);
  await server.stop();
  backend.signal("SIGTERM");
}

function start(
  backend: { web: number; echo: number },
  folder: TemporaryFolder,
): Promise<ReloadedServer> {
  switch (values.server) {
    case "Deno":
    case "Bun":
      return startBerth(values.server, folder);
    case "Caddy":
      return startCaddy(backend, folder);
    case "HAProxy":
      return startHaproxy(backend, folder);
    default:
      throw new Error(`--server ${values.server}: write Deno, Bun, Caddy or HAProxy`);
  }
}

/** `wrk` with HTTP/1.1 and `h2load` with HTTP/2, both for `seconds`. */
function startLoads({ ports }: ReloadedServer, seconds: number): Program[] {
  const url = (port: number) => `http://127.0.0.1:${port}/`;
  return [
    new Program(["wrk", "-t1", "-c4", `-d${seconds}s`, url(ports.http)], ROOT),
    new Program(["h2load", "-c4", "-m4", `-D${seconds}`, "--rps=500", url(ports.http2)], ROOT),
  ];
}

/** The number of requests and of failed ones, as `wrk` or `h2load` print them. */
function readLoad(out: string): { [name: string]: unknown } {
  const wrk = /(\d+) requests in/.exec(out)?.[1];
  if (wrk !== undefined) {
    const failures = /Socket errors: (.*)/.exec(out)?.[1] ?? "none";
    const statuses = /Non-2xx or 3xx responses: (\d+)/.exec(out)?.[1] ?? "0";
    return { wrk: { requests: Number(wrk), failures, otherStatuses: Number(statuses) } };
  }
  const [, done, succeeded, failed] =
    /(\d+) done, (\d+) succeeded, (\d+) failed/.exec(out)?.map(Number) ?? [];
  return { h2load: { requests: done, succeeded, failed } };
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, Math.max(0, ms)));
}

await main();
process.exit();
