/**
 * Deno's private state of a Response, which holds the source of the body.
 *
 * @module
 */

/**
 * Takes the text or bytes that `response` was made from, and marks it as read. Returns `undefined` if there is no
 * body, if it may be a stream, or if it has been read.
 *
 * Fetch has no such method, and on Deno reading a string as a stream takes longer than the rest of the response. Deno
 * keeps the body's state in a symbol property, which is found by trying known bodies. This is `undefined` if there is
 * no such property, as on Bun, or if it behaves differently.
 */
export const takeDenoBody:
  | ((response: Response) => string | Uint8Array<ArrayBuffer> | undefined)
  | undefined = findSlot();

function findSlot(): typeof takeDenoBody {
  const slots = Object.getOwnPropertySymbols(Response.prototype);
  const slot = slots.find((slot) =>
    [{ status: 200 }, { status: 201 }].every((init) => holdsBodies(slot, init))
  );
  return slot === undefined ? undefined : (response) => take(response, slot);
}

function holdsBodies(slot: symbol, init: ResponseInit): boolean {
  const text = new Response("text", init);
  const bytes = take(new Response(new Uint8Array([7]), init), slot);
  return take(text, slot) === "text" && text.bodyUsed && take(text, slot) === undefined &&
    bytes instanceof Uint8Array && bytes.length === 1 && bytes[0] === 7 &&
    take(new Response(new ReadableStream(), init), slot) === undefined &&
    take(new Response(null, init), slot) === undefined;
}

/** The source of a body that is not a stream. */
interface WholeSource {
  readonly body: unknown;
  consumed: unknown;
}

function take(response: Response, slot: symbol): string | Uint8Array<ArrayBuffer> | undefined {
  const inner = Reflect.get(response, slot) as { streamOrStatic?: unknown } | null | undefined;
  const source = inner?.streamOrStatic;
  if (!isWhole(source) || source.consumed !== false) return undefined;
  const { body } = source;
  if (typeof body !== "string" && !(body instanceof Uint8Array)) return undefined;
  source.consumed = true;
  return body as string | Uint8Array<ArrayBuffer>;
}

function isWhole(source: unknown): source is WholeSource {
  return typeof source === "object" && source !== null && "body" in source;
}
