/**
 * Memory whose bytes WebAssembly can sum, for buffers that packets are received into.
 *
 * @module
 */
import { checksumModule, MAX_SUMMED } from "./checksum_module.ts";

/** That of {@link checksumModule}; `start` and `end` count from the buffer's first byte. */
type Sum = (start: number, end: number) => number;

/** What is used of the global object of this name. */
export interface WebAssemblyLike {
  readonly Memory: new (size: { initial: number; maximum: number }) => {
    readonly buffer: ArrayBuffer;
  };
  readonly Module: new (code: Uint8Array<ArrayBuffer>) => object;
  readonly Instance: new (
    module: object,
    imports: { wire: { memory: object } },
  ) => { readonly exports: unknown };
}

/** What is known of a memory. */
interface Memory {
  readonly sum: Sum;
  /** The last view that began on each page. */
  readonly views: (Uint8Array | undefined)[];
}

const PAGE_SIZE = 65_536;
/** Keeps no memory alive, and nothing but the memory keeps what belongs to it. */
const memories = new WeakMap<ArrayBufferLike, Memory>();
/** Asking an array for its buffer costs something where arrays are small: not before it is needed. */
let hasMemories = false;

/**
 * `size` bytes of zeros that `addBytes` sums several times faster than others; a page of them
 * takes memory when it is first used. Where there is no WebAssembly or none with SIMD, or a page's
 * policy forbids it, they are ordinary bytes. They never move.
 */
export function summedMemory(
  size: number,
  webAssembly: WebAssemblyLike | undefined = globalWebAssembly(),
): Uint8Array<ArrayBuffer> {
  try {
    if (webAssembly !== undefined) return make(size, webAssembly);
  } catch {
    // Which of the reasons it is makes no difference: sums cost more, and are the same.
  }
  return new Uint8Array(size);
}

/**
 * The sum of the little-endian 16-bit words of `bytes[start, end)`, or undefined where they do not
 * lie in memory of {@link summedMemory}, or are more than {@link MAX_SUMMED}.
 */
export function quickSum(bytes: Uint8Array, start: number, end: number): number | undefined {
  if (!hasMemories || end - start > MAX_SUMMED) return undefined;
  const memory = memories.get(bytes.buffer);
  return memory?.sum(bytes.byteOffset + start, bytes.byteOffset + end);
}

/**
 * `bytes.subarray(start, end)`, to be used at once. In memory of {@link summedMemory} the last one of
 * each 64 KiB is kept: packets of one size that come to one place need no new one.
 */
export function briefView(bytes: Uint8Array, start: number, end: number): Uint8Array {
  const memory = hasMemories ? memories.get(bytes.buffer) : undefined;
  if (memory === undefined) return bytes.subarray(start, end);
  const first = bytes.byteOffset + start;
  const page = Math.floor(first / PAGE_SIZE);
  const last = memory.views[page];
  if (last?.byteOffset === first && last.length === end - start) return last;
  return memory.views[page] = bytes.subarray(start, end);
}

function make(
  size: number,
  { Memory, Module, Instance }: WebAssemblyLike,
): Uint8Array<ArrayBuffer> {
  const pages = Math.max(1, Math.ceil(size / PAGE_SIZE));
  // A memory that can grow could be moved by that.
  const memory = new Memory({ initial: pages, maximum: pages });
  const instance = new Instance(new Module(checksumModule()), { wire: { memory } });
  const { sum } = instance.exports as { sum: Sum };
  const { buffer } = memory;
  memories.set(buffer, { sum, views: new Array(pages).fill(undefined) });
  hasMemories = true;
  return new Uint8Array(buffer, 0, size);
}

function globalWebAssembly(): WebAssemblyLike | undefined {
  return (globalThis as { WebAssembly?: WebAssemblyLike }).WebAssembly;
}
