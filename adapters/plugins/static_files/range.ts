/**
 * Ranges of bytes (RFC 9110 14).
 *
 * @module
 */

/** The bytes from `start` to `end`, the latter not included. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

/**
 * The range that a `Range` field asks for. `undefined`: all of it, because nothing is asked for,
 * several ranges are, or what nobody knows (RFC 9110 14.2). `"unsatisfiable"`: nothing of it is there.
 */
export function parseRange(
  field: string | null,
  size: number,
): ByteRange | "unsatisfiable" | undefined {
  const match = /^bytes=[ \t]*(?:(\d+)-(\d*)|-(\d+))[ \t]*$/i.exec(field ?? "");
  if (!match) return undefined;
  const [, first, last, suffix] = match;
  if (suffix !== undefined) {
    if (Number(suffix) === 0) return "unsatisfiable";
    // The whole of an empty file, which no Content-Range can say.
    return size === 0 ? undefined : { start: Math.max(0, size - Number(suffix)), end: size };
  }
  if (last !== "" && isBelow(last!, first!)) return undefined;
  const start = Number(first);
  const end = last === "" ? size : Math.min(Number(last) + 1, size);
  return start < size ? { start, end } : "unsatisfiable";
}

/** Compares numbers of any length: positions are not bounded (RFC 9110 14.1.1). */
function isBelow(a: string, b: string): boolean {
  const [short, long] = [a, b].map((digits) => digits.replace(/^0+/, "")) as [string, string];
  return short.length === long.length ? short < long : short.length < long.length;
}
