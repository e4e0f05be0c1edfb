import { fileHeader, setInterface } from "../../links/decorators/pcapng/blocks.ts";
import type { OpenedStream } from "./stream_source.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/**
 * Merges the captures of the workers into one file with an interface for each. Every chunk has whole blocks; the
 * first block is the file header.
 */
export function mergeCaptures(
  captures: readonly OpenedStream[],
  names: readonly string[],
): OpenedStream {
  const readers = captures.map((capture) => capture.getReader());
  const next: Next[] = readers.map((reader, id) => nextChunk(reader, id));
  let hasBegun = false;
  return new ReadableStream<Bytes>({
    async pull(controller) {
      if (!hasBegun) {
        hasBegun = true;
        return controller.enqueue(fileHeader(...names));
      }
      for (;;) {
        const waiting = next.filter((one) => one !== undefined);
        if (waiting.length === 0) return controller.close();
        const { id, chunk } = await Promise.race(waiting);
        next[id] = chunk === undefined ? undefined : nextChunk(readers[id]!, id);
        if (chunk !== undefined && chunk.length > 0) return controller.enqueue(chunk);
      }
    },
    async cancel() {
      await Promise.all(readers.map((reader) => reader.cancel()));
    },
  }, { highWaterMark: 0 });
}

type Next = Promise<{ readonly id: number; readonly chunk: Bytes | undefined }> | undefined;

/** The next blocks of a capture, with the number of its interface in the merged file. */
function nextChunk(
  reader: ReadableStreamDefaultReader<Bytes>,
  id: number,
): NonNullable<Next> {
  return reader.read().then(({ value }) => {
    if (value === undefined) return { id, chunk: undefined };
    const chunk = withoutHeader(value);
    setInterface(chunk, id);
    return { id, chunk };
  });
}

const SECTION_HEADER = 0x0a0d0d0a;

/** The file header is a section header and one interface description. */
function withoutHeader(chunk: Bytes): Bytes {
  const view = new DataView(chunk.buffer, chunk.byteOffset, chunk.length);
  if (view.getUint32(0, true) !== SECTION_HEADER) return chunk;
  const section = view.getUint32(4, true);
  return chunk.subarray(section + view.getUint32(section + 4, true));
}
