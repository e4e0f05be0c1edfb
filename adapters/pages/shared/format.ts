/**
 * Numbers as text.
 *
 * @module
 */

const grouped = new Intl.NumberFormat("en");

/** A number and its unit, to be shown in different sizes. */
export interface Quantity {
  readonly value: string;
  readonly unit: string;
}

/** 1234567 as `1,234,567`. */
export function count(value: number): string {
  return grouped.format(value);
}

/** Bytes with a decimal prefix. */
export function bytes(value: number): Quantity {
  return scaled(value, ["B", "kB", "MB", "GB", "TB", "PB"]);
}

/** Bits per second with a decimal prefix. */
export function bitRate(value: number): Quantity {
  return scaled(value, ["bit/s", "kbit/s", "Mbit/s", "Gbit/s", "Tbit/s"]);
}

/** Milliseconds with three significant digits. */
export function milliseconds(value: number): Quantity {
  return { value: digits(value), unit: "ms" };
}

/** Seconds as `4 s`, `3 min`, `2 h` or `5 d`. */
export function duration(seconds: number): Quantity {
  if (seconds < 120) return { value: String(Math.floor(seconds)), unit: "s" };
  if (seconds < 7200) return { value: String(Math.floor(seconds / 60)), unit: "min" };
  if (seconds < 172_800) return { value: String(Math.floor(seconds / 3600)), unit: "h" };
  return { value: String(Math.floor(seconds / 86_400)), unit: "d" };
}

/** The value and its unit as text. */
export function text({ value, unit }: Quantity): string {
  return `${value} ${unit}`;
}

function scaled(value: number, units: readonly string[]): Quantity {
  let index = 0;
  while (value >= 999.5 && index < units.length - 1) {
    value /= 1000;
    index++;
  }
  return { value: index === 0 ? String(Math.round(value)) : digits(value), unit: units[index]! };
}

/** Three significant digits. */
function digits(value: number): string {
  return value < 9.995 ? value.toFixed(2) : value < 99.95 ? value.toFixed(1) : value.toFixed(0);
}
