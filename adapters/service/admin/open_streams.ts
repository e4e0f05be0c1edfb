/**
 * Streams that clients of the admin API read.
 *
 * @module
 */
import type { Context } from "hono";
import type { OpenedStream, StreamSource } from "../inspection/stream_source.ts";
import type { Service } from "../service.ts";

/** How a stream is sent. */
export interface SentStream {
  /** The media type. */
  readonly type: string;
  /** Further fields of the response. */
  readonly fields?: Readonly<Record<string, string>>;
  /** The message of the 404 if there is nothing to stream. */
  readonly missing: string;
}

/** Streams that are open at the same time, up to a maximum. */
export class OpenStreams {
  readonly #most: number;
  readonly #readers = new Set<ReadableStreamDefaultReader<Uint8Array<ArrayBuffer>>>();

  constructor(most: number) {
    this.#most = most;
  }

  /**
   * Answers with a stream of the service, which is read only as fast as the client reads, and cancelled when the client
   * disconnects. Answers 503 if there are too many, and 404 if there is nothing to stream.
   */
  async serve(
    c: Context,
    service: Pick<Service, "open">,
    source: StreamSource,
    { type, fields, missing }: SentStream,
  ): Promise<Response> {
    if (this.#isFull) return this.#refuse(c);
    const stream = await service.open(source);
    if (stream === undefined) return c.json({ error: missing }, 404);
    // Other streams may have been opened in the meantime.
    if (this.#isFull) {
      void stream.cancel();
      return this.#refuse(c);
    }
    const headers = { "Content-Type": type, "Cache-Control": "no-store", ...fields };
    return new Response(this.#bodyFrom(stream, c.req.raw.signal), { headers });
  }

  get #isFull(): boolean {
    return this.#readers.size >= this.#most;
  }

  #refuse(c: Context): Response {
    return c.json({ error: `at most ${this.#most} clients may read this at the same time` }, 503);
  }

  #bodyFrom(stream: OpenedStream, signal: AbortSignal): OpenedStream {
    const reader = stream.getReader();
    this.#readers.add(reader);
    const close = () => {
      if (this.#readers.delete(reader)) void reader.cancel();
    };
    signal.addEventListener("abort", close);
    return new ReadableStream({
      pull: async (controller) => {
        const { done, value } = await reader.read();
        if (!done) return controller.enqueue(value);
        this.#readers.delete(reader);
        controller.close();
      },
      cancel: close,
    }, { highWaterMark: 0 });
  }
}
