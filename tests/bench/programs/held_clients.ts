/**
 * Clients of an echo service, for Bun only, whose sockets cost the least: `held_clients.ts HOST
 * PORT`. Prints "ready"; does what each line on stdin says, and prints a line of JSON:
 * `{"failures":N}` or what went wrong first.
 *
 * - `open N`: opens connections until there are N.
 * - `echo`: sends 64 bytes on each and waits until the same have come back.
 * - `churn N`: opens, uses and closes N further connections.
 * - `close`: ends every connection gracefully. `reset`: resets all of them at once.
 *
 * @module
 */
import process from "node:process";
import { createInterface } from "node:readline";
import type { BunSocket, BunSockets } from "./bun_sockets.ts";

declare const Bun: BunSockets<Connection>;

/** Number of connections opened, used or closed at the same time: the device has a queue of 500. */
const AT_ONCE = 32;
/** Number of the server's ports that are used. */
const PORTS = 4;
const SIZE = 64;

/** The state of a connection. */
class Connection {
  readonly #number: number;
  /** Number of rounds sent, and bytes of the last one received. */
  #round = 0;
  #arrived = SIZE;
  #ended = false;
  #fault: string | undefined;
  #wake: (() => void) | undefined;

  constructor(number: number) {
    this.#number = number;
  }

  /** Sends a round of bytes; resolves when they have been echoed. */
  async echo(socket: BunSocket<Connection>): Promise<void> {
    if (this.#ended) throw new Error(this.#fault ?? "ended by the server");
    this.#round++;
    this.#arrived = 0;
    const bytes = Uint8Array.from({ length: SIZE }, (_, at) => this.#byteAt(at));
    if (socket.write(bytes) !== SIZE) throw new Error("there was no room for 64 bytes");
    while (this.#arrived < SIZE && !this.#ended) await this.#change();
    if (this.#fault !== undefined) throw new Error(this.#fault);
    if (this.#arrived < SIZE) throw new Error("ended by the server");
  }

  /** Sends FIN; resolves when the server has ended the connection too. */
  async end(socket: BunSocket<Connection>): Promise<void> {
    socket.shutdown();
    while (!this.#ended) await this.#change();
  }

  take(bytes: Uint8Array): void {
    for (const byte of bytes) {
      if (this.#arrived >= SIZE) this.#fault ??= "more than was sent";
      else if (byte !== this.#byteAt(this.#arrived++)) this.#fault ??= "other bytes";
    }
    this.#wake?.();
  }

  noteEnd(): void {
    this.#ended = true;
    this.#wake?.();
  }

  #byteAt(at: number): number {
    return (this.#number * 167 + this.#round * 13 + at) & 255;
  }

  #change(): Promise<void> {
    return new Promise((resolve) => this.#wake = resolve);
  }
}

const HANDLERS = {
  data: (socket: BunSocket<Connection>, bytes: Uint8Array) => socket.data.take(bytes),
  close: (socket: BunSocket<Connection>) => socket.data.noteEnd(),
  error: (socket: BunSocket<Connection>) => socket.data.noteEnd(),
  connectError: () => {},
};

const [hostname = "", firstPort = ""] = process.argv.slice(2);
const held: BunSocket<Connection>[] = [];
let opened = 0;

function open(): Promise<BunSocket<Connection>> {
  const number = opened++;
  const port = Number(firstPort) + number % PORTS;
  return Bun.connect({ hostname, port, data: new Connection(number), socket: HANDLERS });
}

/**
 * Runs an action `count` times, several at once; returns the number of failures and the first
 * reason.
 */
async function times(
  count: number,
  action: (index: number) => Promise<void>,
): Promise<{ failures: number; first?: string }> {
  let next = 0;
  let failures = 0;
  let first: string | undefined;
  const takeTurns = async () => {
    while (next < count) {
      try {
        await action(next++);
      } catch (error) {
        failures++;
        first ??= (error as Error).message;
      }
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, takeTurns));
  return first === undefined ? { failures } : { failures, first };
}

function obey(line: string): Promise<{ failures: number }> {
  const [command, number] = line.split(" ");
  switch (command) {
    case "open":
      return times(Number(number) - held.length, async () => void held.push(await open()));
    case "echo":
      return times(held.length, (index) => held[index]!.data.echo(held[index]!));
    case "close":
      return times(held.length, (index) => held[index]!.data.end(held[index]!));
    case "reset":
      for (const socket of held) socket.terminate();
      return Promise.resolve({ failures: 0 });
    case "churn":
      return times(Number(number), async () => {
        const socket = await open();
        await socket.data.echo(socket);
        await socket.data.end(socket);
      });
    default:
      throw new Error(`${line} is not a command`);
  }
}

console.log("ready");
for await (const line of createInterface({ input: process.stdin })) {
  console.log(JSON.stringify(await obey(line)));
}
process.exit(0);
