/**
 * The body of a response as a stream that reads from the connection on request.
 *
 * @module
 */
import { ChunkedDecoder } from "../shared/http/chunked.ts";
import type { ByteSource } from "./connection.ts";
import type { BodyLength } from "./response_head.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** Called once, when nothing more is read: with an error if the body is incomplete. */
export type OnBodyEnd = (error?: unknown) => void;

/** Longest chunk extensions and trailer fields of a body. */
const CHUNKED_LIMITS = { maxChunkExtensionBytes: 16 * 1024, maxTrailerBytes: 16 * 1024 };

/** A stream of the body. `asError` converts what reading throws. */
export function responseBody(
  source: ByteSource,
  length: Exclude<BodyLength, 0>,
  asError: (error: unknown) => unknown,
  onEnd: OnBodyEnd,
): ReadableStream<Bytes> {
  const next = readerOf(source, length);
  return new ReadableStream<Bytes>({
    async pull(controller) {
      try {
        const piece = await next();
        if (piece !== undefined) return controller.enqueue(piece);
        onEnd();
        controller.close();
      } catch (cause) {
        const error = asError(cause);
        onEnd(error);
        controller.error(error);
      }
    },
    cancel(reason) {
      onEnd(reason ?? new DOMException("The body was cancelled", "AbortError"));
    },
  }, { highWaterMark: 0 });
}

/** Returns the next bytes of the body; `undefined` at its end. */
function readerOf(source: ByteSource, length: BodyLength): () => Promise<Bytes | undefined> {
  if (length === "chunked") return chunkedReader(source);
  let left = length === "until-close" ? Infinity : length;
  return async () => {
    if (left === 0) return undefined;
    if (!await source.fill()) {
      if (left === Infinity) return undefined;
      throw endedEarly();
    }
    const piece = source.take(Math.min(left, source.available.length));
    left -= piece.length;
    return piece;
  };
}

function chunkedReader(source: ByteSource): () => Promise<Bytes | undefined> {
  const decoder = new ChunkedDecoder(CHUNKED_LIMITS);
  return async () => {
    for (;;) {
      if (decoder.ended) return undefined;
      if (!await source.fill()) throw endedEarly();
      const { available } = source;
      if (decoder.dataLength === 0) {
        source.take(decoder.advance(available, 0, available.length));
        if (decoder.refusal) throw new TypeError(decoder.refusal.reason);
        continue;
      }
      const piece = source.take(Math.min(decoder.dataLength, available.length));
      decoder.take(piece.length);
      return piece;
    }
  };
}

function endedEarly(): TypeError {
  return new TypeError("the connection ended within the body of the response");
}
