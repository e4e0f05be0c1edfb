/**
 * A WebAssembly module that computes checksums. It is kept as a list of instructions and assembled
 * on first use.
 *
 * @module
 */

/** Bytes of a module or a part of it. */
type Code = readonly number[];

/**
 * Maximum number of bytes that one call may sum. Each step of 32 bytes adds up to 2 * 65,535 to a
 * 32-bit lane, which overflows after 32,768 steps.
 */
export const MAX_SUMMED = 32_768 * 32;

// https://webassembly.github.io/spec/core/binary: types, sections and instructions.
const [I32, I64, V128, EMPTY, FUNCTION] = [0x7f, 0x7e, 0x7b, 0x40, 0x60];
const SECTION = { types: 1, imports: 2, functions: 3, exports: 7, code: 10 };
const OP = {
  block: 0x02,
  loop: 0x03,
  end: 0x0b,
  branch: 0x0c,
  branchIf: 0x0d,
  get: 0x20,
  set: 0x21,
  i64Load8: 0x31,
  i64Load16: 0x33,
  i64Load32: 0x35,
  i32Const: 0x41,
  i64Const: 0x42,
  i32GreaterUnsigned: 0x4b,
  i32Add: 0x6a,
  i64Add: 0x7c,
  i64And: 0x83,
  i64ShiftRightUnsigned: 0x88,
  i32WrapI64: 0xa7,
  i64ExtendI32Unsigned: 0xad,
  simd: 0xfd,
};
const SIMD = {
  load: 0x00,
  i32x4ExtractLane: 0x1b,
  /** Sums adjacent pairs of 16-bit words into 32-bit lanes. */
  i32x4AddPairsUnsigned: 0x7f,
  i32x4Add: 0xae,
};
/** Local indexes of the function's parameters and variables. */
const [START, END, SUM, LANES, MORE_LANES] = [0, 1, 2, 3, 4];

/**
 * Assembles the module. It imports a memory as `wire.memory` and exports `sum(start, end)`: the sum
 * of the little-endian 16-bit words of the memory's bytes `[start, end)`, folded into 16 bits, with
 * a trailing odd byte padded with zero. The range is at most {@link MAX_SUMMED} bytes long.
 */
export function checksumModule(): Uint8Array<ArrayBuffer> {
  return Uint8Array.from([
    ...[0, ...ascii("asm"), 1, 0, 0, 0],
    ...section(SECTION.types, [FUNCTION, ...vector([[I32], [I32]]), ...vector([[I32]])]),
    // A memory of at least one page.
    ...section(SECTION.imports, [...name("wire"), ...name("memory"), 2, 0, 1]),
    ...section(SECTION.functions, [0]),
    ...section(SECTION.exports, [...name("sum"), 0, 0]),
    ...section(SECTION.code, sized([...vector([[1, I64], [2, V128]]), ...sumInstructions()])),
  ]);
}

function sumInstructions(): Code {
  return [
    ...eachStep(32, [...addLanes(LANES, 0), ...addLanes(MORE_LANES, 16)]),
    ...[LANES, MORE_LANES].flatMap((lanes) => [0, 1, 2, 3].flatMap((lane) => addLane(lanes, lane))),
    // 2^16 is congruent to 1 modulo 2^16 - 1, so two 16-bit words can be added as one 32-bit word.
    ...eachStep(4, addLoaded(OP.i64Load32)),
    ...eachStep(2, addLoaded(OP.i64Load16)),
    ...eachStep(1, addLoaded(OP.i64Load8)),
    // Three folds reduce any sum below 2^40 to 16 bits.
    ...[...foldOnce(), ...foldOnce(), ...foldOnce()],
    ...[OP.get, SUM, OP.i32WrapI64, OP.end],
  ];
}

/** Runs `body` and advances `START` by `size` while at least `size` bytes are left. */
function eachStep(size: number, body: Code): Code {
  const next = [OP.get, START, OP.i32Const, size, OP.i32Add];
  return [
    ...[OP.block, EMPTY, OP.loop, EMPTY],
    ...[...next, OP.get, END, OP.i32GreaterUnsigned, OP.branchIf, 1],
    ...body,
    ...[...next, OP.set, START, OP.branch, 0, OP.end, OP.end],
  ];
}

/** `lanes` += the sums of pairs of words at `START + offset`. */
function addLanes(lanes: number, offset: number): Code {
  return [
    ...[OP.get, lanes, OP.get, START, ...simd(SIMD.load), 0, offset],
    ...[...simd(SIMD.i32x4AddPairsUnsigned), ...simd(SIMD.i32x4Add), OP.set, lanes],
  ];
}

/** `SUM` += one lane. */
function addLane(lanes: number, lane: number): Code {
  const value = [OP.get, lanes, ...simd(SIMD.i32x4ExtractLane), lane, OP.i64ExtendI32Unsigned];
  return [OP.get, SUM, ...value, OP.i64Add, OP.set, SUM];
}

/** `SUM` += the value at `START`, of any alignment. */
function addLoaded(load: number): Code {
  return [OP.get, SUM, OP.get, START, load, 0, 0, OP.i64Add, OP.set, SUM];
}

/** `SUM` = its lowest 16 bits + the remaining bits. */
function foldOnce(): Code {
  return [
    ...[OP.get, SUM, OP.i64Const, ...signedLeb128(0xffff), OP.i64And],
    ...[OP.get, SUM, OP.i64Const, 16, OP.i64ShiftRightUnsigned],
    ...[OP.i64Add, OP.set, SUM],
  ];
}

function simd(instruction: number): Code {
  return [OP.simd, ...leb128(instruction)];
}

/** A section with one entry. */
function section(id: number, entry: Code): Code {
  return [id, ...sized([1, ...entry])];
}

function vector(entries: readonly Code[]): Code {
  return [...leb128(entries.length), ...entries.flat()];
}

function sized(code: Code): Code {
  return [...leb128(code.length), ...code];
}

function name(text: string): Code {
  return sized(ascii(text));
}

function ascii(text: string): Code {
  return [...text].map((character) => character.charCodeAt(0));
}

function leb128(value: number): Code {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...leb128(value >>> 7)];
}

/** Bit 6 of the last byte is the sign. */
function signedLeb128(value: number): Code {
  return value < 0x40 ? [value] : [(value & 0x7f) | 0x80, ...signedLeb128(value >>> 7)];
}
