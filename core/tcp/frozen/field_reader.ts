/**
 * Reads what `FieldWriter` wrote. The bytes are not trusted: no input causes an exception, or an allocation that is
 * larger than the input.
 *
 * @module
 */
import type { FieldClock, FieldCodec } from "./field_codec.ts";

/** Reads fields until the first fault; after it, every field reads as 0 or absent. */
export class FieldReader implements FieldCodec {
  /** What is wrong with the bytes, if anything. */
  fault: string | undefined = undefined;
  readonly #clock: FieldClock;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at: number;

  /** Reads `bytes` from `at` on. */
  constructor(bytes: Uint8Array, clock: FieldClock, at = 0) {
    this.#clock = clock;
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#at = at;
  }

  /** Whether everything was read. */
  get isAtEnd(): boolean {
    return this.#at === this.#bytes.length;
  }

  /** Records a fault, unless there was one before. */
  refuse(fault: string): void {
    this.fault ??= fault;
  }

  int(name: string, _value: number): number {
    const value = this.#read(name);
    return this.#require(name, value, Number.isInteger(value) && (value | 0) === value);
  }

  count(name: string, _value: number, most: number = Number.MAX_SAFE_INTEGER): number {
    const value = this.#read(name);
    return this.#require(name, value, Number.isInteger(value) && value >= 0 && value <= most);
  }

  real(name: string, _value: number): number {
    const value = this.#read(name);
    return this.#require(name, value, Number.isFinite(value));
  }

  limit(name: string, _value: number): number {
    const value = this.#read(name);
    return this.#require(name, value, !Number.isNaN(value));
  }

  time(name: string, _value: number): number {
    const isTime = this.flag(name, false);
    const value = this.#read(name);
    if (!isTime) {
      const means = value === 0 || value === -1 || Math.abs(value) === Infinity;
      return this.#require(name, value, means);
    }
    this.#require(name, value, Number.isFinite(value));
    const { now, elapsedMs } = this.#clock;
    const at = value + now - elapsedMs;
    // 0 and -1 would mean that there is no time; half a millisecond does not matter.
    return at === 0 || at === -1 ? at + 0.5 : at;
  }

  clockOffset(name: string, _value: number): number {
    const { now, elapsedMs } = this.#clock;
    return (this.int(name, 0) + Math.floor(elapsedMs) - Math.floor(now)) | 0;
  }

  flag(name: string, _value: boolean): boolean {
    const value = this.#read(name);
    return this.#require(name, value, value === 0 || value === 1) === 1;
  }

  choice<T extends string>(name: string, value: T, choices: readonly T[]): T {
    const index = this.#read(name);
    const chosen = choices[index];
    if (chosen === undefined) this.#require(name, index, false);
    return chosen ?? value;
  }

  optional<T>(
    name: string,
    _value: T | undefined,
    initial: () => T,
    visit: (value: T) => T,
  ): T | undefined {
    return this.flag(name, false) ? visit(initial()) : undefined;
  }

  part(_name: string, visit: () => void): void {
    visit();
  }

  list(name: string, _count: number, most: number, visit: (index: number) => void): number {
    const count = this.count(name, 0, most);
    for (let i = 0; i < count && this.fault === undefined; i++) visit(i);
    return count;
  }

  bytes(name: string, _length: number, most: number): Uint8Array<ArrayBuffer> {
    const length = this.count(name, 0, most);
    if (length > this.#bytes.length - this.#at) this.refuse(`it ends in ${name}`);
    if (this.fault !== undefined) return new Uint8Array(0);
    const start = this.#at;
    this.#at += length;
    return this.#bytes.slice(start, this.#at) as Uint8Array<ArrayBuffer>;
  }

  #read(name: string): number {
    if (this.fault === undefined && this.#at + 8 > this.#bytes.length) {
      this.refuse(`it ends before ${name}`);
    }
    if (this.fault !== undefined) return 0;
    const value = this.#view.getFloat64(this.#at);
    this.#at += 8;
    return value;
  }

  #require(name: string, value: number, holds: boolean): number {
    if (holds && this.fault === undefined) return value;
    this.refuse(`${name} is ${value}`);
    return 0;
  }
}
