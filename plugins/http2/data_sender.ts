/**
 * Sends DATA within the windows of the peer (RFC 9113 5.2, 6.9).
 *
 * @module
 */
import { bytesOf } from "../shared/http/characters.ts";
import { MAX_WINDOW } from "./flow_control.ts";
import { FLAG, FRAME, type FrameWriter } from "./frames.ts";
import { DEFAULT_MAX_FRAME_SIZE, DEFAULT_WINDOW } from "./settings.ts";
import type { Http2Stream } from "./stream.ts";

/** DATA is not framed while more than this is unsent. */
const MAX_OUTPUT_BYTES = 131_072;

/** Frames the data of all streams of a connection. */
export class DataSender {
  readonly #output: FrameWriter;
  readonly #onSent: (stream: Http2Stream, endsStream: boolean) => void;
  /** The peer's window for the whole connection. */
  #window = DEFAULT_WINDOW;
  /** Streams with pending data, served round robin. */
  readonly #blocked = new Set<Http2Stream>();

  /** Writes frames to `output`; `onSent` is called after each. */
  constructor(output: FrameWriter, onSent: (stream: Http2Stream, endsStream: boolean) => void) {
    this.#output = output;
    this.#onSent = onSent;
  }

  /**
   * Frames `data` as far as the windows and the output buffer allow; the rest follows later. Returns
   * false if some of it has to wait: then the caller sends nothing more on this stream and does not change `data`
   * until `drained`.
   */
  send(stream: Http2Stream, data: Uint8Array, endsStream: boolean): boolean {
    if (stream.isOver || stream.isLocalClosed) return true;
    stream.pending = data;
    stream.pendingAt = 0;
    stream.pendingEnds = endsStream;
    while (this.#sendFrame(stream));
    if (stream.pending === undefined) return true;
    this.#blocked.add(stream);
    return false;
  }

  /**
   * Frames as much of the beginning of `data` as fits into one frame now, and returns the number of bytes. `data`
   * may be changed at once.
   */
  trySend(stream: Http2Stream, data: Uint8Array): number {
    const output = this.#output;
    if (stream.isOver || stream.isLocalClosed || stream.pending !== undefined) return 0;
    if (output.length >= MAX_OUTPUT_BYTES) return 0;
    const count = Math.min(data.length, this.#window, stream.sendWindow, DEFAULT_MAX_FRAME_SIZE);
    // A window may be negative (RFC 9113 6.9.2).
    if (count <= 0) return 0;
    output.data(stream.id, data, 0, count, false);
    this.#sent(stream, count, false);
    return count;
  }

  /** {@link send} for ASCII text, written into the frame directly. */
  sendText(stream: Http2Stream, text: string, endsStream: boolean): boolean {
    const { length } = text;
    const output = this.#output;
    const fits = length <= Math.min(this.#window, stream.sendWindow, DEFAULT_MAX_FRAME_SIZE) &&
      output.length < MAX_OUTPUT_BYTES && !stream.isOver && !stream.isLocalClosed;
    if (!fits) return this.send(stream, bytesOf(text), endsStream);
    output.header(length, FRAME.data, endsStream ? FLAG.endStream : 0, stream.id);
    output.writeText(text);
    this.#sent(stream, length, endsStream);
    return true;
  }

  /** Frames pending data after the output was sent or a window was opened. */
  pump(): void {
    // Round robin, so that no stream takes the whole connection window.
    for (let isProgress = this.#blocked.size > 0; isProgress;) {
      isProgress = false;
      for (const stream of this.#blocked) {
        if (!this.#sendFrame(stream)) continue;
        isProgress = true;
        if (stream.pending !== undefined) continue;
        this.#blocked.delete(stream);
        stream.handler?.drained();
      }
    }
  }

  /** Drops what a closed stream has not sent. */
  drop(stream: Http2Stream): void {
    stream.pending = undefined;
    this.#blocked.delete(stream);
  }

  /** Opens the connection's window; false if it exceeds its maximum (RFC 9113 6.9.1). */
  openWindow(increment: number): boolean {
    this.#window += increment;
    return this.#window <= MAX_WINDOW;
  }

  /** Frames one piece of pending data; false if there is none, or no room. */
  #sendFrame(stream: Http2Stream): boolean {
    const { pending, pendingAt } = stream;
    if (pending === undefined || this.#output.length >= MAX_OUTPUT_BYTES) return false;
    const left = pending.length - pendingAt;
    // A window may be negative (RFC 9113 6.9.2).
    const window = Math.max(0, Math.min(this.#window, stream.sendWindow));
    const count = Math.min(left, window, DEFAULT_MAX_FRAME_SIZE);
    if (count === 0 && left > 0) return false;
    const end = pendingAt + count;
    const endsStream = stream.pendingEnds && end === pending.length;
    // An empty frame is sent only for END_STREAM.
    if (count > 0 || endsStream) {
      this.#output.data(stream.id, pending, pendingAt, end, endsStream);
    }
    stream.pendingAt = end;
    if (end === pending.length) stream.pending = undefined;
    this.#sent(stream, count, endsStream);
    return true;
  }

  #sent(stream: Http2Stream, count: number, endsStream: boolean): void {
    this.#window -= count;
    stream.sendWindow -= count;
    this.#onSent(stream, endsStream);
  }
}
