/**
 * A connection to an echo service.
 *
 * @module
 */
import { connect, type Socket } from "node:net";
import { seededRandom } from "../../../adapters/runtime/seeded_random.ts";

/** Time limit of a handshake and of an echo, in milliseconds. */
const LIMIT_MS = 10_000;
const random = seededRandom(5);

/** A connection whose server sends back what it gets. */
export class EchoClient {
  readonly #socket: Socket;
  readonly #received: Uint8Array[] = [];
  #size = 0;
  #wake = () => {};
  #end: string | undefined;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on("data", (chunk: Uint8Array) => {
      this.#received.push(chunk);
      this.#size += chunk.length;
      this.#wake();
    });
    socket.on("error", (error) => this.#stop(String(error)));
    socket.on("close", () => this.#stop("closed"));
  }

  /** @throws {Error} The server refuses, or does not answer in time. */
  static open(host: string, port: number): Promise<EchoClient> {
    return new Promise((resolve, reject) => {
      const socket = connect({ host, port, noDelay: true });
      const limit = setTimeout(() => socket.destroy(new Error("no answer to SYN")), LIMIT_MS);
      socket.once("error", reject);
      socket.once("connect", () => {
        clearTimeout(limit);
        resolve(new EchoClient(socket));
      });
    });
  }

  /**
   * Sends a message and compares the echo.
   *
   * @throws {Error} The connection has ended, or the echo is late or different.
   */
  async exchange(bytes: number): Promise<void> {
    const sent = new Uint8Array(bytes);
    for (let i = 0; i < bytes; i++) sent[i] = random.fraction() * 256;
    this.#socket.write(sent);
    const limit = setTimeout(() => this.#stop("no echo"), LIMIT_MS);
    while (this.#size < bytes) {
      if (this.#end !== undefined) throw new Error(this.#end);
      await new Promise<void>((resolve) => this.#wake = resolve);
    }
    clearTimeout(limit);
    const echo = Buffer.concat(this.#received.splice(0));
    this.#size = 0;
    if (!echo.equals(sent)) throw new Error("other bytes");
  }

  /** Ends the connection. */
  close(): void {
    this.#socket.end();
  }

  #stop(why: string): void {
    this.#end ??= why;
    this.#wake();
  }
}
