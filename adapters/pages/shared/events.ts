/**
 * Reads server-sent events from a response, because `EventSource` cannot send `Authorization`.
 *
 * @module
 */

/** Passes on the data of each event, parsed as JSON, until the stream ends. */
export async function readEvents(answer: Response, take: (data: unknown) => void): Promise<void> {
  let text = "";
  const reader = answer.body!.pipeThrough(new TextDecoderStream()).getReader();
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    text += value;
    const events = text.split("\n\n");
    text = events.pop()!;
    for (const event of events) {
      const data = event.split("\n").filter((line) => line.startsWith("data: "))
        .map((line) => line.slice("data: ".length));
      if (data.length > 0) take(JSON.parse(data.join("\n")));
    }
  }
}
