/**
 * Selects the precompressed variant of a file that a client gets (RFC 9110 12.5.3).
 *
 * @module
 */

/** A content coding and its file extension. */
export interface Coding {
  /** Its name in Content-Encoding. */
  readonly name: string;
  readonly extension: string;
}

/** The supported codings, the preferred one first. */
export const CODINGS: readonly Coding[] = [
  { name: "br", extension: ".br" },
  { name: "zstd", extension: ".zst" },
  { name: "gzip", extension: ".gz" },
];

/**
 * The codings that a client accepts, in the server's order of preference. Of the client's weights,
 * only zero, which refuses a coding, has an effect: the smallest file is best for every client.
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
