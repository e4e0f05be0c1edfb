/**
 * An encrypted and authenticated channel for frames on a TCP or Unix socket of the host. Both sides know a secret.
 * Each session derives its own keys from random numbers of both sides, and each frame has the next number, so that
 * frames cannot be replayed, neither in the same session nor in another.
 *
 * @module
 */
import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from "node:crypto";
import type { Socket } from "node:net";
import { messageLine } from "../errors.ts";

/** The first word of the handshake: "brmv". The version follows it. */
const MAGIC = 0x62726d76;
/** Version of the handshake and the messages. */
const VERSION = 1;
const NONCE_LENGTH = 32;
const HELLO_LENGTH = 8 + NONCE_LENGTH;
const KEY_LENGTH = 32;
const TAG_LENGTH = 16;
/** AES-256-GCM, with a nonce of four zero bytes and the number of the frame (RFC 5116 3.2). */
const CIPHER = "aes-256-gcm";

/** Maximum length of a frame: a record with full buffers, out-of-order data and pending writes. */
export const MAX_FRAME_BYTES: number = 64 * 1024 * 1024;
/** How long the handshake may take, in milliseconds. */
const HANDSHAKE_MS = 5000;

const CLOSED = "the other side has ended the channel";

/** Callbacks of a channel. */
export interface ChannelEvents {
  /** Called for each frame that has arrived. */
  frame(bytes: Uint8Array): void;
  /** Called when the channel has ended. `reason` says why, unless this side has closed it. */
  ended(reason: string | undefined): void;
}

/** One direction of a session. */
interface Direction {
  readonly key: Uint8Array;
  /** Number of the next frame. */
  count: bigint;
}

/** One session. */
export class SealedChannel {
  readonly #socket: Socket;
  readonly #events: ChannelEvents;
  #sending: Direction | undefined;
  #receiving: Direction | undefined;
  readonly #buffered: Uint8Array[] = [];
  #bufferedBytes = 0;
  #hasEnded = false;
  #reason: string | undefined;

  private constructor(socket: Socket, events: ChannelEvents) {
    this.#socket = socket;
    this.#events = events;
  }

  /**
   * Opens a session on a connected socket.
   *
   * @throws {Error} The other side has another secret or version, or does not answer.
   */
  static async open(
    socket: Socket,
    role: "client" | "server",
    secret: string,
    events: ChannelEvents,
    handshakeMs: number = HANDSHAKE_MS,
  ): Promise<SealedChannel> {
    const channel = new SealedChannel(socket, events);
    socket.on("error", (error) => channel.#end(messageLine(error)));
    socket.on("close", () => channel.#end(CLOSED));
    // The socket's own timeout would begin again with each byte.
    const timer = setTimeout(() => channel.#end("the other side does not answer"), handshakeMs);
    try {
      await channel.#shakeHands(role, secret);
    } catch (error) {
      channel.#end(messageLine(error));
      throw error;
    } finally {
      clearTimeout(timer);
    }
    socket.on("data", (bytes) => channel.#receive(bytes as never));
    socket.resume();
    channel.#readFrames();
    return channel;
  }

  /** Sends a frame. Returns false if the channel has ended. */
  send(frame: Uint8Array): boolean {
    if (this.#hasEnded) return false;
    this.#socket.write(this.#seal(frame));
    return true;
  }

  /** Number of bytes that the host's kernel has not accepted yet. */
  get waitingBytes(): number {
    return this.#socket.writableLength;
  }

  close(): void {
    this.#end(undefined);
  }

  async #shakeHands(role: "client" | "server", secret: string): Promise<void> {
    const own = randomBytes(NONCE_LENGTH);
    const hello = Buffer.alloc(8);
    hello.writeUInt32BE(MAGIC, 0);
    hello.writeUInt32BE(VERSION, 4);
    this.#socket.write(Buffer.concat([hello, own]));
    const received = await this.#take(HELLO_LENGTH);
    const view = new DataView(received.buffer, received.byteOffset);
    if (view.getUint32(0) !== MAGIC) throw new Error("the other side does not speak this protocol");
    if (view.getUint32(4) !== VERSION) {
      throw new Error(
        `the other side speaks version ${
          view.getUint32(4)
        } of the protocol, this one ${VERSION}: ` +
          "use the same release on both sides",
      );
    }
    const other = received.subarray(8);
    const salt = role === "client" ? Buffer.concat([own, other]) : Buffer.concat([other, own]);
    const derive = (from: string): Direction => ({
      key: new Uint8Array(hkdfSync("sha256", secret, salt, `berth moves ${from}`, KEY_LENGTH)),
      count: 0n,
    });
    this.#sending = derive(role);
    this.#receiving = derive(role === "client" ? "server" : "client");
    // An empty frame shows that this side has the key, which the nonces above do not.
    this.#socket.write(this.#seal(new Uint8Array(0)));
    const length = new DataView((await this.#take(4)).buffer).getUint32(0);
    const proof = length === TAG_LENGTH ? this.#unseal(await this.#take(length)) : undefined;
    if (proof === undefined) throw new Error("the other side has another secret");
  }

  /** Waits for the next `count` bytes of the handshake. */
  async #take(count: number): Promise<Uint8Array> {
    while (this.#bufferedBytes < count) {
      if (this.#hasEnded) throw new Error(this.#reason ?? CLOSED);
      const bytes = await new Promise<Uint8Array | undefined>((resolve) => {
        const taken = (chunk?: unknown) => {
          this.#socket.off("data", taken).off("close", ended);
          this.#socket.pause();
          resolve(chunk as Uint8Array | undefined);
        };
        const ended = () => taken();
        this.#socket.once("data", taken).once("close", ended);
        this.#socket.resume();
      });
      if (bytes === undefined) throw new Error(this.#reason ?? CLOSED);
      this.#buffer(bytes);
    }
    return this.#shift(count);
  }

  #receive(bytes: Uint8Array): void {
    this.#buffer(bytes);
    this.#readFrames();
  }

  #readFrames(): void {
    while (!this.#hasEnded && this.#bufferedBytes >= 4) {
      const head = this.#peek(4);
      const length = new DataView(head.buffer, head.byteOffset).getUint32(0);
      if (length < TAG_LENGTH || length > MAX_FRAME_BYTES + TAG_LENGTH) {
        return this.#end("a frame has an impossible length");
      }
      if (this.#bufferedBytes < 4 + length) return;
      this.#shift(4);
      const frame = this.#unseal(this.#shift(length));
      if (frame === undefined) return this.#end("a frame was changed on the way or replayed");
      this.#events.frame(frame);
    }
  }

  #seal(frame: Uint8Array): Uint8Array {
    const direction = this.#sending!;
    const cipher = createCipheriv(CIPHER, direction.key, nonceOf(direction));
    const head = Buffer.alloc(4);
    head.writeUInt32BE(frame.length + TAG_LENGTH);
    return Buffer.concat([head, cipher.update(frame), cipher.final(), cipher.getAuthTag()]);
  }

  #unseal(sealed: Uint8Array): Uint8Array | undefined {
    const direction = this.#receiving!;
    const decipher = createDecipheriv(CIPHER, direction.key, nonceOf(direction));
    const end = sealed.length - TAG_LENGTH;
    decipher.setAuthTag(sealed.subarray(end));
    try {
      return Buffer.concat([decipher.update(sealed.subarray(0, end)), decipher.final()]);
    } catch {
      return undefined;
    }
  }

  #buffer(bytes: Uint8Array): void {
    this.#buffered.push(bytes);
    this.#bufferedBytes += bytes.length;
  }

  #peek(count: number): Uint8Array {
    if (this.#buffered[0]!.length < count) {
      this.#buffered.splice(0, this.#buffered.length, Buffer.concat(this.#buffered));
    }
    return this.#buffered[0]!.subarray(0, count);
  }

  /** Removes received bytes, and returns them in a new array. */
  #shift(count: number): Uint8Array {
    const taken = new Uint8Array(count);
    let at = 0;
    while (at < count) {
      const first = this.#buffered[0]!;
      const part = first.subarray(0, count - at);
      taken.set(part, at);
      at += part.length;
      if (part.length === first.length) this.#buffered.shift();
      else this.#buffered[0] = first.subarray(part.length);
    }
    this.#bufferedBytes -= count;
    return taken;
  }

  #end(reason: string | undefined): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#reason = reason;
    if (reason === undefined) this.#socket.end();
    else this.#socket.destroy();
    this.#events.ended(reason);
  }
}

function nonceOf(direction: Direction): Uint8Array {
  const nonce = Buffer.alloc(12);
  nonce.writeBigUInt64BE(direction.count++, 4);
  return nonce;
}
