/**
 * Fields of a connection's record, visited in a fixed order. The same visit writes them, reads them
 * or lists them, so that the three cannot differ.
 *
 * @module
 */

/**
 * Visits fields. Each method takes the field's present value and returns the value to keep: the same value when
 * writing, the value from the record when reading.
 */
export interface FieldCodec {
  /** A signed 32-bit integer: a sequence number, flags, part of an address. */
  int(name: string, value: number): number;
  /** A whole number from 0 to `most`. */
  count(name: string, value: number, most?: number): number;
  /** A finite number. */
  real(name: string, value: number): number;
  /** A number that may be infinite. */
  limit(name: string, value: number): number;
  /** A time in milliseconds; 0, -1 and the infinities mean that there is none. */
  time(name: string, value: number): number;
  /** The offset of a 32-bit clock. When reading, it is changed so that the clock continues where it stopped. */
  clockOffset(name: string, value: number): number;
  flag(name: string, value: boolean): boolean;
  /** One of `choices`. */
  choice<T extends string>(name: string, value: T, choices: readonly T[]): T;
  /** A value that may be absent; `visit` visits it if it is present, starting from `initial`. */
  optional<T>(
    name: string,
    value: T | undefined,
    initial: () => T,
    visit: (value: T) => T,
  ): T | undefined;
  /** Fields of an object that is part of the record. */
  part(name: string, visit: () => void): void;
  /** Up to `most` items; `visit` is called with the index of each. Returns their number. */
  list(name: string, count: number, most: number, visit: (index: number) => void): number;
  /** Up to `most` bytes; `copy` fills an array with them. Returns them. */
  bytes(
    name: string,
    length: number,
    most: number,
    copy: (target: Uint8Array<ArrayBuffer>) => void,
  ): Uint8Array<ArrayBuffer>;
}

/** The clock of the side that writes or reads a record. */
export interface FieldClock {
  /** Milliseconds. */
  readonly now: number;
  /** For reading: how much time has passed since the record was written, in milliseconds. */
  readonly elapsedMs: number;
}

/** An optional number. */
export function optionalInt(
  codec: FieldCodec,
  name: string,
  value: number | undefined,
): number | undefined {
  return codec.optional(name, value, () => 0, (present) => codec.int(name, present));
}

/** An optional time. */
export function optionalTime(
  codec: FieldCodec,
  name: string,
  value: number | undefined,
): number | undefined {
  return codec.optional(name, value, () => 0, (present) => codec.time(name, present));
}

/** An optional finite number. */
export function optionalReal(
  codec: FieldCodec,
  name: string,
  value: number | undefined,
): number | undefined {
  return codec.optional(name, value, () => 0, (present) => codec.real(name, present));
}
