/**
 * Segments in the notation of packetdrill scripts: `P. 1:101(100) ack 1 win 500 <nop>`.
 *
 * @module
 */
import type { TcpOptions } from "./encode.ts";

const LETTERS: Readonly<Record<string, number>> = {
  F: 1,
  S: 2,
  R: 4,
  P: 8,
  ".": 16,
  U: 32,
  E: 64,
  W: 128,
};

/** A segment with numbers relative to the two initial sequence numbers. */
export interface NotedSegment {
  flags: string;
  seq: number;
  length: number;
  ack: number | undefined;
  window: number | undefined;
  options: TcpOptions | undefined;
}

/** The control bits of `"S."`, `"P."`, `"F."`, `"R"`, …; `"."` is ACK. */
export function flagBits(letters: string): number {
  let bits = 0;
  for (const letter of letters) {
    const bit = LETTERS[letter];
    if (bit === undefined) throw new Error(`"${letter}" is not a control bit`);
    bits |= bit;
  }
  return bits;
}

/** The letters of control bits, in packetdrill's order. */
export function flagLetters(bits: number): string {
  return ["F", "S", "R", "P", "E", "W", "U", "."]
    .filter((letter) => (bits & LETTERS[letter]!) !== 0).join("");
}

/** One line for a segment. */
export function formatSegment(segment: NotedSegment): string {
  const { flags, seq, length, ack, window, options } = segment;
  const parts = [`${flags} ${seq}:${seq + length}(${length})`];
  if (ack !== undefined) parts.push(`ack ${ack}`);
  if (window !== undefined) parts.push(`win ${window}`);
  const listed = options === undefined ? "" : formatOptions(options);
  if (listed !== "") parts.push(`<${listed}>`);
  return parts.join(" ");
}

function formatOptions(options: TcpOptions): string {
  const parts: string[] = [];
  if (options.mss !== undefined) parts.push(`mss ${options.mss}`);
  if (options.sackPermitted) parts.push("sackOK");
  if (options.timestamps) {
    parts.push(`TS val ${options.timestamps[0]} ecr ${options.timestamps[1]}`);
  }
  if (options.windowScale !== undefined) parts.push(`wscale ${options.windowScale}`);
  if (options.sack) {
    parts.push(`sack ${options.sack.map(([start, end]) => `${start}:${end}`).join(" ")}`);
  }
  return parts.join(",");
}

/** `+0.210` for 210 ms. */
export function formatTime(ms: number): string {
  return `+${(ms / 1000).toFixed(3)}`;
}
