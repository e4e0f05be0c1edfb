/**
 * Checks of the arrays that are written, sent or read into: only a `Uint8Array`, as with
 * `Deno.Conn`. Other values with a `length` would be copied item by item, and a string would become
 * zeros.
 *
 * @module
 */

/** Whether a value is a `Uint8Array`, including a `Buffer` or one from another realm. */
export function isBytes(value: unknown): value is Uint8Array {
  return value instanceof Uint8Array ||
    ArrayBuffer.isView(value) &&
      (value as { [Symbol.toStringTag]?: unknown })[Symbol.toStringTag] === "Uint8Array";
}

/** The error of a call of `what` with a value that is not a `Uint8Array`. */
export function notBytes(what: string, value: unknown): TypeError {
  return new TypeError(`${what}: expected a Uint8Array, got ${describe(value)}`);
}

/** The error of a call of `what` with a value that cannot be written; `undefined` if it can. */
export function bytesFault(what: string, value: unknown): TypeError | undefined {
  if (!isBytes(value)) return notBytes(what, value);
  return value.length === 0 && isDetached(value) ? detached(what) : undefined;
}

/**
 * Throws if a value is not a `Uint8Array`, or its buffer was transferred.
 *
 * @throws {TypeError} The message says what the value is, and how to convert it.
 */
export function requireBytes(what: string, value: unknown): asserts value is Uint8Array {
  const fault = bytesFault(what, value);
  if (fault !== undefined) throw fault;
}

/**
 * The result of a read into an empty array: 0 bytes. If the array is empty because its buffer was
 * transferred, the read fails instead, since a loop over such reads would never end.
 */
export function emptyRead(p: Uint8Array): Promise<number> {
  return isDetached(p) ? Promise.reject(detached("read")) : Promise.resolve(0);
}

/** Whether the array's buffer was transferred. */
export function isDetached({ buffer }: Uint8Array): boolean {
  return (buffer as { detached?: boolean }).detached === true;
}

/** The error of a call of `what` with a detached array. */
export function detached(what: string): TypeError {
  return new TypeError(`${what}: the array's buffer was transferred (it is detached)`);
}

/** The error of a write whose array lost bytes before they were accepted. */
export function lostWhileWaiting(what: string, sent: number, length: number): TypeError {
  return new TypeError(
    `${what}: the array was detached or made smaller while it was being sent; ` +
      `${sent} of its ${length} bytes were accepted`,
  );
}

function describe(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  if (typeof value === "string") {
    return "a string: convert it with new TextEncoder().encode(text)";
  }
  if (value instanceof ArrayBuffer || isShared(value)) {
    return `${tagOf(value)}: pass new Uint8Array(buffer)`;
  }
  if (ArrayBuffer.isView(value)) {
    return `${tagOf(value)}: pass new Uint8Array(view.buffer, view.byteOffset, view.byteLength)`;
  }
  if (Array.isArray(value)) return "an array: convert it with new Uint8Array(array)";
  return typeof value === "object" ? tagOf(value) : `a ${typeof value}`;
}

function isShared(value: unknown): boolean {
  return typeof SharedArrayBuffer !== "undefined" && value instanceof SharedArrayBuffer;
}

function tagOf(value: object): string {
  const tag = Object.prototype.toString.call(value).slice("[object ".length, -1);
  return `${/^[AEIO]/.test(tag) ? "an" : "a"} ${tag}`;
}
