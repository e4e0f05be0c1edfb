/**
 * Streams that clients of the admin API read.
 *
 * @module
 */
import type { Context } from "hono";
import type { OpenedStream } from "../inspection/stream_source.ts";

/** Streams that are open at the same time, up to a maximum. */
export class OpenStreams {
  readonly #most: number;
  readonly #readers = new Set<ReadableStreamDefaultReader<Uint8Array<ArrayBuffer>>>();

  constructor(most: number) {
    this.#most = most;
  }

  /** Whether no further stream may be opened. */
  get isFull(): boolean {
    return this.#readers.size >= this.#most;
  }

  /** Responds with 503, because there are too many. */
  refuse(c: Context): Response {
    return c.json({ error: `at most ${this.#most} clients may read this at the same time` }, 503);
  }

  /** Number of open streams. */
  get count(): number {
    return this.#readers.size;
  }

  /**
   * Answers with a stream, or with 503 if there are too many. The stream is read only as fast as the client reads,
   * and cancelled when the client disconnects.
   */
  answer(
    c: Context,
    stream: OpenedStream,
    type: string,
    fields: Readonly<Record<string, string>> = {},
  ): Response {
    if (this.isFull) {
      void stream.cancel();
      return this.refuse(c);
    }
    const reader = stream.getReader();
    this.#readers.add(reader);
    const close = () => {
      if (this.#readers.delete(reader)) void reader.cancel();
    };
    c.req.raw.signal.addEventListener("abort", close);
    const body = new ReadableStream<Uint8Array<ArrayBuffer>>({
      pull: async (controller) => {
        const { done, value } = await reader.read();
        if (!done) return controller.enqueue(value);
        this.#readers.delete(reader);
        controller.close();
      },
      cancel: close,
    }, { highWaterMark: 0 });
    return new Response(body, {
      headers: { "Content-Type": type, "Cache-Control": "no-store", ...fields },
    });
  }
}
