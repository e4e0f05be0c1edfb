/**
 * Deno's private state of a Response, where it says what the body was made of.
 *
 * @module
 */

/**
 * Takes what `response` was made of, text or bytes, which counts as read from here on; `undefined`
 * where there is none, where it may be a stream, and where it has been read.
 *
 * Fetch has no way to ask, and making a stream of a string takes Deno longer than all the rest of a
 * response. There the private state that says it is a property with a symbol for a name: found by
 * what it says and does with bodies that are known, and left alone where it does not look like that:
 * then there is no function, as on Bun.
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

/** What a body was made of, with nothing to wait for. */
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
