/**
 * Memory for receive buffers whose checksums WebAssembly can compute in place.
 *
 * @module
 */
import { checksumModule, MAX_SUMMED } from "./checksum_module.ts";

/** The export of {@link checksumModule}; `start` and `end` are offsets in the whole buffer. */
type Sum = (start: number, end: number) => number;

/** The part of the global `WebAssembly` that is used. */
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

/** State of one memory. */
interface Memory {
  readonly sum: Sum;
  /** The last view that {@link briefView} created on each page. */
  readonly views: (Uint8Array | undefined)[];
}

const PAGE_SIZE = 65_536;
/** Weak, so that the entry lives exactly as long as the memory. */
const memories = new WeakMap<ArrayBufferLike, Memory>();
/**
 * Reading `buffer` of a small array is slow in the engines, so it is avoided until there is a
 * memory.
 */
let hasMemories = false;

/**
 * Allocates `size` zero bytes that `addBytes` sums several times faster than others. Pages take
 * physical memory on first use, and the buffer never moves. Without WebAssembly SIMD, or if a
 * content security policy forbids it, the result is an ordinary array.
 */
export function summedMemory(
  size: number,
  webAssembly: WebAssemblyLike | undefined = globalWebAssembly(),
): Uint8Array<ArrayBuffer> {
  try {
    if (webAssembly !== undefined) return make(size, webAssembly);
  } catch {
    // Whatever the reason, the fallback computes the same sums, only slower.
  }
  return new Uint8Array(size);
}

/**
 * The sum of the little-endian 16-bit words of `bytes[start, end)`. `undefined` if {@link summedMemory} did not
 * allocate the memory, or if there are more than {@link MAX_SUMMED} bytes.
 */
export function quickSum(bytes: Uint8Array, start: number, end: number): number | undefined {
  if (!hasMemories || end - start > MAX_SUMMED) return undefined;
  const memory = memories.get(bytes.buffer);
  return memory?.sum(bytes.byteOffset + start, bytes.byteOffset + end);
}

/**
 * `bytes.subarray(start, end)`, for immediate use. For memory that {@link summedMemory} allocated, the last view of
 * each 64 KiB page is cached, so that packets of equal size in the same buffer need no new object.
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
  // Growing could move the memory, so its size is fixed.
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
