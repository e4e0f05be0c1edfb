/**
 * One stream (RFC 9113 5).
 *
 * @module
 */
import type { ErrorCode } from "./frames.ts";
import { ReceiveWindow } from "./flow_control.ts";

/** Whose stream it is: what a session tells of it. */
export interface StreamHandler {
  /** A part of the request's body, `bytes[start..end)`; valid during the call. */
  data(bytes: Uint8Array, start: number, end: number): void;
  /** The request is complete. */
  end(): void;
  /** All data given to the session has been put into frames: there is room for more. */
  drained(): void;
  /** The stream is over before its end; `byPeer`: the client has reset it. Nothing can be sent. */
  lost(code: ErrorCode, byPeer: boolean): void;
}

/** What a session knows of an open stream. */
export class Http2Stream {
  /** Odd: the client has opened it (RFC 9113 5.1.1). */
  readonly id: number;
  /** Of the request's body. */
  readonly receive: ReceiveWindow;
  /** Bytes that the client takes; negative after it has made its windows smaller (RFC 9113 6.9.2). */
  sendWindow: number;
  /** Whose it is. */
  handler: StreamHandler | undefined;
  /** The client has ended its side. */
  isRemoteClosed: boolean;
  /** This side has ended. */
  isLocalClosed = false;
  /** Neither side can send any more. */
  isOver = false;
  /** Bytes of the body still to come by Content-Length; -1: nobody knows. */
  expected: number;

  /** What is to be sent and does not fit: `pending[pendingAt..)`. */
  pending: Uint8Array | undefined;
  /** Where the rest of it begins. */
  pendingAt = 0;
  /** It is the last. */
  pendingEnds = false;

  /** Makes a stream that the client has just opened. */
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

/** The last streams that have ended: what may still come for them depends on how. */
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

  /** How a stream has ended, if it is remembered. */
  find(id: number): StreamEnd | undefined {
    const at = this.#ids?.lastIndexOf(id) ?? -1;
    return at < 0 ? undefined : ENDS[this.#ends[at]!];
  }
}
