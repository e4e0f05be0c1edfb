/**
 * The content of a response, in pieces that are large enough for a write.
 *
 * @module
 */
import { concatenate } from "../../../core/wire/bytes.ts";

/** Chunks are joined up to this size; larger ones are written in pieces of this size. */
export const PIECE_BYTES = 65_536;

/**
 * Microtask turns to wait for more chunks. A body made of a string or bytes yields all of them and its end
 * within 3 on either runtime, one made of a Blob within 9.
 */
const TURNS = 16;

/** Bun's and Deno's types name it differently. */
type ReadResult = Awaited<ReturnType<ReadableStreamDefaultReader<unknown>["read"]>>;

/** The chunks that one `gather` has read so far. */
interface Parts {
  readonly chunks: Uint8Array[];
  length: number;
  complete: boolean;
  error: { cause: unknown } | undefined;
}

/** Reads a response body on demand. */
export class ResponseContent {
  readonly #reader: ReadableStreamDefaultReader<unknown>;
  #pending: Promise<ReadResult> | undefined;
  #cancelled = false;
  /** The part after `data` that was read already. */
  #rest: Uint8Array | undefined;

  /** Result of the last `gather`, in which several small chunks are joined. */
  data: Uint8Array = new Uint8Array(0);
  /** Whether the body ends with `data`. */
  ended = false;

  /**
   * Locks `body`.
   *
   * @throws {TypeError} It is locked already.
   */
  constructor(body: ReadableStream<unknown>) {
    this.#reader = body.getReader();
  }

  /** Sets `data` and `ended` to what is available; `wait`: waits for the first chunk. */
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

  /** Joins `chunks`; if the last one is large and more follow, joins one piece and keeps the rest. */
  #joined(chunks: Uint8Array[], length: number): Uint8Array {
    const isLong = !this.ended && length >= 2 * PIECE_BYTES;
    if (!isLong) return concatenate(chunks);
    const last = chunks.pop()!;
    const taken = PIECE_BYTES - (length - last.length);
    chunks.push(last.subarray(0, taken));
    this.#rest = last.subarray(taken);
    return concatenate(chunks);
  }

  /** Reads until there is enough, or the end; a chunk that arrives after `parts` are complete is kept. */
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

  /** Cancels the body. */
  cancel(reason?: unknown): void {
    this.#cancelled = true;
    this.#reader.cancel(reason).catch(() => {});
  }
}

const encoder = new TextEncoder();

/** Fetch allows byte chunks only; strings are accepted too, as on Bun. */
function bytesOfChunk(chunk: unknown): Uint8Array {
  if (chunk instanceof Uint8Array) return chunk;
  if (typeof chunk === "string") return encoder.encode(chunk);
  if (chunk instanceof ArrayBuffer) return new Uint8Array(chunk);
  if (ArrayBuffer.isView(chunk)) {
    return new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength);
  }
  throw new TypeError("Response.body: expected chunks of bytes or strings");
}
