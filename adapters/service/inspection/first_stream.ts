import type { OpenedStream } from "./stream_source.ts";

/** Reads the stream that is the first of several to have a chunk, and cancels the others. */
export function firstStream(streams: readonly OpenedStream[]): OpenedStream {
  const readers = streams.map((stream) => stream.getReader());
  let chosen: (typeof readers)[number] | undefined;
  return new ReadableStream<Uint8Array<ArrayBuffer>>({
    async pull(controller) {
      const { reader, result } = chosen === undefined
        ? await firstChunk(readers)
        : { reader: chosen, result: await chosen.read() };
      if (chosen === undefined) {
        chosen = reader;
        for (const other of readers) if (other !== reader) void other.cancel();
      }
      if (result.done) controller.close();
      else controller.enqueue(result.value);
    },
    async cancel() {
      await Promise.all((chosen === undefined ? readers : [chosen]).map((each) => each.cancel()));
    },
  }, { highWaterMark: 0 });
}

/** The first chunk and its reader. A stream that ends without a chunk is chosen only if all of them do. */
async function firstChunk<R extends ReadableStreamDefaultReader<Uint8Array<ArrayBuffer>>>(
  readers: readonly R[],
) {
  const reads = readers.map(async (reader) => {
    const result = await reader.read();
    if (result.done) throw new Error("the stream has ended");
    return { reader, result };
  });
  return await Promise.any(reads).catch(() => ({
    reader: readers[0]!,
    result: { done: true, value: undefined } as const,
  }));
}
