/**
 * Writes header blocks (RFC 7541 3.1, 6).
 *
 * @module
 */
import type { ByteWriter } from "../byte_writer.ts";
import { DEFAULT_TABLE_SIZE } from "./decoder.ts";
import { DynamicTable, entrySize } from "./dynamic_table.ts";
import { huffmanLength, writeHuffman } from "./huffman.ts";
import { STATIC_INDEX, STATIC_LENGTH, STATIC_VALUES } from "./static_table.ts";

/** Never indexed: a secret in the table could be guessed (RFC 7541 7.1.3). */
const SECRETS: ReadonlySet<string> = new Set([
  "authorization",
  "cookie",
  "proxy-authorization",
  "set-cookie",
]);

/** Maximum number of names whose values are remembered. */
const MAX_NAMES = 64;
/** Maximum number of values remembered per name. */
const MAX_VALUES = 4;
/** Larger fields are not indexed. */
const MAX_INDEXED_BYTES = 512;

const LITERAL_INDEXED = 0x40;
const LITERAL = 0x00;
const LITERAL_NEVER_INDEXED = 0x10;

/** A value sent before. */
interface SentValue {
  value: string;
  /** Insertion number in the dynamic table, or -1. */
  entry: number;
}

/**
 * Encodes the header blocks of one direction of a connection. A field is indexed when it is sent for the
 * second time, so that values that change with every response evict nothing.
 */
export class HpackEncoder {
  readonly #table = new DynamicTable(DEFAULT_TABLE_SIZE);
  readonly #sent = new Map<string, SentValue[]>();
  /** Smallest table size since the last block, to be signalled if `#isResized` (RFC 7541 4.2). */
  #smallestSize = DEFAULT_TABLE_SIZE;
  #isResized = false;

  /** Bytes of the dynamic table. */
  get tableSize(): number {
    return this.#table.size;
  }

  /** Applies the peer's SETTINGS_HEADER_TABLE_SIZE, up to the default. */
  allowTableSize(size: number): void {
    const used = Math.min(size, DEFAULT_TABLE_SIZE);
    if (used === this.#table.maxSize) return;
    this.#smallestSize = Math.min(this.#isResized ? this.#smallestSize : used, used);
    this.#isResized = true;
    this.#table.resize(used);
  }

  /** Begins a block. */
  begin(out: ByteWriter): void {
    if (!this.#isResized) return;
    this.#isResized = false;
    if (this.#smallestSize < this.#table.maxSize) writeInteger(out, 0x20, 5, this.#smallestSize);
    writeInteger(out, 0x20, 5, this.#table.maxSize);
  }

  /** Appends `:status`. */
  status(out: ByteWriter, status: number): void {
    const index = STATUS_INDEX[status];
    if (index === undefined) this.field(out, ":status", String(status));
    else out.writeByte(0x80 | index);
  }

  /** Appends a field; `name` is in lower case. */
  field(out: ByteWriter, name: string, value: string): void {
    const nameIndex = STATIC_INDEX.get(name) ?? 0;
    if (SECRETS.has(name)) {
      return writeLiteral(out, LITERAL_NEVER_INDEXED, 4, nameIndex, name, value);
    }
    if (nameIndex !== 0 && value !== "" && STATIC_VALUES[nameIndex] === value) {
      return writeInteger(out, 0x80, 7, nameIndex);
    }
    const sent = this.#find(name, value);
    if (sent === undefined) return writeLiteral(out, LITERAL, 4, nameIndex, name, value);
    const index = this.#table.inserted - 1 - sent.entry;
    if (sent.entry >= 0 && index < this.#table.length) {
      return writeInteger(out, 0x80, 7, STATIC_LENGTH + 1 + index);
    }
    writeLiteral(out, LITERAL_INDEXED, 6, nameIndex, name, value);
    sent.entry = this.#table.inserted;
    this.#table.insert(name, value);
  }

  /** The entry of a value sent before; otherwise remembers it. */
  #find(name: string, value: string): SentValue | undefined {
    if (entrySize(name, value) > Math.min(MAX_INDEXED_BYTES, this.#table.maxSize)) return undefined;
    const values = this.#sent.get(name);
    if (values === undefined) {
      if (this.#sent.size < MAX_NAMES) this.#sent.set(name, [{ value, entry: -1 }]);
      return undefined;
    }
    for (const sent of values) if (sent.value === value) return sent;
    const oldest = values.length < MAX_VALUES ? { value, entry: -1 } : values.shift()!;
    oldest.value = value;
    oldest.entry = -1;
    values.push(oldest);
    return undefined;
  }
}

/** Statuses of the static table. */
const STATUS_INDEX: Readonly<Record<number, number>> = {
  200: 8,
  204: 9,
  206: 10,
  304: 11,
  400: 12,
  404: 13,
  500: 14,
};

function writeLiteral(
  out: ByteWriter,
  pattern: number,
  prefix: number,
  nameIndex: number,
  name: string,
  value: string,
): void {
  writeInteger(out, pattern, prefix, nameIndex);
  if (nameIndex === 0) writeString(out, name);
  writeString(out, value);
}

/** Appends an integer (RFC 7541 5.1); `pattern` holds the bits before the prefix. */
export function writeInteger(
  out: ByteWriter,
  pattern: number,
  prefix: number,
  value: number,
): void {
  const max = (1 << prefix) - 1;
  if (value < max) return out.writeByte(pattern | value);
  out.writeByte(pattern | max);
  let rest = value - max;
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) out.writeByte((rest & 0x7f) | 0x80);
  out.writeByte(rest);
}

/** Appends a string, Huffman-coded if that is shorter (RFC 7541 5.2). */
export function writeString(out: ByteWriter, text: string): void {
  const coded = huffmanLength(text);
  if (coded < text.length) {
    writeInteger(out, 0x80, 7, coded);
    writeHuffman(out, text);
  } else {
    writeInteger(out, 0, 7, text.length);
    out.writeText(text);
  }
}
