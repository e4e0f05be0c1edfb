/**
 * Streams from a worker to the main thread. The main thread requests each chunk, so that a reader that stops costs
 * only what the source itself holds, which is bounded.
 *
 * @module
 */
import type { OpenedStream, StreamSource } from "../inspection/stream_source.ts";

/** A request of the main thread about a stream, which the main thread has numbered. */
export type StreamRequest =
  /** Answered with `"opened"`. */
  | { readonly type: "open"; readonly stream: number; readonly source: StreamSource }
  /** Answered with `"chunk"`. */
  | { readonly type: "pull"; readonly stream: number }
  /** Not answered. */
  | { readonly type: "cancel"; readonly stream: number };

/** A message of a worker about a stream. */
export type StreamEvent =
  | { readonly type: "opened"; readonly stream: number; readonly found: boolean }
  /** A chunk; without bytes, the stream has ended. */
  | {
    readonly type: "chunk";
    readonly stream: number;
    readonly bytes?: Uint8Array<ArrayBuffer> | undefined;
  };

/** The main thread's side. */
export class RemoteStreams {
  readonly #post: (request: StreamRequest) => void;
  readonly #waiting = new Map<number, PromiseWithResolvers<StreamEvent>>();
  #last = 0;
  #hasEnded = false;

  constructor(post: (request: StreamRequest) => void) {
    this.#post = post;
  }

  /** Opens a stream; `undefined` if the worker does not have the source. */
  async open(source: StreamSource): Promise<OpenedStream | undefined> {
    const stream = ++this.#last;
    const opened = await this.#ask({ type: "open", stream, source });
    if (opened.type !== "opened" || !opened.found) return undefined;
    return new ReadableStream({
      pull: async (controller) => {
        const chunk = await this.#ask({ type: "pull", stream });
        if (chunk.type === "chunk" && chunk.bytes !== undefined) controller.enqueue(chunk.bytes);
        else controller.close();
      },
      cancel: () => this.#post({ type: "cancel", stream }),
    }, { highWaterMark: 0 });
  }

  /** Handles a message of the worker. */
  take(event: StreamEvent): void {
    this.#waiting.get(event.stream)?.resolve(event);
    this.#waiting.delete(event.stream);
  }

  /** Ends all streams, because the worker has ended. */
  end(): void {
    this.#hasEnded = true;
    for (const stream of this.#waiting.keys()) this.take({ type: "chunk", stream });
  }

  #ask(request: StreamRequest): Promise<StreamEvent> {
    const { stream } = request;
    if (this.#hasEnded) return Promise.resolve({ type: "chunk", stream });
    const answer = Promise.withResolvers<StreamEvent>();
    this.#waiting.set(stream, answer);
    this.#post(request);
    return answer.promise;
  }
}

/** The worker's side. */
export class ServedStreams {
  readonly #open: (source: StreamSource) => OpenedStream | undefined;
  readonly #report: (event: StreamEvent) => void;
  readonly #readers = new Map<number, ReadableStreamDefaultReader<Uint8Array<ArrayBuffer>>>();

  constructor(
    open: (source: StreamSource) => OpenedStream | undefined,
    report: (event: StreamEvent) => void,
  ) {
    this.#open = open;
    this.#report = report;
  }

  /** Handles a request of the main thread. */
  async handle(request: StreamRequest): Promise<void> {
    const { type, stream } = request;
    if (type === "open") {
      const opened = this.#open(request.source);
      if (opened !== undefined) this.#readers.set(stream, opened.getReader());
      return this.#report({ type: "opened", stream, found: opened !== undefined });
    }
    const reader = this.#readers.get(stream);
    if (type === "cancel") {
      this.#readers.delete(stream);
      await reader?.cancel();
      return;
    }
    // A source that fails ends its stream, not the worker.
    const { value } = await reader?.read().catch(() => undefined) ?? {};
    if (value === undefined) this.#readers.delete(stream);
    this.#report({ type: "chunk", stream, bytes: value });
  }

  /** Number of open streams. */
  get count(): number {
    return this.#readers.size;
  }
}
