/**
 * Reloads of a service under load: another process with open connections, each of whose bytes is checked, and
 * with WebSockets. Prints a line of JSON: requests and errors, round trips in milliseconds while nothing is
 * reloaded and while reloads follow each other, and the memory of the service.
 *
 *     bun tests/bench/reloads.ts [CONNECTIONS] [WEB_SOCKETS] [RELOADS] [SECONDS]
 *
 * @module
 */
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { runtimeCommand } from "../support/program.ts";
import { ROOT } from "../support/source_files.ts";
import { report } from "./report.ts";

const [CONNECTIONS = 2000, WEB_SOCKETS = 200, RELOADS = 100, SECONDS = 300] = process.argv.slice(2)
  .map(Number);
const BLOCK = 1000;
/** Between two requests of a connection, so that all together send about 2,000 a second. */
const PAUSE_MS = Math.max(100, (CONNECTIONS! + WEB_SOCKETS!) / 2);
const APP = join(ROOT, "tests/adapters/service/fixtures/web_socket_app.ts");

const folder = mkdtempSync(join(tmpdir(), "berth-reloads-"));
const file = join(folder, "berth.json");
const socketPath = join(folder, "admin.sock");

/** Ports 7 and 80 stay as they are; 8 and 9 change with every reload. */
function writeConfig(reload: number): void {
  const others = [{ "8": "echo" }, { "8": ["log", "echo"] }, { "8": "echo", "9": "discard" }];
  writeFileSync(
    file,
    JSON.stringify({
      listen: { "7": "echo", "80": `http:${APP}`, ...others[reload % others.length] },
      publish: ["0=10.7.0.2:7", "0=10.7.0.2:8", "0=10.7.0.2:80"],
      admin: `unix:${socketPath}`,
      logLevel: "error",
    }),
  );
}

/** Asks the admin API; rejects unless it answers with 200. */
function ask(method: string, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    request({ socketPath, method, path }, (answer) => {
      answer.resume().on(
        "end",
        () =>
          answer.statusCode === 200
            ? resolve()
            : reject(new Error(`${path}: ${answer.statusCode}`)),
      );
    }).on("error", reject).end();
  });
}

let isReloading = false;
let isOver = false;
let requests = 0;
const errors: string[] = [];
const times = { quiet: [] as number[], reloading: [] as number[] };

function note(start: number): void {
  requests++;
  (isReloading ? times.reloading : times.quiet).push(performance.now() - start);
}

/** Sends blocks, one after the other, and checks every byte of the echo. */
async function checkEcho(socket: Socket, seed: number): Promise<void> {
  const chunks = socket[Symbol.asyncIterator]() as AsyncIterator<Uint8Array>;
  const expected = Buffer.alloc(BLOCK);
  for (let round = 0; !isOver; round++) {
    for (let i = 0; i < BLOCK; i++) expected[i] = seed + round + i * 7;
    const start = performance.now();
    socket.write(expected);
    let echo = Buffer.alloc(0);
    while (echo.length < BLOCK) {
      const { value, done } = await chunks.next();
      if (done) throw new Error("the connection ended");
      echo = Buffer.concat([echo, value]);
    }
    if (!echo.equals(expected)) throw new Error(`a wrong byte in round ${round}`);
    note(start);
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
}

async function checkWebSocket(socket: WebSocket, name: string): Promise<void> {
  let [answered, failed] = [(_: unknown) => {}, (_: Error) => {}];
  socket.onmessage = ({ data }) => answered(data);
  socket.onclose = () => failed(new Error("the WebSocket ended"));
  for (let round = 0; !isOver; round++) {
    const answer = new Promise<unknown>((resolve, reject) =>
      [answered, failed] = [resolve, reject]
    );
    const start = performance.now();
    socket.send(`${name} ${round}`);
    if (await answer !== `echo of ${name} ${round}`) throw new Error("a wrong message");
    note(start);
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
}

function percentile(sorted: readonly number[], part: number): number {
  return Math.round((sorted[Math.floor(sorted.length * part)] ?? 0) * 10) / 10;
}

function memoryMb(pid: number): number {
  const [, kb] = /^VmRSS:\s*(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? [];
  return Math.round(Number(kb) / 102.4) / 10;
}

writeConfig(0);
const [program = "", ...args] = runtimeCommand("main.ts", "--config", file);
const service = spawn(program, args, { cwd: ROOT, stdio: ["ignore", "pipe", "inherit"] });
let out = "";
for await (const text of service.stdout!.setEncoding("utf8")) {
  out += text;
  if (out.includes("Ctrl+C")) break;
}
const ports = [...out.matchAll(/127\.0\.0\.1:(\d+)/g)].map(([, port]) => Number(port));
const running: Promise<void>[] = [];
const start = (body: Promise<void>) =>
  running.push(body.catch((error) => void errors.push(String(error))));
for (let i = 0; i < CONNECTIONS!; i++) {
  const socket = connect(ports[i % 2]!, "127.0.0.1");
  socket.on("error", (error) => errors.push(String(error)));
  await new Promise<void>((opened) => socket.once("connect", () => opened()));
  start(checkEcho(socket, i).finally(() => socket.destroy()));
}
for (let i = 0; i < WEB_SOCKETS!; i++) {
  const socket = new WebSocket(`ws://127.0.0.1:${ports[2]}/ws`);
  await new Promise((opened) => socket.onopen = opened);
  start(checkWebSocket(socket, String(i)).finally(() => socket.close()));
}
await new Promise((resolve) => setTimeout(resolve, SECONDS! * 250));
isReloading = true;
let memoryAfter10 = 0;
for (let reload = 1; reload <= RELOADS!; reload++) {
  writeConfig(reload);
  await ask("POST", "/reload");
  if (reload === 10) memoryAfter10 = memoryMb(service.pid!);
  await new Promise((resolve) => setTimeout(resolve, SECONDS! * 1000 / RELOADS!));
}
const memoryAtEnd = memoryMb(service.pid!);
isOver = true;
await Promise.all(running);
const of = (list: number[]) => {
  list.sort((a, b) => a - b);
  return {
    p50: percentile(list, 0.5),
    p99: percentile(list, 0.99),
    most: percentile(list, 1 - 1e-9),
  };
};
report("reloads", {
  connections: CONNECTIONS!,
  webSockets: WEB_SOCKETS!,
  reloads: RELOADS!,
  requests,
  errors: errors.length,
  quiet: of(times.quiet),
  reloading: of(times.reloading),
  memoryMb: { after10: memoryAfter10, atEnd: memoryAtEnd },
});
for (const error of new Set(errors)) console.error(error);
service.kill("SIGTERM");
rmSync(folder, { recursive: true });
process.exit(errors.length === 0 ? 0 : 1);
