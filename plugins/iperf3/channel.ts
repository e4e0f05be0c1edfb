/**
 * Messages on a control connection: single bytes, and strings with a length prefix.
 *
 * @module
 */
import type { TcpSocket } from "../../core/api/types.ts";
import { readExactly } from "../shared/read_exactly.ts";

/** The peer has closed the connection, or has sent something invalid. */
export class ChannelError extends Error {}

/** Reads and writes the messages of a control connection. */
export class Channel {
  readonly #socket: Pick<TcpSocket, "read" | "write">;

  /** A channel on `socket`. */
  constructor(socket: Pick<TcpSocket, "read" | "write">) {
    this.#socket = socket;
  }

  /** Sends a state, with an error code for `SERVER_ERROR`. */
  async sendState(state: number, fault?: number): Promise<void> {
    const message = new Uint8Array(fault === undefined ? 1 : 9);
    message[0] = state;
    if (fault !== undefined) new DataView(message.buffer).setInt32(1, fault);
    await this.#socket.write(message);
  }

  /** The peer's next state. */
  async readState(): Promise<number> {
    const [state] = await this.#read(1);
    return state!;
  }

  /** Sends a string with its length as prefix. */
  async sendJson(text: string): Promise<void> {
    const bytes = new TextEncoder().encode(text);
    const message = new Uint8Array(4 + bytes.length);
    new DataView(message.buffer).setUint32(0, bytes.length);
    message.set(bytes, 4);
    await this.#socket.write(message);
  }

  /**
   * Reads a string with its length as prefix.
   *
   * @throws {ChannelError} It has more than `max` bytes.
   */
  async readJson(max: number): Promise<string> {
    const length = new DataView((await this.#read(4)).buffer).getUint32(0);
    if (length > max) throw new ChannelError(`${length} bytes are more than the ${max} allowed`);
    return await this.readText(length);
  }

  /** Reads a string of `length` bytes. */
  async readText(length: number): Promise<string> {
    return new TextDecoder().decode(await this.#read(length));
  }

  async #read(length: number): Promise<Uint8Array<ArrayBuffer>> {
    const bytes = await readExactly(this.#socket, length);
    if (bytes === undefined) throw new ChannelError("the client has gone");
    return bytes;
  }
}
