/**
 * The body of a request, from the DATA of its stream.
 *
 * @module
 */
import { concatenate } from "../../core/wire/bytes.ts";
import { bodyTooLarge, type HttpRefusal, RequestBodyError } from "../shared/http/refusal.ts";

/** Where a body comes from. */
export interface BodySource {
  /** Bytes, at most. */
  readonly maxBodyBytes: number;
  /** The application has taken `bytes`, or nobody wants them. */
  consume(bytes: number): void;
  /** The application waits for the client, or no longer. */
  setWaiting(isWaiting: boolean): void;
  /** The application waits, and the client may wait for 100 (Continue). */
  sendContinue(): void;
}

/** Small pieces are put together in arrays of this size, so that none costs more than it holds. */
const CHUNK_BYTES = 16_384;

/** One request's body, for one reader; what it keeps is bounded by the stream's window. */
export class StreamBody {
  readonly #source: BodySource;
  /** Full, but for the last. */
  #chunks: Uint8Array<ArrayBuffer>[] = [];
  /** Bytes in the last one. */
  #filled = 0;
  #buffered = 0;
  #received = 0;
  #expectsContinue: boolean;
  #hasEnded = false;
  /** A reader waits. */
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

  /** The body as the application gets it, a byte stream: no window opens before it pulls. */
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

  /** Takes DATA. */
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

  /** Nothing follows. */
  end(): void {
    this.#hasEnded = true;
    this.#deliver();
  }

  /** Gives up the body, with the answer that the client is to get. */
  fail(refusal: HttpRefusal): void {
    if (this.refusal || this.#hasEnded && this.#buffered === 0) return;
    this.refusal = refusal;
    this.#error(new RequestBodyError(refusal));
  }

  /** The response has been sent: the application gets nothing more. */
  detach(): void {
    this.#error(new TypeError("The request body was not read before the response"));
  }

  #error(error: Error): void {
    this.#controller?.error(error);
    this.#drop();
  }

  /** Nobody reads any more. */
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

  /** Gives the reader that waits what there is, and then the end. */
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
    // One piece mostly is all that there is; what follows a piece that nobody has taken is gathered.
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
