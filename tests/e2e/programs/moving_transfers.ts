/**
 * Clients of an echo service that write and read all the time: `moving_transfers.ts HOST PORT COUNT`. Prints
 * "running" when all have got an answer; for each line "report" on stdin a line of JSON; after the line "end"
 * they half-close and read the rest, and it prints "N equal".
 *
 * @module
 */
import { connect, type Socket } from "node:net";
import process from "node:process";

const [host = "", port = "", count = ""] = process.argv.slice(2);
/** The byte at `at` is `PATTERN[at % PATTERN.length]`; the length is not a multiple of any segment's length. */
const PATTERN = Uint8Array.from({ length: 65_521 }, (_, i) => (i * 31 + (i >>> 8) * 7) & 0xff);
const MOST_AHEAD = 4_000_000;

class Client {
  sent = 0;
  received = 0;
  fault: string | undefined;
  #isEnding = false;
  lastAt = performance.now();
  longestGapMs = 0;
  readonly finished: Promise<void>;
  readonly answered: Promise<void>;
  readonly #socket: Socket;

  constructor() {
    this.#socket = connect({ host, port: Number(port), allowHalfOpen: true });
    this.answered = new Promise((resolve) => this.#socket.once("data", () => resolve()));
    this.#socket.on("data", (bytes) => this.#read(bytes as unknown as Uint8Array));
    this.#socket.on("drain", () => this.#write());
    this.#socket.on("connect", () => this.#write());
    this.finished = new Promise((resolve) => {
      this.#socket.on("error", (error) => {
        this.fault ??= error.message;
        resolve();
      });
      this.#socket.on("end", () => {
        if (!this.#isEnding) this.fault ??= "it has ended";
        resolve();
      });
    });
  }

  end(): void {
    this.#isEnding = true;
    this.#socket.end();
  }

  #write(): void {
    while (!this.#isEnding && this.sent - this.received < MOST_AHEAD) {
      const piece = PATTERN.subarray(this.sent % PATTERN.length);
      this.sent += piece.length;
      if (!this.#socket.write(piece)) return;
    }
  }

  #read(bytes: Uint8Array): void {
    const now = performance.now();
    this.longestGapMs = Math.max(this.longestGapMs, now - this.lastAt);
    this.lastAt = now;
    for (let i = 0; i < bytes.length; i++) {
      if (bytes[i] === PATTERN[(this.received + i) % PATTERN.length]) continue;
      this.fault ??= `byte ${this.received + i} is wrong`;
      break;
    }
    this.received += bytes.length;
    this.#write();
  }
}

const clients = Array.from({ length: Number(count) }, () => new Client());
await Promise.all(clients.map(({ answered }) => answered));
console.log("running");
process.stdin.setEncoding("utf8").on("data", (text: string) => {
  for (const line of text.split("\n")) {
    if (line === "report") report();
    else if (line === "end") void end();
  }
});

function report(): void {
  console.log(
    "report " + JSON.stringify({
      received: clients.map(({ received }) => received),
      fewestBytes: Math.min(...clients.map(({ received }) => received)),
      longestGapMs: Math.max(...clients.map(({ longestGapMs }) => longestGapMs)),
      faults: clients.flatMap(({ fault }) => fault ?? []),
    }),
  );
  for (const client of clients) client.longestGapMs = 0;
}

async function end(): Promise<void> {
  for (const client of clients) client.end();
  await Promise.all(clients.map(({ finished }) => finished));
  const faults = clients.flatMap(({ fault }) => fault ?? []);
  const equal = clients.filter((each) => each.fault === undefined && each.sent === each.received);
  for (const fault of faults) console.log(fault);
  console.log(`${equal.length} equal`);
  process.exit(0);
}
