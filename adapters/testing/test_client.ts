import type { TcpSocket } from "../../core/api/types.ts";
import type { VirtualClock } from "../runtime/virtual_clock.ts";

/** Maximum number of received characters that wait to be read. */
const MAX_RECEIVED = 64 * 1024 * 1024;
const CHUNK = 65_536;

/**
 * A connection for the test of a plugin: time passes while it sends and receives.
 *
 * @example
 * ```ts
 * import { daytime } from "@berth/berth/plugins";
 * import { testNetwork } from "@berth/berth/testing";
 *
 * await using network = testNetwork();
 * network.server.use(13, daytime());
 * const client = await network.connect(13);
 * console.log(await client.receiveAll());
 * ```
 */
export class TestClient {
  /** The connection below, for its options and statistics. */
  readonly socket: TcpSocket;
  readonly #clock: VirtualClock;
  readonly #decoder = new TextDecoder();
  /** Text that was received and not returned yet. */
  #text = "";
  #hasEnded = false;

  /** Called by `connect` of a test network. */
  constructor(socket: TcpSocket, clock: VirtualClock) {
    this.socket = socket;
    this.#clock = clock;
  }

  /** Sends text, as UTF-8, or bytes; resolves once they are in the stack's buffer. */
  async send(content: string | Uint8Array<ArrayBuffer>): Promise<void> {
    const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
    await this.#clock.runUntil(this.socket.write(bytes));
  }

  /**
   * Receives a line and returns it without its line feed; `undefined` at the end.
   *
   * @throws {TcpError} The connection was reset.
   */
  async receiveLine(): Promise<string | undefined> {
    while (!this.#text.includes("\n") && await this.#receive());
    const end = this.#text.indexOf("\n");
    if (end < 0 && this.#text === "") return undefined;
    const line = end < 0 ? this.#text : this.#text.slice(0, end);
    this.#text = end < 0 ? "" : this.#text.slice(end + 1);
    return line;
  }

  /**
   * Receives everything up to the end of the connection.
   *
   * @throws {TcpError} The connection was reset.
   */
  async receiveAll(): Promise<string> {
    while (await this.#receive());
    const text = this.#text;
    this.#text = "";
    return text;
  }

  /** Sends a FIN; receiving continues. */
  async end(): Promise<void> {
    await this.#clock.runUntil(this.socket.closeWrite());
  }

  async #receive(): Promise<boolean> {
    if (this.#hasEnded) return false;
    const chunk = new Uint8Array(CHUNK);
    const size = await this.#clock.runUntil(this.socket.read(chunk));
    this.#hasEnded = size === null;
    this.#text += this.#decoder.decode(chunk.subarray(0, size ?? 0), { stream: size !== null });
    if (this.#text.length > MAX_RECEIVED) {
      throw new RangeError(`more than ${MAX_RECEIVED} characters were received but not read`);
    }
    return !this.#hasEnded;
  }
}
