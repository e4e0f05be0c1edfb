/**
 * The content of a response, in pieces that are worth a write each.
 *
 * @module
 */
import { concatenate } from "./concatenate.ts";

/** Data is gathered up to here; what is larger is written in pieces of this size. */
export const PIECE_BYTES = 65_536;

/**
 * Microtasks given to a body to show what it has. A body made of a string or bytes shows all of it,
 * and its end, within 2 on either runtime, one made of a Blob within 5.
 */
const TURNS = 8;

/** Bun's and Deno's types name it differently. */
type ReadResult = Awaited<ReturnType<ReadableStreamDefaultReader<unknown>["read"]>>;

/** Reads a response body as fast as it is asked to. */
export class ResponseContent {
  readonly #reader: ReadableStreamDefaultReader<unknown>;
  #pending: Promise<ReadResult> | undefined;
  #cancelled = false;

  /** What the last `gather` has found; several small chunks as one. */
  data: Uint8Array = new Uint8Array(0);
  /** True when nothing follows `data`. */
  ended = false;

  /**
   * Locks `body`.
   *
   * @throws {TypeError} Somebody else reads it.
   */
  constructor(body: ReadableStream<unknown>) {
    this.#reader = body.getReader();
  }

  /** Finds what is there, in `data` and `ended`; `wait`: until there is anything. */
  async gather(wait: boolean): Promise<void> {
    const parts: Uint8Array[] = [];
    let length = 0;
    let waiting = wait;
    while (true) {
      const result = await this.#next(waiting);
      if (!result) break;
      if (result.done) {
        this.ended = true;
        break;
      }
      if (length >= PIECE_BYTES) {
        this.#pending = Promise.resolve(result);
        break;
      }
      const part = bytesOfChunk(result.value);
      if (part.length === 0) continue;
      parts.push(part);
      length += part.length;
      waiting = false;
    }
    if (this.#cancelled) throw new TypeError("The response body was cancelled");
    this.data = parts.length === 1 ? parts[0]! : concatenate(parts, length);
  }

  /** Tells the body's source that nobody wants the rest. */
  cancel(reason?: unknown): void {
    this.#cancelled = true;
    this.#reader.cancel(reason).catch(() => {});
  }

  async #next(wait: boolean): Promise<ReadResult | undefined> {
    const reading = this.#pending ?? this.#reader.read();
    this.#pending = undefined;
    if (wait) return await reading;
    const result = await settledSoon(reading);
    if (!result) this.#pending = reading;
    return result;
  }
}

/** What `promise` settles with, if it does so within some microtasks; `undefined` otherwise. */
async function settledSoon<T>(promise: Promise<T>): Promise<T | undefined> {
  let result: T | undefined;
  let settled = false;
  promise.then((value) => {
    result = value;
    settled = true;
  }, () => settled = true);
  for (let turn = 0; turn < TURNS && !settled; turn++) await undefined;
  return settled ? result ?? await promise : undefined;
}

const encoder = new TextEncoder();

/** Fetch wants chunks of bytes; text is taken too, as Bun does. */
function bytesOfChunk(chunk: unknown): Uint8Array {
  if (chunk instanceof Uint8Array) return chunk;
  if (typeof chunk === "string") return encoder.encode(chunk);
  if (chunk instanceof ArrayBuffer) return new Uint8Array(chunk);
  if (ArrayBuffer.isView(chunk)) {
    return new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength);
  }
  throw new TypeError("A chunk of the response body is neither bytes nor text");
}
