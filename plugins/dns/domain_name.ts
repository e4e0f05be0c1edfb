/**
 * Domain names as bytes: labels may hold any byte (RFC 2181 11), dots and zeros included.
 *
 * @module
 */

/** Longest name in wire format (RFC 1035 2.3.4). */
const MAX_NAME = 255;
const MAX_LABEL = 63;

/**
 * A name in wire format, uncompressed, one character per byte and ASCII letters in lower case (RFC 4343),
 * so that equal names are equal strings.
 */
export type WireName = string;

/** The root. */
export const ROOT: WireName = "\0";

/** A name that was read from a message. */
export interface ReadName {
  readonly name: WireName;
  /** Index after the name. */
  readonly end: number;
}

/**
 * Reads the name at `at`; compression pointers may only point backwards (RFC 1035 4.1.4). `undefined`: it
 * is malformed or too long.
 */
export function readName(message: Uint8Array, at: number): ReadName | undefined {
  let name = "";
  let end: number | undefined;
  for (let start = at; name.length < MAX_NAME;) {
    const length = message[at];
    if (length === undefined) return undefined;
    if (length > 0xbf) {
      const target = ((length & 0x3f) << 8) | (message[at + 1] ?? 0xff);
      if (target >= start) return undefined;
      end ??= at + 2;
      start = at = target;
      continue;
    }
    const next = at + 1 + length;
    if (length > MAX_LABEL || next > message.length) return undefined;
    for (; at < next; at++) name += String.fromCharCode(lowerCase(message[at]!));
    if (length === 0) return name.length > MAX_NAME ? undefined : { name, end: end ?? at };
  }
  return undefined;
}

/** Converts an ASCII letter to lower case (RFC 4343 3). */
export function lowerCase(byte: number): number {
  return byte >= 65 && byte <= 90 ? byte + 32 : byte;
}

/**
 * Parses `"host.example"` or `"host.example."`: printable ASCII without escapes. `undefined`: it is not a
 * name.
 */
export function parseName(text: string): WireName | undefined {
  const dotted = text.replace(/\.$/, "").toLowerCase();
  const labels = dotted === "" ? [] : dotted.split(".");
  if (!labels.every((label) => /^[!-[\]-~]{1,63}$/.test(label))) return undefined;
  const name = labels.map((label) => String.fromCharCode(label.length) + label).join("") + ROOT;
  return name.length > MAX_NAME ? undefined : name;
}

/** The name in the format of master files (RFC 1035 5.1): `a\.b.example`, `\255.example`. */
export function formatName(name: WireName): string {
  const labels: string[] = [];
  for (let at = 0; at < name.length - 1; at += 1 + name.charCodeAt(at)) {
    labels.push(
      name.slice(at + 1, at + 1 + name.charCodeAt(at))
        .replace(/[.\\]/g, "\\$&")
        .replace(/[^!-~]/g, (byte) => `\\${String(byte.charCodeAt(0)).padStart(3, "0")}`),
    );
  }
  return labels.length === 0 ? "." : labels.join(".");
}

/** The ancestors of a name, from its parent to the root. */
export function* ancestorsOf(name: WireName): Generator<WireName> {
  for (let rest = name; rest !== ROOT;) {
    rest = rest.slice(1 + rest.charCodeAt(0));
    yield rest;
  }
}

/** Whether a name is the apex of a zone or below it. */
export function isIn(name: WireName, zone: WireName): boolean {
  return name === zone || [...ancestorsOf(name)].includes(zone);
}

/** The wildcard directly below a name (RFC 4592 2.1.1). */
export function wildcardBelow(name: WireName): WireName {
  return `\x01*${name}`;
}

/** Whether a name's first label is the asterisk. */
export function isWildcard(name: WireName): boolean {
  return name.startsWith("\x01*");
}

/** Writes a name, uncompressed. */
export function writeName(name: WireName, message: Uint8Array, at: number): void {
  for (let i = 0; i < name.length; i++) message[at + i] = name.charCodeAt(i);
}
