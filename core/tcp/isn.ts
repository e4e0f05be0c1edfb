/**
 * Initial sequence numbers (RFC 6528): a clock plus a keyed hash of the connection's addresses and
 * ports.
 *
 * @module
 */
import type { IpAddress } from "../wire/address.ts";
import { seqGt } from "../wire/seq.ts";
import { SipHash, SIPHASH_KEY_LENGTH } from "../wire/siphash.ts";

/** Length of two addresses and two ports in bytes. */
const MESSAGE_LENGTH = 36;
/** Length of the optional prefix of two words. */
const PREFIX_LENGTH = 8;

/** Distance to the last sequence number of the previous connection: more than the largest unscaled window. */
const REOPENED_STEP = 0x10000;

/** SipHash with one key for the lifetime of a stack. */
export class KeyedHash {
  readonly #hash: SipHash;
  readonly #message = new Uint8Array(PREFIX_LENGTH + MESSAGE_LENGTH);

  constructor(key: Uint8Array) {
    const [first, second] = [key.slice(0, 8), key.slice(8, SIPHASH_KEY_LENGTH)];
    this.#hash = new SipHash(Uint8Array.of(...first.reverse(), ...second.reverse()));
  }

  /**
   * Returns 32 bits of the hash of a connection's addresses and ports. The prefix of the hashed message is `low` and
   * `high`, if they are given.
   */
  connection(
    local: IpAddress,
    localPort: number,
    remote: IpAddress,
    remotePort: number,
    low?: number,
    high?: number,
  ): number {
    const message = this.#message;
    const isPrefixed = low !== undefined && high !== undefined;
    if (isPrefixed) writePair(message, 0, low, high);
    writePair(message, 8, local.w1, local.w0);
    writePair(message, 16, local.w3, local.w2);
    writePair(message, 24, remote.w1, remote.w0);
    writePair(message, 32, remote.w3, remote.w2);
    writeLittle(message, 40, (localPort << 16) | remotePort);
    this.#hash.hash(message, isPrefixed ? 0 : PREFIX_LENGTH, message.length);
    return this.#hash.low;
  }
}

function writePair(bytes: Uint8Array, at: number, low: number, high: number): void {
  writeLittle(bytes, at, low);
  writeLittle(bytes, at + 4, high);
}

function writeLittle(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value;
  bytes[at + 1] = value >>> 8;
  bytes[at + 2] = value >>> 16;
  bytes[at + 3] = value >>> 24;
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
