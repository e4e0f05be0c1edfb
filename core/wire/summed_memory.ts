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

const PAGE_SIZE = 65_536;
/** Keeps no memory alive, and nothing but the memory keeps its function. */
const sums = new WeakMap<ArrayBufferLike, Sum>();
/** Asking an array for its buffer costs something where arrays are small: not before it is needed. */
let hasSums = false;

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
  if (!hasSums || end - start > MAX_SUMMED) return undefined;
  const sum = sums.get(bytes.buffer);
  return sum?.(bytes.byteOffset + start, bytes.byteOffset + end);
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
  sums.set(buffer, sum);
  hasSums = true;
  return new Uint8Array(buffer, 0, size);
}

function globalWebAssembly(): WebAssemblyLike | undefined {
  return (globalThis as { WebAssembly?: WebAssemblyLike }).WebAssembly;
}
