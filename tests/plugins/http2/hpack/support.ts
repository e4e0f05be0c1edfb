/**
 * Header blocks as RFC 7541 Appendix C prints them.
 *
 * @module
 */
import { HpackDecoder } from "../../../../plugins/http2/hpack/decoder.ts";

/** The bytes of a dump: hexadecimal digits and blanks. */
export function hex(dump: string): Uint8Array<ArrayBuffer> {
  const digits = dump.replace(/\s+/g, "");
  return Uint8Array.from(
    { length: digits.length / 2 },
    (_, i) => parseInt(digits.slice(2 * i, 2 * i + 2), 16),
  );
}

/** A dump of bytes. */
export function dump(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** The fields of a block, as `name: value`; the fault, where it has one. */
export function decode(decoder: HpackDecoder, block: string | Uint8Array): string[] | string {
  const fields: string[] = [];
  const bytes = typeof block === "string" ? hex(block) : block;
  const fault = decoder.decode(bytes, 0, bytes.length, {
    field: (name, value) => void fields.push(`${name}: ${value}`),
  });
  return fault ?? fields;
}

/** The entries of the dynamic table, the newest first, and its size. */
export function tableOf({ table }: HpackDecoder): string[] {
  const entries = Array.from(
    { length: table.length },
    (_, i) => `${table.name(i)}: ${table.value(i)}`,
  );
  return [...entries, `${table.size} bytes`];
}
