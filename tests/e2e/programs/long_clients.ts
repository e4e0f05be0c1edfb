/**
 * Clients of an echo service whose connections stay open: `long_clients.ts JSON`, see {@link LongClientOptions}. Each
 * sends a few bytes again and again and compares what comes back. Prints "open" when all are connected, and for each
 * line on stdin a report of what has happened since the last one as JSON, see {@link LongClientReport}; the report
 * for the line "peek" does not reset the counts.
 *
 * @module
 */
import { connect, type Socket } from "node:net";
import process from "node:process";
import { createInterface } from "node:readline";

/** Options of the program. */
export interface LongClientOptions {
  host: string;
  port: number;
  connections: number;
  /** Milliseconds between two messages of a connection. */
  everyMs: number;
}

/** What has happened to the connections. */
export interface LongClientReport {
  /** Connections that were reset or closed, and why. */
  broken: number;
  reasons: Record<string, number>;
  /** Bytes that differ from those sent. */
  wrong: number;
  /** Bytes compared. */
  compared: number;
  /** The longest time that an open connection has waited for an answer, in milliseconds. */
  worstStallMs: number;
  /** The smallest number of answers of an open connection; 1e9 if none is open. */
  fewestAnswers: number;
  /** Connections that wait for an answer. */
  waiting: number;
  /** The longest delay of this program's own timers, in milliseconds; a stall may be due to it. */
  worstLagMs: number;
}

const options: LongClientOptions = JSON.parse(process.argv[2] ?? "{}");
const SIZE = 32;

class Client {
  reason: string | undefined;
  wrong = 0;
  compared = 0;
  worstStallMs = 0;
  #sent = 0;
  #sentAt = 0;
  readonly #socket: Socket;
  readonly #seed: number;
  readonly isOpen: Promise<void>;

  constructor(seed: number) {
    this.#seed = seed;
    this.#socket = connect({ host: options.host, port: options.port, noDelay: true });
    this.isOpen = new Promise((resolve) => {
      this.#socket.on("connect", resolve);
      this.#socket.on("error", (error: Error & { code?: string }) => {
        this.reason ??= error.code ?? error.message;
        resolve();
      });
      this.#socket.on("close", () => {
        this.reason ??= "closed";
        resolve();
      });
    });
    this.#socket.on("data", (chunk: Uint8Array) => this.#compare(chunk));
  }

  get isWaiting(): boolean {
    return this.reason === undefined && this.#sent > this.compared;
  }

  get stallMs(): number {
    return this.isWaiting ? performance.now() - this.#sentAt : 0;
  }

  say(): void {
    if (this.reason !== undefined || this.isWaiting) return;
    this.#sentAt = performance.now();
    const from = this.#sent;
    this.#sent += SIZE;
    this.#socket.write(Uint8Array.from({ length: SIZE }, (_, i) => this.#byteAt(from + i)));
  }

  end(): void {
    this.#socket.destroy();
  }

  #byteAt(position: number): number {
    return (this.#seed * 37 + position * 11) & 255;
  }

  #compare(chunk: Uint8Array): void {
    for (const byte of chunk) if (byte !== this.#byteAt(this.compared++)) this.wrong++;
    this.worstStallMs = Math.max(this.worstStallMs, performance.now() - this.#sentAt);
  }
}

const clients: Client[] = [];
for (let i = 0; i < options.connections; i++) {
  clients.push(new Client(i));
  // As fast as the backlog of the service allows.
  if (i % 50 === 49) await clients.at(-1)!.isOpen;
}
await Promise.all(clients.map(({ isOpen }) => isOpen));
let turn = 0;
const PARTS = 10;
let lastTurn = performance.now();
let worstLagMs = 0;
setInterval(() => {
  turn++;
  const now = performance.now();
  worstLagMs = Math.max(worstLagMs, now - lastTurn - options.everyMs / PARTS);
  lastTurn = now;
  for (let i = turn % PARTS; i < clients.length; i += PARTS) clients[i]!.say();
}, options.everyMs / PARTS);
console.log("open");

let reported = 0;
for await (const line of createInterface({ input: process.stdin })) {
  const sum = (of: (client: Client) => number) => clients.reduce((all, one) => all + of(one), 0);
  const reasons: Record<string, number> = {};
  for (const { reason } of clients) {
    if (reason !== undefined) reasons[reason] = (reasons[reason] ?? 0) + 1;
  }
  const report: LongClientReport = {
    broken: sum(({ reason }) => reason === undefined ? 0 : 1),
    reasons,
    wrong: sum(({ wrong }) => wrong),
    compared: sum(({ compared }) => compared),
    worstStallMs: Math.round(
      clients.reduce(
        (worst, one) =>
          one.reason === undefined ? Math.max(worst, one.worstStallMs, one.stallMs) : worst,
        0,
      ),
    ),
    fewestAnswers: clients.reduce(
      (fewest, one) => one.reason === undefined ? Math.min(fewest, one.compared / SIZE) : fewest,
      1e9,
    ),
    waiting: sum(({ isWaiting }) => isWaiting ? 1 : 0),
    worstLagMs: Math.round(worstLagMs),
  };
  if (line !== "peek") {
    worstLagMs = 0;
    for (const one of clients) one.worstStallMs = 0;
  }
  console.log(`report ${++reported} ${JSON.stringify(report)}`);
}
for (const client of clients) client.end();
process.exit(0);
