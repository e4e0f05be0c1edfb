/**
 * The body of a request, from the DATA of its stream.
 *
 * @module
 */
import { concatenate } from "../../core/wire/bytes.ts";
import { bodyTooLarge, type HttpRefusal, RequestBodyError } from "../shared/http/refusal.ts";

/** The part of a stream that its body uses. */
export interface BodySource {
  /** Limit in bytes. */
  readonly maxBodyBytes: number;
  /** Reports bytes that were read or discarded. */
  consume(bytes: number): void;
  /** Whether a reader waits for the client. */
  setWaiting(isWaiting: boolean): void;
  /** Sends 100 (Continue). */
  sendContinue(): void;
}

/** Small pieces are gathered in arrays of this size, to bound the overhead. */
const CHUNK_BYTES = 16_384;

/** The body of one request. Buffered bytes are bounded by the stream's window. */
export class StreamBody {
  readonly #source: BodySource;
  /** All full except the last. */
  #chunks: Uint8Array<ArrayBuffer>[] = [];
  /** Bytes used in the last chunk. */
  #filled = 0;
  #buffered = 0;
  #received = 0;
  #expectsContinue: boolean;
  #hasEnded = false;
  /** Whether a reader is waiting. */
  #isWanted = false;
  #isUnwanted = false;
  #controller: ReadableByteStreamController | undefined;
  #pulled: (() => void) | undefined;

  /** Why the body cannot be read to its end. */
  refusal: HttpRefusal | undefined;

  /** Makes the reader of a body; `expectsContinue`: the client waits for 100 (Continue). */
  constructor(source: BodySource, expectsContinue: boolean) {
    this.#source = source;
    this.#expectsContinue = expectsContinue;
  }

  /** The byte stream for the application. Windows reopen as it is read. */
  stream(): ReadableStream<Uint8Array<ArrayBuffer>> {
    return new ReadableStream({
      type: "bytes",
      start: (controller) => {
        this.#controller = controller;
      },
      pull: () => this.#pull(),
      cancel: () => this.#drop(),
    }, { highWaterMark: 0 });
  }

  /** Receives the bytes `bytes[start..end)` of DATA. */
  data(bytes: Uint8Array, start: number, end: number): void {
    const count = end - start;
    this.#received += count;
    this.#expectsContinue = false;
    if (this.#received > this.#source.maxBodyBytes) {
      this.fail(bodyTooLarge(this.#source.maxBodyBytes));
    }
    if (this.#isUnwanted) return this.#source.consume(count);
    this.#append(bytes, start, end);
    this.#deliver();
  }

  /** The request is complete. */
  end(): void {
    this.#hasEnded = true;
    this.#deliver();
  }

  /** Fails the body with the response for the client. */
  fail(refusal: HttpRefusal): void {
    if (this.refusal || this.#hasEnded && this.#buffered === 0) return;
    this.refusal = refusal;
    this.#error(new RequestBodyError(refusal));
  }

  /** The response is complete; later reads fail. */
  detach(): void {
    this.#error(new TypeError("The request body was not read before the response"));
  }

  #error(error: Error): void {
    this.#controller?.error(error);
    this.#drop();
  }

  /** Discards the buffered data and all data that follows. */
  #drop(): void {
    this.#isUnwanted = true;
    this.#controller = undefined;
    if (this.#buffered > 0) this.#source.consume(this.#buffered);
    this.#chunks = [];
    this.#filled = this.#buffered = 0;
    this.#settle();
  }

  #pull(): Promise<void> | undefined {
    this.#isWanted = true;
    this.#deliver();
    if (!this.#isWanted || this.#controller === undefined) return undefined;
    if (this.#expectsContinue) {
      this.#expectsContinue = false;
      this.#source.sendContinue();
    }
    this.#source.setWaiting(true);
    return new Promise((resolve) => this.#pulled = resolve);
  }

  /** Passes buffered data, or the end, to a waiting reader. */
  #deliver(): void {
    const controller = this.#controller;
    if (controller === undefined) return;
    if (this.#buffered > 0 && this.#isWanted) {
      const count = this.#buffered;
      controller.enqueue(this.#take());
      this.#source.consume(count);
      this.#settle();
    }
    if (!this.#hasEnded || this.#buffered > 0) return;
    this.#controller = undefined;
    controller.close();
    controller.byobRequest?.respond(0);
    this.#settle();
  }

  #settle(): void {
    this.#isWanted = false;
    if (this.#pulled === undefined) return;
    this.#source.setWaiting(false);
    this.#pulled();
    this.#pulled = undefined;
  }

  #append(bytes: Uint8Array, start: number, end: number): void {
    this.#buffered += end - start;
    const last = this.#chunks.at(-1);
    const room = last === undefined ? 0 : last.length - this.#filled;
    const split = Math.min(end, start + room);
    if (room > 0) {
      last!.set(bytes.subarray(start, split), this.#filled);
      this.#filled += split - start;
    }
    if (split === end) return;
    const count = end - split;
    // Usually there is one piece; only unread pieces are gathered.
    const chunk = new Uint8Array(last === undefined ? count : Math.max(count, CHUNK_BYTES));
    chunk.set(bytes.subarray(split, end));
    this.#chunks.push(chunk);
    this.#filled = count;
  }

  #take(): Uint8Array<ArrayBuffer> {
    const chunks = this.#chunks;
    chunks.push(chunks.pop()!.subarray(0, this.#filled));
    this.#chunks = [];
    this.#filled = this.#buffered = 0;
    return chunks.length === 1 ? chunks[0]! : concatenate(chunks);
  }
}
