/**
 * Bodies that are known as a whole, read without a stream.
 *
 * @module
 */

/**
 * The body of `response` where it was made of text or bytes, which reading takes nothing but a few
 * microtasks; `undefined` where there is none, where it may be a stream, and where nobody knows.
 * Rejects as `response.bytes()` does.
 */
export function wholeBody(
  response: Response,
): Promise<string | Uint8Array<ArrayBuffer>> | undefined {
  const source = SLOT === undefined ? undefined : wholeSource(response, SLOT);
  if (source === undefined) return undefined;
  return typeof source.body === "string" ? response.text() : response.bytes();
}

/**
 * Fetch has no way to ask what a body was made of, and making a stream of a string takes Deno longer
 * than all the rest of a response. There the private state that says it is a property with a symbol
 * for a name: found here by what it says of bodies that are known, and left alone where it does not
 * look like that, as on Bun.
 */
const SLOT: symbol | undefined = Object.getOwnPropertySymbols(Response.prototype).find((slot) =>
  [new Response("text"), new Response(new Uint8Array(1)), new Response("text", { status: 201 })]
    .every((response) => wholeSource(response, slot)) &&
  [new Response(new ReadableStream()), new Response(new ReadableStream(), { status: 201 })]
    .every((response) => !wholeSource(response, slot))
);

/** What a body was made of, with nothing to wait for. */
interface WholeSource {
  readonly body: unknown;
}

function wholeSource(response: Response, slot: symbol): WholeSource | undefined {
  const body = Reflect.get(response, slot) as { streamOrStatic?: unknown } | null | undefined;
  const source = body?.streamOrStatic;
  const isWhole = typeof source === "object" && source !== null && "body" in source &&
    !(source instanceof ReadableStream);
  return isWhole ? source : undefined;
}
