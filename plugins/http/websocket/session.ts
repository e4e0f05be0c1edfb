/**
 * One WebSocket, server side (RFC 6455 5 to 7).
 *
 * @module
 */
import { stackOf } from "../../../core/api/error_text.ts";
import { notBytes } from "../../../core/api/tcp/bytes.ts";
import { ConnectionTimeouts, type Wait } from "../../shared/http/connection_timeouts.ts";
import type { UpgradedConnection } from "../../shared/http/upgrade.ts";
import { ABNORMAL, GOING_AWAY, INTERNAL_ERROR, maySend, NO_STATUS, NORMAL } from "./close_code.ts";
import { FrameDecoder, type FrameFault, type FrameSink } from "./frame_decoder.ts";
import { closePayload, OPCODE } from "./frame_encoder.ts";
import type { CheckedWebSocketOptions } from "./options.ts";
import { SendQueue } from "./send_queue.ts";

/** Events of a session, for its application. */
export interface SessionEvents {
  /** The WebSocket is open. */
  open(): unknown;
  /** A complete message. */
  message(data: string | ArrayBuffer): unknown;
  /** The WebSocket has closed; the last event. */
  close(code: number, reason: string, wasClean: boolean): unknown;
  /** The connection or a handler failed; undefined if the application has no handler for it. */
  readonly error: ((error: unknown) => unknown) | undefined;
}

/** Received bytes are not decoded while more than this waits to be sent. */
const PAUSE_BYTES = 65_536;
/** The large buffer is used after a read of this many bytes or more, or while as many of a message are missing. */
const LARGE_READ_BYTES = 4096;
/** Maximum number of bytes discarded after the end, for the reason in RFC 9112 9.6. */
const MAX_LINGER_BYTES = 262_144;

/**
 * A WebSocket; `ws.raw` of Hono's handlers.
 *
 * @example
 * ```ts
 * import { upgradeWebSocket, type WebSocketSession } from "@berth/berth/plugins";
 * import { Hono } from "hono";
 *
 * // Skips a reading for a client that does not keep up.
 * function publish(session: WebSocketSession, reading: string): void {
 *   if (session.bufferedAmount < 65_536) session.send(reading);
 * }
 *
 * new Hono().get("/readings", upgradeWebSocket(() => ({ onOpen: (_, ws) => publish(ws.raw!, "20 °C") })));
 * ```
 */
export class WebSocketSession {
  readonly #connection: UpgradedConnection;
  readonly #options: CheckedWebSocketOptions;
  readonly #events: SessionEvents;
  readonly #outbox: SendQueue;
  readonly #deadlines: ConnectionTimeouts;
  readonly #decoder: FrameDecoder;
  #readyState: 1 | 2 | 3 = 1;
  #closeSent = false;
  #pinged = false;
  /** Number of handlers whose promise is pending. */
  #running = 0;
  /** The Close received from the peer. */
  #peerClose: { code: number; reason: string } | undefined;

  /** A session on a connection whose handshake is complete. */
  constructor(
    connection: UpgradedConnection,
    options: CheckedWebSocketOptions,
    events: SessionEvents,
  ) {
    this.#connection = connection;
    this.#options = options;
    this.#events = events;
    this.#deadlines = new ConnectionTimeouts(connection.clock, (wait) => this.#expire(wait));
    this.#outbox = new SendQueue(
      connection.socket,
      (bytes) => this.#write(bytes),
      options.maxBufferedBytes,
    );
    this.#decoder = new FrameDecoder(options.maxMessageBytes, this.#sink());
  }

  /** 1: open, 2: closing, 3: closed, as in `WebSocket`. */
  get readyState(): 1 | 2 | 3 {
    return this.#readyState;
  }

  /** Bytes in the send queue. */
  get bufferedAmount(): number {
    return this.#outbox.bytes;
  }

  /** Whether no message is in progress in either direction, and no handler runs. */
  get isIdle(): boolean {
    return this.#readyState === 1 && this.#outbox.bytes === 0 && this.#decoder.isAtRest &&
      this.#running === 0;
  }

  /**
   * Sends a message. Does nothing after the end, as in browsers.
   *
   * @throws {TypeError} `data` is neither a string nor bytes.
   */
  send(data: string | ArrayBufferLike | ArrayBufferView): void {
    if (this.#readyState !== 1) return;
    const isQueued = typeof data === "string"
      ? this.#outbox.putText(data)
      : this.#outbox.put(OPCODE.binary, view(data));
    if (!isQueued) this.#overflow();
  }

  /**
   * Starts the closing handshake (RFC 6455 7.1.2).
   *
   * @throws {RangeError} `code` must not be sent.
   */
  close(code?: number, reason = ""): void {
    if (code !== undefined && !maySend(code)) {
      throw new RangeError(`A WebSocket cannot be closed with ${code}: use 1000 or 3000 to 4999`);
    }
    if (this.#readyState !== 1) return;
    this.#sendClose(reason === "" ? code : code ?? NORMAL, reason);
  }

  /** Runs until the connection has ended. */
  async run(): Promise<void> {
    const { signal } = this.#connection;
    const stop = () => this.close(GOING_AWAY, "the server closes");
    signal.addEventListener("abort", stop);
    let lost: unknown;
    try {
      this.#callHandler(() => this.#events.open());
      if (signal.aborted) stop();
      await this.#receive();
      await this.#finish();
    } catch (error) {
      lost = error;
    } finally {
      signal.removeEventListener("abort", stop);
      this.#deadlines.dispose();
    }
    this.#readyState = 3;
    this.#reportEnd(lost);
  }

  /** Receives until the peer has sent Close or violated the protocol, or the stream ends. */
  async #receive(): Promise<void> {
    const { input } = this.#connection;
    while (true) {
      const received = input.length;
      // Several messages of one read are answered by one write.
      this.#outbox.hold();
      input.start = this.#decoder.decode(input.bytes, input.start, input.end);
      this.#outbox.release();
      if (this.#decoder.fault || this.#peerClose) return;
      if (this.#outbox.bytes > PAUSE_BYTES) {
        this.#deadlines.clearRead();
        await this.#outbox.drained(PAUSE_BYTES);
      }
      this.#awaitPeer();
      // A large buffer while much arrives: an idle WebSocket keeps the small one.
      const isLarge = Math.max(received, this.#decoder.remaining) >= LARGE_READ_BYTES;
      if (!(await input.fill(isLarge))) return;
      this.#pinged = false;
    }
  }

  /** Answers the Close or the error that ended `#receive`, and lets the client close its side. */
  async #finish(): Promise<void> {
    const { socket, input } = this.#connection;
    const { fault } = this.#decoder;
    if (fault) this.#sendClose(fault.code, fault.reason);
    else if (this.#peerClose) this.#echoClose(this.#peerClose);
    this.#readyState = 2;
    this.#deadlines.setRead(this.#options.closeTimeoutMs);
    await this.#outbox.drained(0);
    // RFC 6455 7.1.1: the server is the first to close.
    await socket.closeWrite();
    for (let read = 0; read <= MAX_LINGER_BYTES; read += input.length) {
      input.start = input.end;
      if (!(await input.fill())) return;
    }
  }

  #reportEnd(lost: unknown): void {
    const { fault } = this.#decoder;
    const error = fault ? faultError(fault) : this.#peerClose ? undefined : lost;
    if (error) this.#callHandler(() => this.#events.error?.(error));
    const { code, reason } = this.#peerClose ?? { code: ABNORMAL, reason: "" };
    this.#callHandler(() => this.#events.close(code, reason, this.#peerClose !== undefined));
  }

  #sink(): FrameSink {
    return {
      onText: (text) => this.#deliver(text),
      onBinary: (bytes) => this.#deliver(bytes.buffer),
      onPing: (payload) => {
        if (!this.#closeSent) this.#put(OPCODE.pong, payload);
      },
      onPong: () => {},
      onClose: (code, reason) => this.#peerClose = { code, reason },
    };
  }

  #deliver(data: string | ArrayBuffer): void {
    if (this.#readyState === 1) this.#callHandler(() => this.#events.message(data));
  }

  /** Runs a handler of the application; it may be an async function. */
  #callHandler(event: () => unknown): void {
    try {
      const result = event();
      if (!(result instanceof Promise)) return;
      this.#running++;
      result.catch((error) => this.#handlerFailed(error)).finally(() => this.#running--);
    } catch (error) {
      this.#handlerFailed(error);
    }
  }

  #handlerFailed(error: unknown): void {
    const stack = stackOf(error);
    this.#connection.log.error("http: a WebSocket handler failed", { error, stack });
    this.#sendClose(INTERNAL_ERROR, "");
    try {
      this.#events.error?.(error);
    } catch {
      // The failure of the application was logged already.
    }
  }

  #put(opcode: number, payload: Uint8Array): void {
    if (!this.#outbox.put(opcode, payload)) this.#overflow();
  }

  #overflow(): void {
    const { maxBufferedBytes } = this.#options;
    this.#connection.socket.abort(
      new Error(`The WebSocket client leaves more than ${maxBufferedBytes} bytes unread`),
    );
  }

  #sendClose(code: number | undefined, reason: string): void {
    if (this.#closeSent || this.#readyState === 3) return;
    this.#closeSent = true;
    this.#put(OPCODE.close, closePayload(code, reason));
    if (this.#readyState === 1) this.#readyState = 2;
    this.#deadlines.setRead(this.#options.closeTimeoutMs);
  }

  #echoClose({ code }: { code: number }): void {
    this.#sendClose(code === NO_STATUS ? undefined : code, "");
  }

  /**
   * Restarts the idle timeout, unless a Close was sent, which has a timeout of its own. A Ping is sent after half of
   * the idle timeout.
   */
  #awaitPeer(): void {
    if (!this.#closeSent) this.#deadlines.setRead(this.#options.idleTimeoutMs / 2);
  }

  #expire(wait: Wait): void {
    const { socket } = this.#connection;
    const closing = this.#readyState !== 1;
    if (wait === "write" || this.#pinged || (closing && this.#outbox.bytes > 0)) {
      socket.abort(new Error("The WebSocket client does not answer"));
    } else if (closing) {
      socket.close().catch(() => {});
    } else {
      this.#pinged = true;
      this.#put(OPCODE.ping, NOTHING);
      this.#awaitPeer();
    }
  }

  async #write(bytes: Uint8Array): Promise<void> {
    this.#deadlines.setWrite(this.#options.idleTimeoutMs);
    await this.#connection.socket.write(bytes);
    this.#deadlines.clearWrite();
  }
}

const NOTHING = new Uint8Array(0);

function view(data: ArrayBufferLike | ArrayBufferView): Uint8Array {
  if (ArrayBuffer.isView(data)) {
    return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  }
  // Uint8Array would also convert numbers and arrays, which are never meant.
  if (isBuffer(data)) return new Uint8Array(data);
  throw notBytes("WebSocket.send", data);
}

function isBuffer(data: ArrayBufferLike): boolean {
  return data instanceof ArrayBuffer ||
    typeof SharedArrayBuffer !== "undefined" && data instanceof SharedArrayBuffer;
}

function faultError({ code, reason }: FrameFault): Error {
  return new Error(`The WebSocket client violated the protocol (${code}): ${reason}`);
}
