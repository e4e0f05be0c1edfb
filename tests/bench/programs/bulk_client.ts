/**
 * A client of `bulk.ts` on kernel sockets, for Bun only, whose sockets are the fastest:
 * `bulk_client.ts MODE HOST PORT SECONDS CONNECTIONS`. MODE is `up`, `up-checked`, `down` or
 * `down-checked`. Prints a line of JSON.
 *
 * @module
 */
import process from "node:process";
import { PATTERN, PatternCheck } from "./bulk_pattern.ts";
import type { BunSocket, BunSockets } from "./bun_sockets.ts";

declare const Bun: BunSockets<Transfer>;

/** Number of writes of a connection before others have a turn. */
const WRITES_AT_ONCE = 4;

const [mode = "", hostname = "", port = "", seconds = "", connections = ""] = process.argv.slice(2);
const LETTERS: Readonly<Record<string, string>> = { up: "u", "up-checked": "U" };
const isUp = mode.startsWith("up");
const isChecked = mode.endsWith("-checked");

/** One connection. */
class Transfer {
  /** Number of bytes received, here or at the peer. */
  bytes = 0;
  mismatches = 0;
  /** Number of bytes sent but not received. */
  lost = 0;
  /** Number of connections that ended too early. */
  early = 0;
  readonly ended: Promise<void>;
  readonly #check = new PatternCheck();
  #sent = 0;
  #isOver = false;
  #answer = "";
  #end: () => void = () => {};

  constructor() {
    this.ended = new Promise((resolve) => this.#end = resolve);
  }

  begin(socket: BunSocket<Transfer>): void {
    socket.write(new TextEncoder().encode(LETTERS[mode] ?? "d"));
    if (isUp) this.pump(socket);
  }

  /** Writes as much as fits. */
  pump(socket: BunSocket<Transfer>): void {
    if (!isUp) return;
    for (let writes = 0; writes < WRITES_AT_ONCE; writes++) {
      if (this.#isOver) return;
      const rest = PATTERN.subarray(this.#sent % PATTERN.length);
      const written = socket.write(rest);
      this.#sent += Math.max(0, written);
      if (written < rest.length) return;
    }
    setImmediate(() => this.pump(socket));
  }

  finish(socket: BunSocket<Transfer>): void {
    this.#isOver = true;
    // The figure is the data received so far; later data is checked too.
    this.bytes = this.#check.bytes;
    socket.shutdown();
  }

  take(chunk: Uint8Array): void {
    if (isUp) this.#answer += new TextDecoder().decode(chunk);
    else if (isChecked) this.#check.take(chunk);
    else this.#check.count(chunk);
  }

  noteEnd(): void {
    this.early = this.#isOver ? 0 : 1;
    if (isUp) {
      const { bytes, mismatches } = JSON.parse(this.#answer || '{"bytes":0,"mismatches":0}');
      this.bytes = bytes;
      this.mismatches = mismatches;
      this.lost = this.#sent - bytes;
    } else this.mismatches = this.#check.mismatches;
    this.#end();
  }
}

const socket = {
  data: (socket: BunSocket<Transfer>, bytes: Uint8Array) => socket.data.take(bytes),
  drain: (socket: BunSocket<Transfer>) => socket.data.pump(socket),
  close: (socket: BunSocket<Transfer>) => socket.data.noteEnd(),
  // A close follows.
  error: () => {},
};

const sockets = await Promise.all(
  Array.from(
    { length: Number(connections) },
    () => Bun.connect({ hostname, port: Number(port), data: new Transfer(), socket }),
  ),
);
const began = performance.now();
for (const each of sockets) each.data.begin(each);
await new Promise((resolve) => setTimeout(resolve, Number(seconds) * 1000));
const downEnded = performance.now();
for (const each of sockets) each.data.finish(each);
await Promise.all(sockets.map(({ data }) => data.ended));
// Upload counts the data received by the server, which its answer reports.
const took = (isUp ? performance.now() : downEnded) - began;
const sum = (of: (transfer: Transfer) => number) =>
  sockets.reduce((total, { data }) => total + of(data), 0);
console.log(JSON.stringify({
  mode,
  gbit_s: sum(({ bytes }) => bytes) * 8 / took / 1e6,
  mismatches: sum(({ mismatches }) => mismatches),
  lost: sum(({ lost }) => lost),
  early_eof: sum(({ early }) => early),
}));
process.exit(0);
