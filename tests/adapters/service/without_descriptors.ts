/**
 * Uses up its file descriptors while the service's own servers listen, and prints, as a line of JSON, what they log
 * and whether they serve clients afterwards. Started with a low limit (ulimit -n).
 *
 * @module
 */
import { closeSync, openSync } from "node:fs";
import { connect, type NetConnectOpts } from "node:net";
import { join } from "node:path";
import process from "node:process";
import { linkPair } from "../../../adapters/links/memory.ts";
import { listenForAdmin } from "../../../adapters/service/admin/listen.ts";
import { ServiceMoves } from "../../../adapters/service/moves/service_moves.ts";
import { createStack } from "../../../core/api/stack.ts";
import { silentLogger } from "../../../core/api/environment.ts";

// As in the service; Deno opens descriptors for signals on first use.
process.on("SIGTERM", () => process.exit(1));

const [, , folder = "", movesPort = ""] = process.argv;
const secretFile = join(folder, "secret");
const held: number[] = [];

/** Opens files until only one descriptor is free. */
function useUp(): void {
  try {
    for (;;) held.push(openSync("/dev/null", "r"));
  } catch {
    closeSync(held.pop()!);
  }
}

function release(): void {
  for (const file of held.splice(0)) closeSync(file);
}

function until(condition: () => boolean): Promise<void> {
  return new Promise((resolve) => {
    const timer = setInterval(() => {
      if (!condition()) return;
      clearInterval(timer);
      resolve();
    }, 10);
  });
}

/** What the server answers, up to its end. */
function ask(where: NetConnectOpts): Promise<string> {
  return new Promise((resolve) => {
    let text = "";
    const socket = connect(where);
    socket.setEncoding("utf8").on("data", (chunk) => text += chunk).on("error", () => {})
      .on("close", () => resolve(text));
    socket.write(`GET / HTTP/1.0\r\nHost: berth.test\r\n\r\n${"x".repeat(1000)}`);
  });
}

/** Resolves once `isServed` is true for a client. */
async function served(where: NetConnectOpts, isServed: (answer: string) => boolean): Promise<true> {
  for (;;) {
    if (isServed(await ask(where))) return true;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

interface Case {
  readonly where: NetConnectOpts;
  /** Lines of errors and of recovery. */
  readonly lines: string[];
  isServed(answer: string): boolean;
}

function collected() {
  const lines: string[] = [];
  let strangers = 0;
  const log = {
    ...silentLogger,
    error: (message: string) => void lines.push(message),
    info: (message: string) => void lines.push(message),
    // The server has accepted a client without the secret.
    warn: () => void strangers++,
  };
  return { log, lines, strangers: () => strangers };
}

async function admin(listen: { path: string } | { hostname: string; port: number }): Promise<Case> {
  const { log, lines } = collected();
  const server = await listenForAdmin(listen, () => new Response("here"), { log });
  return {
    where: "path" in listen ? listen : { host: listen.hostname, port: server.port! },
    lines,
    isServed: (answer) => answer.endsWith("here"),
  };
}

async function moves(listen: { path: string } | { hostname: string; port: number }): Promise<Case> {
  const { log, lines, strangers } = collected();
  const stack = createStack({ link: linkPair()[0], addresses: ["10.0.0.1/24"] });
  await new ServiceMoves(stack, { listen, secretFile }, log).listen();
  const before = strangers();
  return {
    where: "path" in listen ? listen : { host: listen.hostname, port: listen.port },
    lines,
    isServed: () => strangers() > before,
  };
}

const report: Record<string, unknown> = {};
const hostname = "127.0.0.1";
const cases = {
  "admin on a port": () => admin({ hostname, port: 0 }),
  "admin on a Unix socket": () => admin({ path: join(folder, "admin.sock") }),
  "moves on a port": () => moves({ hostname, port: Number(movesPort) }),
  "moves on a Unix socket": () => moves({ path: join(folder, "moves.sock") }),
};
for (const [name, open] of Object.entries(cases)) {
  const { where, lines, isServed } = await open();
  // The descriptors of the previous case become free only later.
  await new Promise((resolve) => setTimeout(resolve, 50));
  useUp();
  const waiting = connect(where).on("error", () => {});
  await until(() => lines.length > 0);
  release();
  await until(() => lines.length > 1);
  waiting.destroy();
  report[name] = { served: await served(where, isServed), lines: lines.slice() };
}
console.log(JSON.stringify(report));
process.exit(0);
