/**
 * The content of a response, in pieces that are worth a write each.
 *
 * @module
 */
import { concatenate } from "../../../core/wire/bytes.ts";

/** Data is gathered up to here; what is larger is written in pieces of this size. */
export const PIECE_BYTES = 65_536;

/**
 * Microtasks given to a body to show what it has. A body made of a string or bytes shows all of it,
 * and its end, within 3 on either runtime, one made of a Blob within 9.
 */
const TURNS = 16;

/** Bun's and Deno's types name it differently. */
type ReadResult = Awaited<ReturnType<ReadableStreamDefaultReader<unknown>["read"]>>;

/** What one `gather` has read so far. */
interface Parts {
  readonly chunks: Uint8Array[];
  length: number;
  complete: boolean;
  error: { cause: unknown } | undefined;
}

/** Reads a response body as fast as it is asked to. */
export class ResponseContent {
  readonly #reader: ReadableStreamDefaultReader<unknown>;
  #pending: Promise<ReadResult> | undefined;
  #cancelled = false;
  /** What `data` is the beginning of. */
  #rest: Uint8Array | undefined;

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
    if (this.#rest !== undefined) return this.#takeRest();
    if (wait) await (this.#pending ??= this.#reader.read());
    const parts: Parts = { chunks: [], length: 0, complete: false, error: undefined };
    void this.#collect(parts);
    for (let turn = 0; turn < TURNS && !parts.complete; turn++) await undefined;
    parts.complete = true;
    if (parts.error) throw parts.error.cause;
    if (this.#cancelled) throw new TypeError("The response body was cancelled");
    const { chunks, length } = parts;
    this.data = chunks.length === 1 ? chunks[0]! : this.#joined(chunks, length);
  }

  #takeRest(): void {
    if (this.#cancelled) throw new TypeError("The response body was cancelled");
    this.data = this.#rest!;
    this.#rest = undefined;
  }

  /** All of `chunks`; where the last is large and more follow, one piece of them, and the rest is left. */
  #joined(chunks: Uint8Array[], length: number): Uint8Array {
    const isLong = !this.ended && length >= 2 * PIECE_BYTES;
    if (!isLong) return concatenate(chunks);
    const last = chunks.pop()!;
    const taken = PIECE_BYTES - (length - last.length);
    chunks.push(last.subarray(0, taken));
    this.#rest = last.subarray(taken);
    return concatenate(chunks);
  }

  /** Reads until there is enough, or the end; what comes once `parts` are complete is left. */
  async #collect(parts: Parts): Promise<void> {
    try {
      while (!parts.complete) {
        const { done, value } = await (this.#pending ??= this.#reader.read());
        if (parts.complete) return;
        if (parts.length >= PIECE_BYTES && !done) break;
        this.#pending = undefined;
        this.ended = done;
        if (done) break;
        const part = bytesOfChunk(value);
        if (part.length === 0) continue;
        parts.chunks.push(part);
        parts.length += part.length;
      }
    } catch (cause) {
      parts.error = { cause };
    }
    parts.complete = true;
  }

  /** Tells the body's source that nobody wants the rest. */
  cancel(reason?: unknown): void {
    this.#cancelled = true;
    this.#reader.cancel(reason).catch(() => {});
  }
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
