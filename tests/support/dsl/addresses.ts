/**
 * Addresses as bytes, implemented independently of the stack.
 *
 * @module
 */

/** The 4 or 16 bytes of `"10.0.0.1"` or `"fd00::1"`. */
export function addressBytes(text: string): Uint8Array {
  return text.includes(":") ? bytesOfV6(text) : Uint8Array.from(text.split("."), Number);
}

function bytesOfV6(text: string): Uint8Array {
  const [left = "", right = ""] = text.split("::");
  const before = left.split(":").filter((group) => group !== "");
  const after = right.split(":").filter((group) => group !== "");
  const zeros = new Array<string>(8 - before.length - after.length).fill("0");
  const groups = [...before, ...zeros, ...after].map((group) => parseInt(group, 16));
  return Uint8Array.from(groups.flatMap((group) => [group >> 8, group & 255]));
}

/** An address as text, the first run of zero groups as `::`. */
export function textOf(bytes: Uint8Array): string {
  if (bytes.length === 4) return bytes.join(".");
  const groups = Array.from(
    { length: 8 },
    (_, i) => ((bytes[i * 2]! << 8) | bytes[i * 2 + 1]!).toString(16),
  ).join(":");
  return groups.replace(/(^|:)0(:0)+(:|$)/, "::");
}
