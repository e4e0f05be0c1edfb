/**
 * IPv4 and IPv6 addresses as one type, and subnets.
 *
 * @module
 */
import { readI32, writeU32 } from "./bytes.ts";

const MAPPED = 0xffff;

/**
 * An address as four 32-bit words. IPv4 addresses are kept in mapped form, `::ffff:a.b.c.d` (RFC
 * 4291 2.5.5.2), so that tables and comparisons are independent of the family.
 */
export class IpAddress {
  /** The IPv4 wildcard. */
  static readonly ANY_V4: IpAddress = new IpAddress(0, 0, MAPPED, 0);
  /** The IPv6 wildcard. */
  static readonly ANY_V6: IpAddress = new IpAddress(0, 0, 0, 0);

  readonly w0: number;
  readonly w1: number;
  readonly w2: number;
  readonly w3: number;

  constructor(w0: number, w1: number, w2: number, w3: number) {
    this.w0 = w0 | 0;
    this.w1 = w1 | 0;
    this.w2 = w2 | 0;
    this.w3 = w3 | 0;
  }

  /** The IPv4 address of a 32-bit word. */
  static v4(word: number): IpAddress {
    return new IpAddress(0, 0, MAPPED, word);
  }

  /** The 4 bytes at `at`. */
  static readV4(bytes: Uint8Array, at: number): IpAddress {
    return new IpAddress(0, 0, MAPPED, readI32(bytes, at));
  }

  /** The 16 bytes at `at`. */
  static readV6(bytes: Uint8Array, at: number): IpAddress {
    return new IpAddress(
      readI32(bytes, at),
      readI32(bytes, at + 4),
      readI32(bytes, at + 8),
      readI32(bytes, at + 12),
    );
  }

  /** Parses `"10.0.0.1"`, `"fd00::1"` or `"[fd00::1]"`; `undefined` if `text` is not an address. */
  static parse(text: string): IpAddress | undefined {
    if (text.startsWith("[") && text.endsWith("]")) return parseV6(text.slice(1, -1));
    return text.includes(":") ? parseV6(text) : parseV4(text);
  }

  get isV4(): boolean {
    return this.w0 === 0 && this.w1 === 0 && this.w2 === MAPPED;
  }

  /** 4 or 6. */
  get version(): 4 | 6 {
    return this.isV4 ? 4 : 6;
  }

  /** `0.0.0.0` or `::`. */
  get isUnspecified(): boolean {
    return this.w3 === 0 && this.w0 === 0 && this.w1 === 0 &&
      (this.w2 === MAPPED || this.w2 === 0);
  }

  get isMulticast(): boolean {
    return this.isV4 ? this.w3 >>> 28 === 0xe : this.w0 >>> 24 === 0xff;
  }

  /** Whether this can be the address of a host on a link, such as the peer of a connection. */
  get isUnicast(): boolean {
    return isHostWords(this.w0, this.w1, this.w2, this.w3);
  }

  /** `127.0.0.0/8` or `::1`. */
  get isLoopback(): boolean {
    return isLoopbackWords(this.w0, this.w1, this.w2, this.w3);
  }

  equals(other: IpAddress): boolean {
    return this.w3 === other.w3 && this.w2 === other.w2 && this.w1 === other.w1 &&
      this.w0 === other.w0;
  }

  /** The next higher address; the highest is followed by the lowest. */
  get next(): IpAddress {
    const w3 = (this.w3 + 1) | 0;
    const w2 = w3 === 0 && !this.isV4 ? (this.w2 + 1) | 0 : this.w2;
    const w1 = w2 === 0 && w2 !== this.w2 ? (this.w1 + 1) | 0 : this.w1;
    const w0 = w1 === 0 && w1 !== this.w1 ? (this.w0 + 1) | 0 : this.w0;
    return new IpAddress(w0, w1, w2, w3);
  }

  /** Writes 4 or 16 bytes; returns their number. */
  write(bytes: Uint8Array, at: number): number {
    if (this.isV4) {
      writeU32(bytes, at, this.w3);
      return 4;
    }
    writeU32(bytes, at, this.w0);
    writeU32(bytes, at + 4, this.w1);
    writeU32(bytes, at + 8, this.w2);
    writeU32(bytes, at + 12, this.w3);
    return 16;
  }

  /** Dotted quad, or the form of RFC 5952. */
  toString(): string {
    return this.isV4 ? formatV4(this.w3) : formatV6(this);
  }
}

/** Whether these words are a loopback address: `127.0.0.0/8` or `::1`. */
export function isLoopbackWords(w0: number, w1: number, w2: number, w3: number): boolean {
  if (w0 !== 0 || w1 !== 0) return false;
  return w2 === MAPPED ? w3 >>> 24 === 127 : w2 === 0 && w3 === 1;
}

/**
 * Whether these words can be the address of a host on a link. Excluded are multicast, `0.0.0.0/8`,
 * loopback, class E with the limited broadcast address (RFC 1122 3.2.1.3), `::` and `::1` (RFC 4291
 * 2.5.2, 2.5.3).
 */
export function isHostWords(w0: number, w1: number, w2: number, w3: number): boolean {
  if (w0 !== 0 || w1 !== 0) return w0 >>> 24 !== 0xff;
  if (w2 === MAPPED) {
    const first = w3 >>> 24;
    return first !== 0 && first !== 127 && first < 224;
  }
  return w2 !== 0 || w3 >>> 0 > 1;
}

function formatV4(word: number): string {
  return `${word >>> 24}.${(word >>> 16) & 255}.${(word >>> 8) & 255}.${word & 255}`;
}

/** RFC 5952 4: the longest run of two or more zero groups, the first among equals, becomes `::`. */
function formatV6(address: IpAddress): string {
  const groups = [address.w0, address.w1, address.w2, address.w3]
    .flatMap((word) => [word >>> 16, word & 0xffff]);
  let best = 0;
  let bestLength = 1;
  for (let start = 0; start < 8; start++) {
    let length = 0;
    while (start + length < 8 && groups[start + length] === 0) length++;
    if (length > bestLength) [best, bestLength] = [start, length];
  }
  const text = (from: number, to: number) =>
    groups.slice(from, to).map((group) => group.toString(16)).join(":");
  if (bestLength < 2) return text(0, 8);
  return `${text(0, best)}::${text(best + bestLength, 8)}`;
}

function parseV4(text: string): IpAddress | undefined {
  const word = parseQuad(text);
  return word === undefined ? undefined : IpAddress.v4(word);
}

function parseQuad(text: string): number | undefined {
  const parts = text.split(".");
  if (parts.length !== 4) return undefined;
  let word = 0;
  for (const part of parts) {
    // Leading zeros are refused because some parsers read them as octal.
    if (!/^(0|[1-9]\d{0,2})$/.test(part) || Number(part) > 255) return undefined;
    word = (word << 8) | Number(part);
  }
  return word;
}

function parseV6(text: string): IpAddress | undefined {
  const halves = text.split("::");
  if (halves.length > 2) return undefined;
  const left = parseGroups(halves[0]!, halves.length === 1);
  const right = halves.length === 2 ? parseGroups(halves[1]!, true) : [];
  if (left === undefined || right === undefined) return undefined;
  const missing = 8 - left.length - right.length;
  if (halves.length === 2 ? missing < 1 : missing !== 0) return undefined;
  const all = [...left, ...new Array<number>(missing).fill(0), ...right];
  const word = (i: number) => (all[i]! << 16) | all[i + 1]!;
  return new IpAddress(word(0), word(2), word(4), word(6));
}

function parseGroups(text: string, isEnd: boolean): number[] | undefined {
  if (text === "") return [];
  const groups: number[] = [];
  const parts = text.split(":");
  for (const [i, part] of parts.entries()) {
    if (isEnd && i === parts.length - 1 && part.includes(".")) {
      const quad = parseQuad(part);
      if (quad === undefined) return undefined;
      groups.push(quad >>> 16, quad & 0xffff);
    } else if (/^[0-9a-f]{1,4}$/i.test(part)) {
      groups.push(parseInt(part, 16));
    } else {
      return undefined;
    }
  }
  return groups;
}

/** An address with a prefix length. */
export class Subnet {
  /** The address as given, host bits included. */
  readonly address: IpAddress;
  /** 0 to 32 or 0 to 128. */
  readonly prefixLength: number;
  /** Prefix length in the mapped form: 96 more for IPv4, whose addresses are `::ffff:0:0/96`. */
  readonly bits: number;
  /** The address with its host bits zero. */
  readonly network: IpAddress;
  readonly #mask: IpAddress;
  /**
   * Whether this is an IPv6 prefix that covers `::ffff:0:0/96`. It contains no IPv4 address, although their mapped
   * form matches it.
   */
  readonly #coversMapped: boolean;

  constructor(address: IpAddress, prefixLength: number) {
    this.address = address;
    this.prefixLength = prefixLength;
    this.bits = address.isV4 ? prefixLength + 96 : prefixLength;
    const { bits } = this;
    this.#mask = new IpAddress(mask(bits), mask(bits - 32), mask(bits - 64), mask(bits - 96));
    const { w0, w1, w2, w3 } = this.#mask;
    this.network = new IpAddress(
      address.w0 & w0,
      address.w1 & w1,
      address.w2 & w2,
      address.w3 & w3,
    );
    this.#coversMapped = !address.isV4 && this.network.w0 === 0 && this.network.w1 === 0 &&
      (MAPPED & w2) === this.network.w2 && bits <= 96;
  }

  /** Parses `"10.0.0.2/24"`, or a single address; `undefined` if `text` is neither. */
  static parse(text: string): Subnet | undefined {
    const [host = "", length, ...rest] = text.split("/");
    const address = IpAddress.parse(host);
    if (address === undefined || rest.length > 0) return undefined;
    if (length === undefined) return Subnet.of(address);
    const most = address.isV4 ? 32 : 128;
    if (!/^\d{1,3}$/.test(length) || Number(length) > most) return undefined;
    return new Subnet(address, Number(length));
  }

  /** The subnet of one address. */
  static of(address: IpAddress): Subnet {
    return new Subnet(address, address.isV4 ? 32 : 128);
  }

  /**
   * Whether the address is a network address: it has at least two host bits, and all of them are 0.
   */
  get isNetwork(): boolean {
    return this.bits < 127 && this.address.equals(this.network);
  }

  /** The last address: all host bits 1. */
  get last(): IpAddress {
    const { network, address } = this;
    const { w0, w1, w2, w3 } = this.#mask;
    return address.isV4
      ? IpAddress.v4(network.w3 | ~w3)
      : new IpAddress(network.w0 | ~w0, network.w1 | ~w1, network.w2 | ~w2, network.w3 | ~w3);
  }

  contains(other: IpAddress): boolean {
    return this.containsWords(other.w0, other.w1, other.w2, other.w3);
  }

  /** {@link contains} for the four words of an address. */
  containsWords(w0: number, w1: number, w2: number, w3: number): boolean {
    const mask = this.#mask;
    const network = this.network;
    if ((w3 & mask.w3) !== network.w3 || (w2 & mask.w2) !== network.w2) return false;
    if ((w1 & mask.w1) !== network.w1 || (w0 & mask.w0) !== network.w0) return false;
    return !this.#coversMapped || w0 !== 0 || w1 !== 0 || w2 !== MAPPED;
  }

  /** Whether the two subnets have an address in common. */
  overlaps(other: Subnet): boolean {
    return this.contains(other.network) || other.contains(this.network);
  }

  /** Whether both are the same network with the same prefix length. */
  equals(other: Subnet): boolean {
    return this.bits === other.bits && this.network.equals(other.network);
  }

  /** Whether `other` is the IPv4 directed broadcast address (RFC 919) of this network. */
  isBroadcast(other: IpAddress): boolean {
    if (!other.isV4 || this.prefixLength > 30 || !this.contains(other)) return false;
    const hostBits = 0xffffffff >>> this.prefixLength;
    return (other.w3 & hostBits) === (hostBits | 0);
  }

  toString(): string {
    return `${this.address}/${this.prefixLength}`;
  }
}

/** A word whose `bits` uppermost bits are 1. */
function mask(bits: number): number {
  if (bits <= 0) return 0;
  return bits >= 32 ? -1 : -1 << (32 - bits);
}
