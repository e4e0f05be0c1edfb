/**
 * Reads header blocks (RFC 7541 3.2, 6). Sans-IO: a whole block in, its fields out.
 *
 * @module
 */
import { textOf } from "../../shared/http/characters.ts";
import { DynamicTable } from "./dynamic_table.ts";
import { decodeHuffman, maxDecodedLength } from "./huffman.ts";
import { STATIC_LENGTH, STATIC_NAMES, STATIC_VALUES } from "./static_table.ts";

/** The default of SETTINGS_HEADER_TABLE_SIZE (RFC 9113 6.5.2). */
export const DEFAULT_TABLE_SIZE = 4096;

/** Receives the fields of a block. */
export interface FieldSink {
  /** A decoded field, not validated. */
  field(name: string, value: string): void;
}

/** Larger integers are an error (RFC 7541 5.1). */
const MAX_INTEGER = 2 ** 28;

/** Decodes all header blocks of one direction of a connection, in order. */
export class HpackDecoder {
  readonly #table: DynamicTable;
  readonly #maxTableSize: number;
  #bytes: Uint8Array = new Uint8Array(0);
  #at = 0;
  #end = 0;
  #fault: string | undefined;
  #scratch: Uint8Array = new Uint8Array(256);

  /** `maxTableSize`: the value of SETTINGS_HEADER_TABLE_SIZE that was sent to the peer. */
  constructor(maxTableSize: number = DEFAULT_TABLE_SIZE) {
    this.#maxTableSize = maxTableSize;
    this.#table = new DynamicTable(maxTableSize);
  }

  /** The dynamic table. A block keeps its meaning while `inserted` and `maxSize` do not change. */
  get table(): DynamicTable {
    return this.#table;
  }

  /**
   * Reads `bytes[start..end)`, a whole block. If it is invalid, returns a connection error of type
   * COMPRESSION_ERROR (RFC 9113 4.3), after which nothing can be decoded.
   */
  decode(bytes: Uint8Array, start: number, end: number, sink: FieldSink): string | undefined {
    this.#bytes = bytes;
    this.#at = start;
    this.#end = end;
    // RFC 7541 4.2: table size updates precede the first field.
    let isBeginning = true;
    while (this.#at < this.#end && this.#fault === undefined) {
      const first = bytes[this.#at]!;
      if ((first & 0xe0) === 0x20) {
        if (!isBeginning) return this.#fail("a table size update after a field");
        this.#resize();
        continue;
      }
      isBeginning = false;
      if (first & 0x80) this.#readIndexed(sink);
      else if (first & 0x40) this.#readLiteral(6, true, sink);
      else this.#readLiteral(4, false, sink); // RFC 7541 6.2.2, 6.2.3
    }
    this.#bytes = NOTHING;
    return this.#fault;
  }

  #readIndexed(sink: FieldSink): void {
    const index = this.#readInteger(7);
    if (!this.#isIndex(index)) return;
    sink.field(this.#nameAt(index), this.#valueAt(index));
  }

  #readLiteral(prefix: number, isIndexed: boolean, sink: FieldSink): void {
    const index = this.#readInteger(prefix);
    if (index !== 0 && !this.#isIndex(index)) return;
    const name = index === 0 ? this.#readString() : this.#nameAt(index);
    const value = this.#readString();
    if (this.#fault !== undefined) return;
    if (isIndexed) this.#table.insert(name, value);
    sink.field(name, value);
  }

  #resize(): void {
    const size = this.#readInteger(5);
    if (this.#fault !== undefined) return;
    if (size > this.#maxTableSize) return void this.#fail("a table size above the limit");
    this.#table.resize(size);
  }

  #isIndex(index: number): boolean {
    if (this.#fault !== undefined) return false;
    if (index > 0 && index <= STATIC_LENGTH + this.#table.length) return true;
    this.#fail("an index beyond the tables");
    return false;
  }

  #nameAt(index: number): string {
    return index <= STATIC_LENGTH
      ? STATIC_NAMES[index]!
      : this.#table.name(index - STATIC_LENGTH - 1);
  }

  #valueAt(index: number): string {
    return index <= STATIC_LENGTH
      ? STATIC_VALUES[index]!
      : this.#table.value(index - STATIC_LENGTH - 1);
  }

  /** Reads an integer (RFC 7541 5.1). */
  #readInteger(prefix: number): number {
    if (this.#at >= this.#end) return this.#truncated();
    const mask = (1 << prefix) - 1;
    let value = this.#bytes[this.#at++]! & mask;
    if (value < mask) return value;
    for (let shift = 0;; shift += 7) {
      if (this.#at >= this.#end) return this.#truncated();
      const byte = this.#bytes[this.#at++]!;
      value += (byte & 0x7f) * 2 ** shift;
      // Limits the number of bytes too, since leading zeros do not change the value.
      if (value > MAX_INTEGER || shift > 28) {
        this.#fail("an integer that is too large");
        return 0;
      }
      if (byte < 0x80) return value;
    }
  }

  /** Reads a string literal (RFC 7541 5.2). */
  #readString(): string {
    if (this.#fault !== undefined) return "";
    if (this.#at >= this.#end) {
      this.#truncated();
      return "";
    }
    const isCoded = this.#bytes[this.#at]! >= 0x80;
    const length = this.#readInteger(7);
    if (this.#fault !== undefined) return "";
    const start = this.#at;
    if (length > this.#end - start) {
      this.#truncated();
      return "";
    }
    this.#at += length;
    if (!isCoded) return shortText(this.#bytes, start, this.#at);
    return this.#readCoded(start, this.#at);
  }

  #readCoded(start: number, end: number): string {
    const room = maxDecodedLength(end - start);
    if (this.#scratch.length < room) this.#scratch = new Uint8Array(2 * room);
    const length = decodeHuffman(this.#bytes, start, end, this.#scratch);
    if (length >= 0) return shortText(this.#scratch, 0, length);
    this.#fail("an invalid Huffman-coded string");
    return "";
  }

  #truncated(): 0 {
    this.#fail("a block that ends within a field");
    return 0;
  }

  #fail(fault: string): string {
    return this.#fault ??= fault;
  }
}

const NOTHING = new Uint8Array(0);
/** Up to this length string concatenation is cheaper than a TextDecoder. */
const SHORT = 24;

function shortText(bytes: Uint8Array, start: number, end: number): string {
  if (end - start <= SHORT) {
    let text = "";
    for (let at = start; at < end; at++) text += String.fromCharCode(bytes[at]!);
    return text;
  }
  let bits = 0;
  for (let at = start; at < end; at++) bits |= bytes[at]!;
  return textOf(bytes, start, end, bits < 0x80);
}
