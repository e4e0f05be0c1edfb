/**
 * Initial sequence numbers (RFC 6528): a clock plus a keyed hash of the connection's addresses and
 * ports. The hash is SipHash-2-4, written with 32-bit halves because it has to be synchronous.
 *
 * @module
 */
import type { IpAddress } from "../wire/address.ts";
import { readI32 } from "../wire/bytes.ts";
import { seqGt } from "../wire/seq.ts";

/** Length of a key in bytes. */
export const SIPHASH_KEY_LENGTH = 16;
/** Length of two addresses and two ports in bytes, which SipHash includes in its last block. */
const MESSAGE_LENGTH = 36;

/** More than the largest unscaled window above the sequence numbers of the previous connection. */
const REOPENED_STEP = 0x10000;

/** SipHash with one key for the lifetime of a stack. */
export class KeyedHash {
  readonly #key: Int32Array;
  /** v0 to v3 as low and high halves. */
  readonly #v = new Int32Array(8);

  constructor(key: Uint8Array) {
    this.#key = Int32Array.from([4, 0, 12, 8], (at) => readI32(key, at));
  }

  /**
   * Returns 32 bits of the hash of two 64-bit words for each address and one for the ports, preceded
   * by the word `low` and `high`, if given.
   */
  connection(
    local: IpAddress,
    localPort: number,
    remote: IpAddress,
    remotePort: number,
    low?: number,
    high?: number,
  ): number {
    this.#start();
    if (low !== undefined && high !== undefined) this.#absorb(low, high);
    this.#absorb(local.w1, local.w0);
    this.#absorb(local.w3, local.w2);
    this.#absorb(remote.w1, remote.w0);
    this.#absorb(remote.w3, remote.w2);
    return this.#finish((localPort << 16) | remotePort, MESSAGE_LENGTH << 24);
  }

  #start(): void {
    const [low0, high0, low1, high1] = this.#key as unknown as [number, number, number, number];
    const v = this.#v;
    v[0] = low0 ^ 0x70736575;
    v[1] = high0 ^ 0x736f6d65;
    v[2] = low1 ^ 0x6e646f6d;
    v[3] = high1 ^ 0x646f7261;
    v[4] = low0 ^ 0x6e657261;
    v[5] = high0 ^ 0x6c796765;
    v[6] = low1 ^ 0x79746573;
    v[7] = high1 ^ 0x74656462;
  }

  #absorb(low: number, high: number): void {
    const v = this.#v;
    v[6]! ^= low;
    v[7]! ^= high;
    this.#round();
    this.#round();
    v[0]! ^= low;
    v[1]! ^= high;
  }

  #finish(low: number, high: number): number {
    this.#absorb(low, high);
    this.#v[4]! ^= 0xff;
    for (let i = 0; i < 4; i++) this.#round();
    const v = this.#v;
    return v[0]! ^ v[2]! ^ v[4]! ^ v[6]!;
  }

  #round(): void {
    this.#add(0, 2);
    this.#rotate(2, 13);
    this.#xor(2, 0);
    this.#swap(0);
    this.#add(4, 6);
    this.#rotate(6, 16);
    this.#xor(6, 4);
    this.#add(0, 6);
    this.#rotate(6, 21);
    this.#xor(6, 0);
    this.#add(4, 2);
    this.#rotate(2, 17);
    this.#xor(2, 4);
    this.#swap(4);
  }

  #add(a: number, b: number): void {
    const v = this.#v;
    const low = (v[a]! >>> 0) + (v[b]! >>> 0);
    v[a + 1] = v[a + 1]! + v[b + 1]! + (low > 0xffffffff ? 1 : 0);
    v[a] = low;
  }

  #xor(a: number, b: number): void {
    const v = this.#v;
    v[a]! ^= v[b]!;
    v[a + 1]! ^= v[b + 1]!;
  }

  #rotate(a: number, bits: number): void {
    const v = this.#v;
    const low = v[a]!;
    const high = v[a + 1]!;
    v[a] = (low << bits) | (high >>> (32 - bits));
    v[a + 1] = (high << bits) | (low >>> (32 - bits));
  }

  /** Rotates by 32. */
  #swap(a: number): void {
    const v = this.#v;
    const low = v[a]!;
    v[a] = v[a + 1]!;
    v[a + 1] = low;
  }
}

/** RFC 9293 3.4.1: one tick every 4 microseconds, on top of the hash. */
export function initialSequence(
  hash: KeyedHash,
  local: IpAddress,
  localPort: number,
  remote: IpAddress,
  remotePort: number,
  now: number,
): number {
  const ticks = Math.floor(now * 250) % 0x100000000;
  return (ticks + hash.connection(local, localPort, remote, remotePort)) | 0;
}

/** RFC 9293 3.6.1: `iss`, or a number above `before`, the last one of the previous connection. */
export function sequenceAbove(before: number, iss: number): number {
  return seqGt(iss, before) ? iss : (before + REOPENED_STEP) | 0;
}
