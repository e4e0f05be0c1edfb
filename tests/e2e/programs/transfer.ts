/**
 * One connection of a client, through the kernel's sockets.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { connect, type Socket } from "node:net";
import { pattern } from "./pattern.ts";

/** Sends the pattern to an echo service and compares what comes back. */
export class Transfer {
  readonly #socket: Socket;
  #sent = 0;
  #received = 0;
  #hasEnded = false;
  #failure: string | undefined;
  #waiting: (() => void)[] = [];

  /** Starts connecting. */
  constructor(host: string, port: number) {
    this.#socket = connect({ host, port, allowHalfOpen: true });
    this.#socket.on("data", (chunk: Uint8Array) => this.#then(() => this.#compare(chunk)));
    this.#socket.on("end", () => this.#then(() => this.#hasEnded = true));
    this.#socket.on(
      "error",
      (error: Error & { code?: string }) =>
        this.#then(() => this.#fail(error.code ?? error.message)),
    );
  }

  /**
   * Sends up to byte `until` of the pattern; resolves when the kernel has accepted them, or on
   * failure.
   */
  async send(until: number): Promise<void> {
    while (this.#sent < until && this.#failure === undefined) {
      const piece = pattern(this.#sent, until);
      this.#sent += piece.byteLength;
      if (this.#socket.write(piece)) continue;
      let hasDrained = false;
      this.#socket.once("drain", () => this.#then(() => hasDrained = true));
      await this.#until(() => hasDrained);
    }
  }

  /** Resolves when everything up to byte `until` has been received, or on failure. */
  received(until: number): Promise<void> {
    return this.#until(() => this.#received >= until);
  }

  /**
   * Sends FIN and waits for the peer's. Resolves with `undefined` if exactly the data sent was
   * received, otherwise with the error.
   */
  async finish(): Promise<string | undefined> {
    this.#socket.end();
    await this.#until(() => this.#hasEnded);
    this.#socket.destroy();
    if (this.#failure !== undefined) return this.#failure;
    return this.#received === this.#sent
      ? undefined
      : `EOF after ${this.#received} of ${this.#sent} bytes`;
  }

  #compare(chunk: Uint8Array): void {
    for (let at = 0; at < chunk.byteLength;) {
      const expected = pattern(this.#received, this.#received + chunk.byteLength - at);
      if (Buffer.compare(chunk.subarray(at, at + expected.byteLength), expected) !== 0) {
        this.#fail(`wrong bytes after ${this.#received}`);
      }
      at += expected.byteLength;
      this.#received += expected.byteLength;
    }
    if (this.#received > this.#sent) this.#fail("more came back than was sent");
  }

  #fail(reason: string): void {
    this.#failure ??= `${reason} after ${this.#received} of ${this.#sent} bytes`;
  }

  #then(take: () => void): void {
    take();
    for (const look of this.#waiting.splice(0)) look();
  }

  async #until(isSo: () => boolean): Promise<void> {
    while (!isSo() && this.#failure === undefined) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }
}
