/**
 * The dynamic table of HPACK (RFC 7541 2.3.2, 4).
 *
 * @module
 */

/** Overhead of an entry (RFC 7541 4.1). */
export const ENTRY_OVERHEAD = 32;

/** The size of an entry in HPACK and of a field in SETTINGS_MAX_HEADER_LIST_SIZE. */
export function entrySize(name: string, value: string): number {
  return name.length + value.length + ENTRY_OVERHEAD;
}

/** The dynamic table of one direction of a connection. */
export class DynamicTable {
  /** A ring; its length is a power of two. */
  #names: string[] = new Array(16);
  #values: string[] = new Array(16);
  #mask = 15;
  #size = 0;
  #maxSize: number;
  #length = 0;
  #inserted = 0;

  /** Makes an empty table of `maxSize` bytes. */
  constructor(maxSize: number) {
    this.#maxSize = maxSize;
  }

  /** Number of entries. */
  get length(): number {
    return this.#length;
  }

  /** Bytes of all entries (RFC 7541 4.1). */
  get size(): number {
    return this.#size;
  }

  /** The limit of {@link size}. */
  get maxSize(): number {
    return this.#maxSize;
  }

  /** Number of entries ever inserted. */
  get inserted(): number {
    return this.#inserted;
  }

  /** The name of an entry; 0: the newest. */
  name(index: number): string {
    return this.#names[(this.#inserted - 1 - index) & this.#mask]!;
  }

  /** The value of an entry. */
  value(index: number): string {
    return this.#values[(this.#inserted - 1 - index) & this.#mask]!;
  }

  /** Inserts an entry; one that is larger than the table empties it (RFC 7541 4.4). */
  insert(name: string, value: string): void {
    const size = entrySize(name, value);
    this.#evict(this.#maxSize - size);
    if (size > this.#maxSize) return;
    if (this.#length > this.#mask) this.#grow();
    const at = this.#inserted++ & this.#mask;
    this.#names[at] = name;
    this.#values[at] = value;
    this.#length++;
    this.#size += size;
  }

  /** Changes the limit (RFC 7541 4.3). */
  resize(maxSize: number): void {
    this.#maxSize = maxSize;
    this.#evict(maxSize);
  }

  #evict(toSize: number): void {
    while (this.#size > toSize && this.#length > 0) {
      const at = (this.#inserted - this.#length--) & this.#mask;
      this.#size -= entrySize(this.#names[at]!, this.#values[at]!);
      this.#names[at] = this.#values[at] = "";
    }
  }

  #grow(): void {
    const names: string[] = new Array(2 * this.#names.length);
    const values: string[] = new Array(names.length);
    const mask = names.length - 1;
    for (let index = 0; index < this.#length; index++) {
      const at = (this.#inserted - 1 - index) & mask;
      names[at] = this.name(index);
      values[at] = this.value(index);
    }
    this.#names = names;
    this.#values = values;
    this.#mask = mask;
  }
}
