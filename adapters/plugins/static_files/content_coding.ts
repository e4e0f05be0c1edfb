/**
 * Which compressed neighbour of a file a client gets (RFC 9110 12.5.3).
 *
 * @module
 */

/** A content coding and the extension of files that have it. */
export interface Coding {
  /** The name in Content-Encoding. */
  readonly name: string;
  readonly extension: string;
}

/** The preferred one first. */
export const CODINGS: readonly Coding[] = [
  { name: "br", extension: ".br" },
  { name: "zstd", extension: ".zst" },
  { name: "gzip", extension: ".gz" },
];

/**
 * The codings that a client accepts, in the server's order: which one is the smallest does not depend on
 * the client's weights, only those that it refuses with a weight of zero are left out.
 */
export function acceptedCodings(field: string | null): readonly Coding[] {
  if (field === null) return [];
  const weights = new Map<string, boolean>();
  for (const part of field.toLowerCase().split(",")) {
    const [name = "", ...parameters] = part.split(";").map((each) => each.trim());
    const isRefused = parameters.some((each) => /^q\s*=\s*0(\.0{0,3})?$/.test(each));
    weights.set(name === "x-gzip" ? "gzip" : name, !isRefused);
  }
  return CODINGS.filter(({ name }) => weights.get(name) ?? weights.get("*") ?? false);
}
