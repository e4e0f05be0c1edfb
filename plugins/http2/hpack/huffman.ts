/**
 * The Huffman code of HPACK (RFC 7541 5.2, Appendix B).
 *
 * @module
 */
import type { ByteWriter } from "../byte_writer.ts";

/**
 * The code length of each symbol in bits, EOS last: `A` is 5, `Z` is 30. The code is canonical, so the
 * lengths determine it.
 */
const LENGTHS = "ISXXXXXXXTZXXZXXXXXXXXZXXXXXXXXXBFFHIBDGFFDGDBBBAAABBBBBBBCDKBHFIBCCCCCCCCCCCC" +
  "CCCCCCCCCCDCDIOIJBKABABABBBACCBBBABCBAABCCCCCKGJIXPRPPRRRSRSSSSSTSTTRSTSSSSQRSRSSTRQPRRSSQSRRT" +
  "QRSSQQRQSRSSPRRRSRRSVVPORSRUVVVWWVTUOQVWWVWTQQVVXWWWPTPQRQQSRRUUTTVSVWVVWWWWWXWWWWWVZ";

const EOS = 256;
/** Padding is at most 7 bits (RFC 7541 5.2). */
const MAX_PADDING_BITS = 7;

const lengths = Uint8Array.from(LENGTHS, (letter) => letter.charCodeAt(0) - 60);
const codes = canonicalCodes();

/** Encoded length of `text` in bytes; its characters are below 256. */
export function huffmanLength(text: string): number {
  let bits = 0;
  for (let at = 0; at < text.length; at++) bits += lengths[text.charCodeAt(at) & 0xff]!;
  return (bits + 7) >>> 3;
}

/** Appends `text` encoded, padded with the first bits of EOS. */
export function writeHuffman(out: ByteWriter, text: string): void {
  let byte = 0;
  let room = 8;
  for (let at = 0; at < text.length; at++) {
    const symbol = text.charCodeAt(at) & 0xff;
    const code = codes[symbol]!;
    let left = lengths[symbol]!;
    while (left >= room) {
      left -= room;
      out.writeByte((byte << room) | ((code >>> left) & ((1 << room) - 1)));
      byte = 0;
      room = 8;
    }
    byte = (byte << left) | (code & ((1 << left) - 1));
    room -= left;
  }
  if (room < 8) out.writeByte((byte << room) | ((1 << room) - 1));
}

/**
 * Decodes `bytes[start..end)` into `target`, which has room for `maxDecodedLength` bytes. Returns
 * the decoded length, or -1 if the code contains EOS or the padding is invalid.
 */
export function decodeHuffman(
  bytes: Uint8Array,
  start: number,
  end: number,
  target: Uint8Array,
): number {
  let node = 0;
  let length = 0;
  for (let at = start; at < end; at++) {
    const byte = bytes[at]!;
    let step = STEPS[(node << 4) | (byte >>> 4)]!;
    if (step & EMITS) target[length++] = step >>> SYMBOL_SHIFT;
    step = STEPS[((step & NODE) << 4) | (byte & 15)]!;
    if (step & EMITS) target[length++] = step >>> SYMBOL_SHIFT;
    node = step & NODE;
    if (node === FAILED) return -1;
  }
  return MAY_END[node] ? length : -1;
}

/** Upper bound of the decoded length: the shortest code has 5 bits. */
export function maxDecodedLength(length: number): number {
  return Math.floor(length * 8 / 5);
}

/** Canonical order: by length, then by symbol. */
function canonicalCodes(): Uint32Array {
  const result = new Uint32Array(lengths.length);
  let code = 0;
  for (let length = 5; length <= 30; length++) {
    code *= 2;
    for (let symbol = 0; symbol < lengths.length; symbol++) {
      if (lengths[symbol] === length) result[symbol] = code++;
    }
  }
  return result;
}

// The decoder is a state machine over 4-bit steps; its states are the inner nodes of the code tree. No
// code is shorter than 5 bits, so a step completes at most one symbol.

const NODE = 0x1ff;
const EMITS = 0x200;
const SYMBOL_SHIFT = 10;
/** The state after EOS. */
const FAILED = 256;

const { steps: STEPS, mayEnd: MAY_END } = buildDecoder();

function buildDecoder(): { steps: Int32Array; mayEnd: Uint8Array } {
  const children: (number | undefined)[][] = [[]];
  /** A leaf for symbol s is stored as -s - 1. */
  for (let symbol = 0; symbol < lengths.length; symbol++) {
    let node = 0;
    for (let bit = lengths[symbol]! - 1; bit >= 0; bit--) {
      const side = (codes[symbol]! >>> bit) & 1;
      if (bit === 0) children[node]![side] = -symbol - 1;
      else node = children[node]![side] ??= children.push([]) - 1;
    }
  }
  const steps = new Int32Array((FAILED + 1) << 4).fill(FAILED);
  for (let from = 0; from < children.length; from++) {
    for (let nibble = 0; nibble < 16; nibble++) {
      steps[(from << 4) | nibble] = stepOf(children, from, nibble);
    }
  }
  const mayEnd = new Uint8Array(FAILED + 1);
  for (let node = 0, depth = 0; depth <= MAX_PADDING_BITS; depth++) {
    mayEnd[node] = 1;
    node = children[node]![1]!;
  }
  return { steps, mayEnd };
}

function stepOf(children: (number | undefined)[][], from: number, nibble: number): number {
  let node = from;
  let emitted = 0;
  for (let bit = 3; bit >= 0; bit--) {
    const next = children[node]![(nibble >>> bit) & 1]!;
    if (next >= 0) {
      node = next;
      continue;
    }
    const symbol = -next - 1;
    if (symbol === EOS) return FAILED;
    emitted = EMITS | (symbol << SYMBOL_SHIFT);
    node = 0;
  }
  return node | emitted;
}
