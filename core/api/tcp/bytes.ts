/**
 * What may be written, sent or read into: a `Uint8Array`, as of `Deno.Conn`. Whatever else has a
 * `length` would be copied item by item, and a text would become as many zeros.
 *
 * @module
 */

/** Whether a value is a `Uint8Array`, also one of another realm; a `Buffer` is one. */
export function isBytes(value: unknown): value is Uint8Array {
  return value instanceof Uint8Array ||
    ArrayBuffer.isView(value) &&
      (value as { [Symbol.toStringTag]?: unknown })[Symbol.toStringTag] === "Uint8Array";
}

/** Why a value is none, for who has called `what`. */
export function notBytes(what: string, value: unknown): TypeError {
  return new TypeError(`${what}: expected a Uint8Array, got ${describe(value)}`);
}

/** Why a value cannot be written by who has called `what`; `undefined`: it can. */
export function bytesFault(what: string, value: unknown): TypeError | undefined {
  if (!isBytes(value)) return notBytes(what, value);
  return value.length === 0 && isDetached(value) ? detached(what) : undefined;
}

/**
 * Throws where a value is no `Uint8Array`, or one whose buffer is gone.
 *
 * @throws {TypeError} The message says what it is, and how to make bytes of it.
 */
export function requireBytes(what: string, value: unknown): asserts value is Uint8Array {
  const fault = bytesFault(what, value);
  if (fault !== undefined) throw fault;
}

/**
 * Reading into an array without room takes nothing; into one that lost its buffer is a mistake, and
 * a loop over that would never end.
 */
export function emptyRead(p: Uint8Array): Promise<number> {
  return isDetached(p) ? Promise.reject(detached("read")) : Promise.resolve(0);
}

/** The array's buffer was transferred: its bytes are elsewhere. */
export function isDetached({ buffer }: Uint8Array): boolean {
  return (buffer as { detached?: boolean }).detached === true;
}

/** What a call is told whose array is detached. */
export function detached(what: string): TypeError {
  return new TypeError(`${what}: the array's buffer was transferred (it is detached)`);
}

/** What a write is told whose array lost bytes before they were sent. */
export function lostWhileWaiting(what: string, sent: number, length: number): TypeError {
  return new TypeError(
    `${what}: the array was detached or made smaller while it was being sent; ` +
      `${sent} of its ${length} bytes were taken`,
  );
}

function describe(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  if (typeof value === "string") {
    return "a string: new TextEncoder().encode(text) makes bytes of it";
  }
  if (value instanceof ArrayBuffer || isShared(value)) {
    return `${tagOf(value)}: new Uint8Array(buffer) is a view of it`;
  }
  if (ArrayBuffer.isView(value)) {
    return `${
      tagOf(value)
    }: new Uint8Array(view.buffer, view.byteOffset, view.byteLength) has its bytes`;
  }
  if (Array.isArray(value)) return "an array: new Uint8Array(array) makes bytes of it";
  return typeof value === "object" ? tagOf(value) : `a ${typeof value}`;
}

function isShared(value: unknown): boolean {
  return typeof SharedArrayBuffer !== "undefined" && value instanceof SharedArrayBuffer;
}

function tagOf(value: object): string {
  const tag = Object.prototype.toString.call(value).slice("[object ".length, -1);
  return `${/^[AEIO]/.test(tag) ? "an" : "a"} ${tag}`;
}
