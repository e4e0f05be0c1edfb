/**
 * The body of a request: read from the connection when the application asks for it.
 *
 * @module
 */
import type { BodyFraming } from "./body_framing.ts";
import { ChunkedDecoder, type ChunkedLimits } from "./chunked.ts";
import type { Input } from "../shared/http/input.ts";
import {
  bodyTooLarge,
  endedWithinBody,
  type HttpRefusal,
  RequestBodyError,
} from "../shared/http/refusal.ts";

/** The bounds of a request body. */
export interface BodyLimits extends ChunkedLimits {
  /** Bytes of data. */
  readonly maxBodyBytes: number;
}

/** How a body gets more bytes. */
export interface BodySource {
  /** Where received bytes are. */
  readonly input: Input;
  /** Reads more; false at the end of the stream, rejects when the connection broke. */
  fill(): Promise<boolean>;
  /** Tells a client that waits for it to send the body: 100 (Continue). */
  sendContinue(): Promise<void>;
}

/** One request's body, for one reader. */
export class RequestBody {
  readonly #source: BodySource;
  readonly #limits: BodyLimits;
  readonly #chunked: ChunkedDecoder | undefined;
  /** Bytes still to come of a sized body. */
  #remaining: number;
  #received = 0;
  #expectsContinue: boolean;
  #reading: Promise<Uint8Array<ArrayBuffer> | null> | undefined;
  #fail: ((refusal: HttpRefusal) => void) | undefined;
  #controller: ReadableByteStreamController | undefined;

  /** Makes the reader of a body; `expectsContinue`: the client waits for 100 (Continue). */
  constructor(
    source: BodySource,
    framing: BodyFraming,
    limits: BodyLimits,
    expectsContinue: boolean,
  ) {
    this.#source = source;
    this.#limits = limits;
    this.#chunked = framing === "chunked" ? new ChunkedDecoder(limits) : undefined;
    this.#remaining = framing === "chunked" ? 0 : framing;
    this.#expectsContinue = expectsContinue;
  }

  /** Why the body cannot be read to its end. */
  refusal: HttpRefusal | undefined;

  /** True once everything has been read from the connection. */
  get ended(): boolean {
    return this.#chunked ? this.#chunked.ended : this.#remaining === 0;
  }

  /** The body as the application gets it, a byte stream: nothing is read before it pulls. */
  stream(): ReadableStream<Uint8Array<ArrayBuffer>> {
    return new ReadableStream({
      type: "bytes",
      start: (controller) => {
        this.#controller = controller;
      },
      pull: async (controller) => {
        const data = await this.read();
        if (!this.#controller) return;
        if (data) controller.enqueue(data);
        if (!this.ended) return;
        this.#controller = undefined;
        controller.close();
        controller.byobRequest?.respond(0);
      },
      cancel: () => {
        this.#controller = undefined;
      },
    }, { highWaterMark: 0 });
  }

  /** The next data, or `null` at the end. Rejects with a {@link RequestBodyError}. */
  read(): Promise<Uint8Array<ArrayBuffer> | null> {
    const reading = this.#next().finally(() => {
      this.#reading = undefined;
    });
    this.#reading = reading;
    return reading;
  }

  /** Gives up the body, with the answer that the client is to get. */
  fail(refusal: HttpRefusal): void {
    this.refusal ??= refusal;
    this.#fail?.(this.refusal);
  }

  /** The response has been sent: the application gets nothing more. */
  detach(): void {
    this.#controller?.error(new TypeError("The request body was not read before the response"));
    this.#controller = undefined;
  }

  /**
   * True when it makes sense to read over the rest of at most `max` bytes, so that the connection
   * can be used again. Where the client still waits for 100 (Continue) nobody knows whether it is
   * going to send the body (RFC 9110 10.1.1).
   */
  drainable(max: number): boolean {
    return !this.refusal && !this.#expectsContinue && this.#remaining <= max;
  }

  /** Reads over the rest, up to `max` bytes of it; false when it is not at its end then. */
  async drain(max: number): Promise<boolean> {
    try {
      await this.#reading;
      const end = this.#received + max;
      while (!this.ended && this.#received <= end) await this.#next();
      return this.ended;
    } catch {
      return false;
    }
  }

  async #next(): Promise<Uint8Array<ArrayBuffer> | null> {
    // RFC 9110 10.1.1: a client that has begun to send does not wait.
    if (this.#source.input.length > 0) this.#expectsContinue = false;
    if (this.#chunked) return await this.#nextChunked(this.#chunked);
    if (this.#remaining === 0) return null;
    if (this.#source.input.length === 0) await this.#more();
    const data = this.#source.input.take(this.#remaining);
    this.#remaining -= data.length;
    this.#received += data.length;
    return data;
  }

  async #nextChunked(decoder: ChunkedDecoder): Promise<Uint8Array<ArrayBuffer> | null> {
    while (!decoder.ended) {
      const data = this.#takeChunks(decoder);
      if (decoder.refusal) this.#refuse(decoder.refusal);
      if (data.length > 0) return data;
      if (!decoder.ended) await this.#more();
    }
    return null;
  }

  /** All data that is here: many small chunks become one piece. */
  #takeChunks(decoder: ChunkedDecoder): Uint8Array<ArrayBuffer> {
    const { input } = this.#source;
    const data = new Uint8Array(input.length);
    let length = 0;
    while (input.length > 0 && !decoder.ended && !decoder.refusal) {
      input.start = decoder.advance(input.bytes, input.start, input.end);
      const count = Math.min(decoder.dataLength, input.length);
      if (count === 0) continue;
      data.set(input.bytes.subarray(input.start, input.start + count), length);
      length += count;
      input.start += count;
      decoder.take(count);
      this.#count(count);
    }
    return data.subarray(0, length);
  }

  #count(bytes: number): void {
    this.#received += bytes;
    const { maxBodyBytes } = this.#limits;
    if (this.#received > maxBodyBytes) this.#refuse(bodyTooLarge(maxBodyBytes));
  }

  async #more(): Promise<void> {
    if (this.refusal) this.#refuse(this.refusal);
    if (this.#expectsContinue) {
      this.#expectsContinue = false;
      await this.#source.sendContinue();
    }
    const failed = new Promise<never>((_, reject) => {
      this.#fail = (refusal) => reject(new RequestBodyError(refusal));
    });
    try {
      // A client that resets the connection is no failure of the application that reads.
      const broken = () => this.#refuse(endedWithinBody());
      const filled = await Promise.race([this.#source.fill().catch(broken), failed]);
      if (!filled) this.#refuse(endedWithinBody());
    } finally {
      this.#fail = undefined;
    }
  }

  #refuse(refusal: HttpRefusal): never {
    this.refusal ??= refusal;
    throw new RequestBodyError(this.refusal);
  }
}
