/**
 * The body of a request, read from the connection on demand.
 *
 * @module
 */
import type { BodyFraming } from "./body_framing.ts";
import { ChunkedDecoder, type ChunkedLimits } from "../shared/http/chunked.ts";
import type { Input } from "../shared/http/input.ts";
import {
  bodyTooLarge,
  endedWithinBody,
  type HttpRefusal,
  RequestBodyError,
} from "../shared/http/refusal.ts";

/** Limits of a request body. */
export interface BodyLimits extends ChunkedLimits {
  /** Bytes of data. */
  readonly maxBodyBytes: number;
}

/** The source of a body. */
export interface BodySource {
  /** The input of the connection. */
  readonly input: Input;
  /** Reads more; false at the end of the stream, rejects if the connection broke. */
  fill(): Promise<boolean>;
  /** Sends 100 (Continue). */
  sendContinue(): Promise<void>;
}

/** The body of one request, for one reader. */
export class RequestBody {
  readonly #source: BodySource;
  readonly #limits: BodyLimits;
  readonly #chunked: ChunkedDecoder | undefined;
  /** Bytes left of a body with Content-Length. */
  #remaining: number;
  #received = 0;
  #expectsContinue: boolean;
  #reading: Promise<Uint8Array<ArrayBuffer> | null> | undefined;
  #fail: ((refusal: HttpRefusal) => void) | undefined;
  #controller: ReadableByteStreamController | undefined;

  /** `expectsContinue`: the client waits for 100 (Continue). */
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

  /** Whether all of it has been read from the connection. */
  get ended(): boolean {
    return this.#chunked ? this.#chunked.ended : this.#remaining === 0;
  }

  /** The byte stream for the application; nothing is read before it pulls. */
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

  /** Fails the body; the client gets `refusal` as the answer. */
  fail(refusal: HttpRefusal): void {
    this.refusal ??= refusal;
    this.#fail?.(this.refusal);
  }

  /** The response has been sent: the application cannot read any further. */
  detach(): void {
    this.#controller?.error(new TypeError("The request body was not read before the response"));
    this.#controller = undefined;
  }

  /**
   * Whether the rest, at most `max` bytes, can be discarded so that the connection can be reused.
   * While the client waits for 100 (Continue), it is unknown whether it will send the body (RFC
   * 9110 10.1.1).
   */
  drainable(max: number): boolean {
    return !this.refusal && !this.#expectsContinue && this.#remaining <= max;
  }

  /** Discards the rest, up to `max` bytes; false if that is not all of it. */
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
    // RFC 9110 10.1.1: a client that has started to send the body does not wait.
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

  /** All data that has arrived: many small chunks are joined. */
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
      // A reset by the client is not a failure of the application.
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
