/**
 * One stream (RFC 9113 5).
 *
 * @module
 */
import type { ErrorCode } from "./frames.ts";
import { ReceiveWindow } from "./flow_control.ts";

/** Receives the events of a stream. */
export interface StreamHandler {
  /** A part of the request's body, `bytes[start..end)`; valid during the call. */
  data(bytes: Uint8Array, start: number, end: number): void;
  /** The request is complete. */
  end(): void;
  /** All data has been framed; more can be sent. */
  drained(): void;
  /** The stream was reset, `byPeer` or by the server; nothing can be sent. */
  lost(code: ErrorCode, byPeer: boolean): void;
}

/** The state of an open stream. */
export class Http2Stream {
  /** Odd, since clients open the streams (RFC 9113 5.1.1). */
  readonly id: number;
  /** Receive window for the request body. */
  readonly receive: ReceiveWindow;
  /** Send window; negative after SETTINGS_INITIAL_WINDOW_SIZE was lowered (RFC 9113 6.9.2). */
  sendWindow: number;
  /** Receives the events. */
  handler: StreamHandler | undefined;
  /** The client has sent END_STREAM. */
  isRemoteClosed: boolean;
  /** END_STREAM has been sent. */
  isLocalClosed = false;
  /** Closed. */
  isOver = false;
  /** Body bytes still expected by Content-Length; -1 if unknown. */
  expected: number;

  /** Data not yet framed: `pending[pendingAt..)`. */
  pending: Uint8Array | undefined;
  /** See `pending`. */
  pendingAt = 0;
  /** END_STREAM follows `pending`. */
  pendingEnds = false;

  /** Creates a stream that the client has opened. */
  constructor(
    id: number,
    sendWindow: number,
    receiveWindow: number,
    isRemoteClosed: boolean,
    expected: number,
  ) {
    this.id = id;
    this.sendWindow = sendWindow;
    this.receive = new ReceiveWindow(receiveWindow);
    this.isRemoteClosed = isRemoteClosed;
    this.expected = expected;
  }
}

/** How a stream has ended. */
export type StreamEnd = "ended" | "reset by this side" | "reset by the peer";

const ENDS: readonly StreamEnd[] = ["ended", "reset by this side", "reset by the peer"];
const REMEMBERED = 256;

/** Remembers how recent streams ended, which decides how a late frame is treated. */
export class EndedStreams {
  #ids: Uint32Array | undefined;
  readonly #ends = new Uint8Array(REMEMBERED);
  #at = 0;

  /** Notes the end of a stream. */
  add(id: number, end: StreamEnd): void {
    this.#ids ??= new Uint32Array(REMEMBERED);
    this.#ids[this.#at] = id;
    this.#ends[this.#at] = ENDS.indexOf(end);
    this.#at = (this.#at + 1) % REMEMBERED;
  }

  /** How a recent stream ended. */
  find(id: number): StreamEnd | undefined {
    const at = this.#ids?.lastIndexOf(id) ?? -1;
    return at < 0 ? undefined : ENDS[this.#ends[at]!];
  }
}
