/**
 * Writes fields as numbers: each is a float64 in big-endian order, and bytes follow their length.
 *
 * @module
 */
import type { FieldClock, FieldCodec } from "./field_codec.ts";

/** Size of the first buffer: most records of idle connections fit. */
const FIRST_BUFFER = 2048;

/** Writes the fields that it visits; {@link FieldWriter.take} returns the result. */
export class FieldWriter implements FieldCodec {
  readonly #clock: FieldClock;
  #bytes = new Uint8Array(FIRST_BUFFER);
  #view = new DataView(this.#bytes.buffer);
  #length = 0;

  constructor(clock: FieldClock) {
    this.#clock = clock;
  }

  /** The bytes written. */
  take(): Uint8Array<ArrayBuffer> {
    return this.#bytes.slice(0, this.#length);
  }

  int(_name: string, value: number): number {
    return this.#write(value);
  }

  count(_name: string, value: number): number {
    return this.#write(value);
  }

  real(_name: string, value: number): number {
    return this.#write(value);
  }

  limit(_name: string, value: number): number {
    return this.#write(value);
  }

  /** Times are written relative to now; see {@link FieldCodec.time} for what has no time. */
  time(_name: string, value: number): number {
    const isTime = value !== 0 && value !== -1 && Number.isFinite(value);
    this.flag("", isTime);
    this.#write(isTime ? value - this.#clock.now : value);
    return value;
  }

  clockOffset(_name: string, value: number): number {
    this.#write((Math.floor(this.#clock.now) + value) | 0);
    return value;
  }

  flag(_name: string, value: boolean): boolean {
    this.#write(value ? 1 : 0);
    return value;
  }

  choice<T extends string>(_name: string, value: T, choices: readonly T[]): T {
    this.#write(choices.indexOf(value));
    return value;
  }

  optional<T>(
    _name: string,
    value: T | undefined,
    _initial: () => T,
    visit: (value: T) => T,
  ): T | undefined {
    this.flag("", value !== undefined);
    return value === undefined ? undefined : visit(value);
  }

  part(_name: string, visit: () => void): void {
    visit();
  }

  list(_name: string, count: number, _most: number, visit: (index: number) => void): number {
    this.#write(count);
    for (let i = 0; i < count; i++) visit(i);
    return count;
  }

  bytes(
    _name: string,
    length: number,
    _most: number,
    copy: (target: Uint8Array<ArrayBuffer>) => void,
  ): Uint8Array<ArrayBuffer> {
    this.#write(length);
    this.#reserve(length);
    const target = this.#bytes.subarray(this.#length, this.#length + length);
    copy(target);
    this.#length += length;
    return target;
  }

  #write(value: number): number {
    this.#reserve(8);
    this.#view.setFloat64(this.#length, value);
    this.#length += 8;
    return value;
  }

  #reserve(more: number): void {
    const needed = this.#length + more;
    if (needed <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.max(needed, 2 * this.#bytes.length));
    grown.set(this.#bytes);
    this.#bytes = grown;
    this.#view = new DataView(grown.buffer);
  }
}
