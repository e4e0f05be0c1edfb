/** The lines of a stream of text, without line ends. */
export async function* linesOf(chunks: AsyncIterable<Uint8Array>): AsyncIterableIterator<string> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of chunks) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = lines.pop()!;
    yield* lines;
  }
  if (rest !== "") yield rest;
}
