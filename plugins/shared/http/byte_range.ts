/**
 * Byte ranges (RFC 9110 14).
 *
 * @module
 */

/** The bytes from `start` up to but not including `end`. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

/**
 * Parses a `Range` field. `undefined`: the field is ignored and the whole file is sent, because it is
 * absent, has several ranges, or has an unknown unit or invalid syntax (RFC 9110 14.2).
 * `"unsatisfiable"`: the range is outside the file.
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
    // All of an empty file: Content-Range cannot express that.
    return size === 0 ? undefined : { start: Math.max(0, size - Number(suffix)), end: size };
  }
  if (last !== "" && isBelow(last!, first!)) return undefined;
  const start = Number(first);
  const end = last === "" ? size : Math.min(Number(last) + 1, size);
  return start < size ? { start, end } : "unsatisfiable";
}

/** Compares decimal numbers of any length: positions have no upper bound (RFC 9110 14.1.1). */
function isBelow(a: string, b: string): boolean {
  const [short, long] = [a, b].map((digits) => digits.replace(/^0+/, "")) as [string, string];
  return short.length === long.length ? short < long : short.length < long.length;
}
