/**
 * Reassembly of fragments (RFC 791 3.2, RFC 8200 4.5, RFC 8900), in bounded memory.
 *
 * @module
 */
import { Sources } from "../../buffers/sources.ts";
import type { DropReason } from "../../wire/drop_reason.ts";
import { IpHeader, parseIp } from "../../wire/ip.ts";
import type { IcmpPolicy } from "../icmp/icmp_policy.ts";
import { type Packet, sourceOf } from "../replies.ts";
import type { Stats } from "../stats.ts";
import { fragmentError, isWholeHeaderThere } from "./fragment_errors.ts";
import { PartialDatagram } from "./partial_datagram.ts";

/** Maximum number of incomplete datagrams. The oldest of the source with the most is evicted. */
export const MAX_DATAGRAMS = 256;
/** Maximum memory of incomplete datagrams in bytes, overhead included; above it, the same rule evicts. */
export const MAX_BYTES: number = 4 * 1024 * 1024;
/** Reassembly timeout in milliseconds (RFC 1122 3.3.2, RFC 8200 4.5). */
export const TIMEOUT_MS = 60_000;

const MAX_DATAGRAM_LENGTH = 65_535;
/** A source with up to this many incomplete datagrams is not singled out for eviction. */
const MIN_PER_SOURCE = 4;

/** Result of adding a fragment; without any property, the datagram is still incomplete. */
export interface FragmentOutcome {
  /** Why it was dropped, if it was. */
  readonly drop?: DropReason;
  /** The packet that the fragment completed. */
  readonly whole?: Packet;
  /** The ICMP error to send. */
  readonly error?: Packet;
}

/** All incomplete datagrams of a stack. */
export class Reassembly {
  readonly #stats: Stats;
  readonly #policy: IcmpPolicy;
  readonly #hopLimit: number;
  /** The oldest first. */
  readonly #datagrams = new Map<string, PartialDatagram>();
  readonly #sources = new Sources<PartialDatagram>(MIN_PER_SOURCE);
  readonly #first = new IpHeader();
  #byteLength = 0;

  constructor(stats: Stats, policy: IcmpPolicy, hopLimit: number) {
    this.#stats = stats;
    this.#policy = policy;
    this.#hopLimit = hopLimit;
  }

  /** Bytes held. */
  get byteLength(): number {
    return this.#byteLength;
  }

  /** Number of incomplete datagrams, including discarded ones until their timeout. */
  get count(): number {
    return this.#datagrams.size;
  }

  /**
   * Adds a fragment, of which it keeps a copy. The caller has checked that the source is unicast.
   */
  add(ip: IpHeader, packet: Uint8Array, now: number): FragmentOutcome {
    const impossible = refusalOfSize(ip);
    if (impossible !== undefined) return this.#refuse(ip, packet, impossible, now);
    const datagram = this.#datagramOf(ip, now);
    if (datagram.discarded !== undefined) return { drop: datagram.discarded };
    if (ip.fragmentOffset === 0 && !isWholeHeaderThere(ip, packet)) {
      this.#discard(datagram, "ip-fragment-header");
      return this.#refuse(ip, packet, "ip-fragment-header", now);
    }
    const drop = this.#keep(datagram, ip, packet);
    if (drop !== undefined) return { drop };
    return datagram.isComplete ? this.#complete(datagram) : {};
  }

  #datagramOf(ip: IpHeader, now: number): PartialDatagram {
    const key = keyOf(ip);
    const known = this.#datagrams.get(key);
    if (known !== undefined) return known;
    if (this.#datagrams.size === MAX_DATAGRAMS) this.#evictOldest();
    const datagram = new PartialDatagram(key, sourceOf(ip), now + TIMEOUT_MS);
    this.#datagrams.set(key, datagram);
    this.#sources.add(datagram);
    this.#byteLength += datagram.byteLength;
    return datagram;
  }

  #keep(datagram: PartialDatagram, ip: IpHeader, packet: Uint8Array): DropReason | undefined {
    const before = datagram.byteLength;
    const drop = datagram.add(ip, packet);
    this.#byteLength += datagram.byteLength - before;
    while (this.#byteLength > MAX_BYTES) this.#evictOldest(datagram);
    // RFC 5722 4, RFC 1858 4: with overlapping fragments the datagram is ambiguous and is
    // discarded.
    if (drop !== undefined && drop !== "ip-fragment-duplicate") this.#discard(datagram, drop);
    return drop;
  }

  #complete(datagram: PartialDatagram): FragmentOutcome {
    const whole = datagram.join();
    this.#remove(datagram);
    if (typeof whole !== "string") {
      this.#stats.reassembled++;
      return { whole };
    }
    this.#stats.drop(whole, datagram.fragmentCount - 1);
    return { drop: whole };
  }

  #refuse(ip: IpHeader, packet: Uint8Array, drop: DropReason, now: number): FragmentOutcome {
    const error = this.#errorAbout(ip, packet, drop, now);
    return error === undefined ? { drop } : { drop, error };
  }

  #errorAbout(
    ip: IpHeader,
    packet: Uint8Array,
    reason: DropReason,
    now: number,
  ): Packet | undefined {
    const error = fragmentError(ip, packet, reason, this.#hopLimit);
    if (error === undefined || !this.#policy.maySendError(ip, now)) return undefined;
    this.#stats.errorsSent++;
    return error;
  }

  /** The entry stays until its timeout, so that fragments still on their way are dropped too. */
  #discard(datagram: PartialDatagram, reason: DropReason): void {
    this.#stats.drop(reason, datagram.fragmentCount);
    this.#byteLength -= datagram.byteLength;
    datagram.discard(reason);
    this.#byteLength += datagram.byteLength;
  }

  /**
   * Evicts the oldest datagram of the source with the most, or the oldest of all if no source has
   * many. `spared` is never evicted; alone, it does not exceed the limit.
   */
  #evictOldest(spared?: PartialDatagram): void {
    const candidates = this.#sources.largest()?.items ?? this.#datagrams.values();
    for (const datagram of candidates) {
      if (datagram === spared) continue;
      this.#stats.drop("ip-fragment-limit", datagram.fragmentCount);
      this.#remove(datagram);
      return;
    }
  }

  #remove(datagram: PartialDatagram): void {
    this.#datagrams.delete(datagram.key);
    this.#sources.delete(datagram);
    this.#byteLength -= datagram.byteLength;
  }

  /** When `expire` has to be called; `Infinity` if there is no datagram. */
  nextTimeout(): number {
    if (this.#datagrams.size === 0) return Infinity;
    const [oldest] = this.#datagrams.values();
    return oldest!.deadline;
  }

  /**
   * Drops datagrams whose timeout has expired; returns the ICMP errors to send (RFC 792, RFC 4443
   * 3.3).
   */
  expire(now: number): Packet[] {
    const errors: Packet[] = [];
    for (const datagram of this.#datagrams.values()) {
      if (datagram.deadline > now) break;
      this.#remove(datagram);
      this.#stats.drop("ip-fragment-timeout", datagram.fragmentCount);
      const error = this.#timeExceeded(datagram.firstFragment(), now);
      if (error !== undefined) errors.push(error);
    }
    return errors;
  }

  /** RFC 792: no time-exceeded error is sent if the first fragment has not arrived. */
  #timeExceeded(first: Packet | undefined, now: number): Packet | undefined {
    if (first === undefined || parseIp(first, first.length, this.#first) !== undefined) {
      return undefined;
    }
    return this.#errorAbout(this.#first, first, "ip-fragment-timeout", now);
  }
}

function refusalOfSize(ip: IpHeader): DropReason | undefined {
  const length = ip.payloadEnd - ip.payloadStart;
  if (length === 0 || (ip.moreFragments && length % 8 !== 0)) return "ip-fragment-length";
  const before = ip.version === 4 ? ip.payloadStart : ip.payloadStart - 48;
  return before + ip.fragmentOffset + length > MAX_DATAGRAM_LENGTH ? "ip-fragment-size" : undefined;
}

/** RFC 791 3.2; in IPv6 the protocol is not part of the key (RFC 8200 4.5). */
function keyOf(ip: IpHeader): string {
  const { s0, s1, s2, s3, d0, d1, d2, d3, fragmentId } = ip;
  return ip.version === 4
    ? `${s3} ${d3} ${fragmentId} ${ip.protocol}`
    : `${s0} ${s1} ${s2} ${s3} ${d0} ${d1} ${d2} ${d3} ${fragmentId}`;
}
