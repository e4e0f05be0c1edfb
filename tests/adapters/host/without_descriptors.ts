/**
 * Uses up its file descriptors and prints, as a line of JSON, how operations that need one behave.
 * Started with a low limit (ulimit -n).
 *
 * @module
 */
import { closeSync, openSync, writeFileSync } from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import { join } from "node:path";
import process from "node:process";
import { keepAccepting } from "../../../adapters/host/descriptors.ts";
import { dialHost } from "../../../adapters/host/dial.ts";
import { dialNative } from "../../../adapters/host/native/dial.ts";
import { listenNative } from "../../../adapters/host/native/listener.ts";
import { nativeSockets } from "../../../adapters/host/native/sockets.ts";
import { openQemuStream } from "../../../adapters/links/qemu_stream.ts";
import { staticFiles } from "../../../adapters/plugins/static_files.ts";
import { openSocketPair } from "../../../adapters/plugins/tls/runtime/socket_pair.ts";
import { LOG } from "../../../plugins/shared/http/env.ts";
import { silentLogger } from "../../../core/api/environment.ts";

// As in the service; Deno opens descriptors for signals on first use.
process.on("SIGTERM", () => process.exit(1));

const folder = process.argv[2]!;
writeFileSync(join(folder, "file.txt"), "a file");

const lines: string[] = [];
const log = {
  ...silentLogger,
  error: (message: string) => void lines.push(message),
  info: (message: string) => void lines.push(message),
};

const held: number[] = [];

/** Opens files until only `left` descriptors are free. */
async function useUp(left: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 50));
  try {
    for (;;) held.push(openSync("/dev/null", "r"));
  } catch {
    for (const file of held.splice(0, left)) closeSync(file);
  }
}

function release(): void {
  for (const file of held.splice(0)) closeSync(file);
}

function echoed(socket: Socket): Promise<string> {
  socket.write("x");
  return new Promise((resolve) => {
    socket.once("data", (chunk) => resolve(String(chunk)));
    socket.once("error", (error) => resolve(error.message));
  });
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

async function codeOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
    return "ok";
  } catch (error) {
    return (error as { code?: string }).code ?? String(error);
  }
}

const server = createServer((socket) => {
  socket.on("error", () => {});
  socket.on("data", (chunk) => socket.write(chunk));
});
await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
const { port } = server.address() as { port: number };
keepAccepting(server, { log, name: "the server", checkMs: 50 });
// Without its cache, which would serve the file without a descriptor.
const files = staticFiles(folder, { cacheBytes: 0 });
const fileLines: unknown[] = [];
const fileLog = {
  ...silentLogger,
  error: (message: string, fields: object = {}) => void fileLines.push({ message, ...fields }),
};
const ask = (path: string) =>
  files.fetch(
    new Request(`http://berth.test/${path}`),
    { [LOG]: fileLog } as never,
  ) as Promise<Response>;
// Opens the descriptors that the runtime needs on first use.
await (await ask("file.txt")).text();
await openSocketPair().then((pair) => pair.forEach((socket) => socket.destroy()));
(await dialHost({ hostname: "127.0.0.1", port })).abort();
const native = nativeSockets();
const nativeLines: string[] = [];
const nativeLog = {
  ...silentLogger,
  error: (message: string) => void nativeLines.push(message),
  info: (message: string) => void nativeLines.push(message),
};

await useUp(1);
const client = connect(port, "127.0.0.1");
const answer = echoed(client);
await until(() => lines.length > 0);
release();
const late = await answer;
await until(() => lines.length > 1);
client.destroy();

await useUp(0);
const statuses = [];
for (let i = 0; i < 3; i++) statuses.push((await ask("file.txt")).status);
release();
statuses.push((await ask("file.txt")).status);
await useUp(0);
const dialled = await codeOf(dialHost({ hostname: "127.0.0.1", port }));
let nativeDialled = "not supported";
let nativeAnswer = "not supported";
if (native !== undefined) {
  await useUp(0);
  nativeDialled = await codeOf(dialNative(native, { hostname: "127.0.0.1", port }));
  release();
  const listener = listenNative(native, { hostname: "127.0.0.1", port: 0 }, {
    log: nativeLog,
    async onConnection(connection) {
      const chunk = new Uint8Array(1);
      await connection.read(chunk);
      await connection.write(chunk);
    },
  });
  await useUp(1);
  const waiting = connect(listener.address.port, "127.0.0.1");
  const answered = echoed(waiting);
  await until(() => nativeLines.length > 0);
  release();
  nativeAnswer = await answered;
  waiting.destroy();
  listener.close();
}
await useUp(0);
const pair = await codeOf(openSocketPair());
release();
const pairAfterwards = await codeOf(
  openSocketPair().then((both) => both.forEach((socket) => socket.destroy())),
);

/** The lines that a link for QEMU logs, and whether a guest can connect afterwards at the same address. */
async function qemu(listen: string): Promise<{ lines: string[]; isServed: boolean }> {
  const lines: string[] = [];
  const add = (message: string) => void lines.push(message);
  const log = { ...silentLogger, error: add, info: add };
  const link = await openQemuStream({ listen, log });
  const address = link.name.replace("QEMU at ", "");
  const where = listen.includes("/")
    ? { path: address }
    : { host: "127.0.0.1", port: Number(address.split(":")[1]) };
  await useUp(1);
  const waiting = connect(where).on("error", () => {});
  await until(() => lines.length > 0);
  release();
  await until(() => lines.length > 1);
  waiting.destroy();
  const peers = () => link.stats?.()["peers"] ?? 0;
  const before = peers();
  const guests = setInterval(() => connect(where).on("error", () => {}), 100);
  await until(() => peers() > before);
  clearInterval(guests);
  await link.close();
  return { lines, isServed: true };
}

const qemuPath = await qemu(join(folder, "qemu"));
const qemuPort = await qemu("127.0.0.1:0");

const host = { late, lines, dialled };
const foreign = { late: nativeAnswer, lines: nativeLines, dialled: nativeDialled };
console.log(
  JSON.stringify({
    host,
    foreign,
    files: { statuses, lines: fileLines },
    pair,
    pairAfterwards,
    qemuPath,
    qemuPort,
  }),
);
process.exit(0);
