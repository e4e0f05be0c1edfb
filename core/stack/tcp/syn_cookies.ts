/**
 * SYN cookies (RFC 4987 3.6): when a listener's backlog is full, the state of the half-open
 * connection is encoded in the SYN,ACK, and no memory is used.
 *
 * The sequence number holds a time slot (5 bits), an index of the MSS (3 bits) and a keyed hash (24
 * bits). With timestamps, the low bits of TSval hold window scale, SACK and ECN.
 *
 * @module
 */
import { OutgoingPacket } from "../../buffers/outgoing_packet.ts";
import { openPassive } from "../../tcp/arrive/listen.ts";
import type { KeyedHash } from "../../tcp/isn.ts";
import { offerInitialWindow } from "../../tcp/receive_window.ts";
import { buildSyn } from "../../tcp/segment_out.ts";
import type { Tcb } from "../../tcp/tcb.ts";
import { ECN, SACK_PERMITTED, TIMESTAMPS, WINDOW_SCALING } from "../../tcp/tcb_flags.ts";
import { writeU16 } from "../../wire/bytes.ts";
import { addBytes, finish } from "../../wire/checksum.ts";
import { FLAG, Segment } from "../../wire/tcp.ts";
import type { Peers } from "../peers/peers.ts";

/** A cookie is valid in its own time slot and the next. */
const SLOT_MS = 64_000;
/**
 * The MSS is rounded down to one of these; the lowest is the smallest that TCP accepts
 * (`MIN_MSS`).
 */
const MSS_V4: readonly number[] = [64, 536, 768, 996, 1220, 1380, 1440, 1460];
const MSS_V6: readonly number[] = [64, 536, 1220, 1280, 1360, 1400, 1420, 1440];
/** Low bits of TSval: four for the window scale (15: none), one for SACK, one for ECN. */
const OPTION_MASK = 63;
const NO_SCALING = 15;
const SACK_BIT = 16;
const ECN_BIT = 32;

/** The 4-tuple of a connection. */
type Ends = Pick<Tcb, "local" | "localPort" | "remote" | "remotePort">;

/** Creates and verifies cookies with the stack's key. */
export class SynCookies {
  readonly #hash: KeyedHash;
  readonly #syn = new Segment();
  readonly #out = new OutgoingPacket();
  readonly #peers: Peers | undefined;
  #usedAt = -Infinity;

  /**
   * `isShared`: another stack with the same key may have sent cookies. With `peers`, all instances share the slots as
   * they share the key.
   */
  constructor(hash: KeyedHash, isShared = false, peers?: Peers) {
    this.#hash = hash;
    this.#peers = peers;
    if (isShared) this.#usedAt = Infinity;
  }

  /** Whether any cookie may still be valid; otherwise no ACK needs to be checked. */
  isInUse(now: number): boolean {
    return now - this.#usedAt <= 2 * SLOT_MS;
  }

  /**
   * The SYN,ACK with a cookie for `segment`. `tcb` is a scratch record that the caller discards.
   */
  answer(tcb: Tcb, segment: Segment, now: number): Uint8Array<ArrayBuffer> {
    this.#usedAt = Math.max(this.#usedAt, now);
    openPassive(tcb, segment, 0, now);
    if (!tcb.has(TIMESTAMPS)) disableOptions(tcb);
    tcb.iss = this.#sequence(tcb, now);
    const clock = Math.floor(now);
    tcb.tsOffset = (tcb.tsOffset + timestampWith(optionBits(tcb), clock) - clock) | 0;
    buildSyn(tcb, now, this.#out);
    const packet = new Uint8Array(this.#out.byteLength);
    this.#out.copyTo(packet, 0);
    if (this.#out.checksumPartial) completeChecksum(packet, this.#out.ipHeaderLength);
    return packet;
  }

  /**
   * Restores in the new record `tcb` the state after the SYN. Returns false if `segment` does not
   * acknowledge a valid cookie.
   */
  restore(tcb: Tcb, segment: Segment, now: number): boolean {
    const hasOptions = tcb.config.timestamps && segment.hasTimestamps;
    const bits = hasOptions ? (segment.tsEcr - tcb.tsOffset) & OPTION_MASK : NO_SCALING;
    const irs = (segment.seq - 1) | 0;
    const iss = (segment.ack - 1) | 0;
    const mss = this.#check(tcb, irs, iss, now);
    if (mss === undefined) return false;
    const syn = this.#syn;
    syn.seq = irs;
    syn.window = segment.window;
    syn.mss = mss;
    syn.windowScale = (bits & 15) === NO_SCALING ? -1 : bits & 15;
    syn.sackPermitted = (bits & SACK_BIT) !== 0;
    syn.hasTimestamps = hasOptions;
    syn.tsVal = segment.tsVal;
    syn.flags = FLAG.SYN | ((bits & ECN_BIT) !== 0 ? FLAG.ECE | FLAG.CWR : 0);
    openPassive(tcb, syn, iss, now);
    // The window offered by the SYN,ACK: the ACK may carry text.
    offerInitialWindow(tcb);
    tcb.sndNxt = (iss + 1) | 0;
    // The time of the SYN,ACK is unknown, so there must be no RTT sample (RFC 6298 3).
    tcb.sent(iss, tcb.sndNxt, now).transmissions = 2;
    return true;
  }

  #slotAt(now: number): number {
    return Math.floor((this.#peers?.wallNow(now) ?? now) / SLOT_MS);
  }

  #sequence(tcb: Tcb, now: number): number {
    const slot = this.#slotAt(now);
    const table = tcb.local.isV4 ? MSS_V4 : MSS_V6;
    let index = table.length - 1;
    while (index > 0 && table[index]! > tcb.peerMss) index--;
    return ((slot & 31) << 27) | (index << 24) | this.#tag(tcb, tcb.irs, slot, index);
  }

  /** The MSS encoded in `cookie`, or `undefined` if the cookie is invalid. */
  #check(ends: Ends, irs: number, cookie: number, now: number): number | undefined {
    const current = this.#slotAt(now);
    const age = (current - (cookie >>> 27)) & 31;
    const index = (cookie >>> 24) & 7;
    if (age > 1) return undefined;
    if ((cookie & 0xffffff) !== this.#tag(ends, irs, current - age, index)) return undefined;
    return (ends.local.isV4 ? MSS_V4 : MSS_V6)[index];
  }

  #tag(
    { local, localPort, remote, remotePort }: Ends,
    irs: number,
    slot: number,
    index: number,
  ): number {
    const word = (slot << 3) | index;
    return this.#hash.connection(local, localPort, remote, remotePort, irs, word) & 0xffffff;
  }
}

/** Completes the checksum, since packets that belong to no connection do not use offload. */
function completeChecksum(packet: Uint8Array, start: number): void {
  // The field holds the pseudo-header sum.
  writeU16(packet, start + 16, finish(addBytes(0, packet, start, packet.length)));
}

/** Without timestamps the ACK does not echo the options, so none must be offered. */
function disableOptions(tcb: Tcb): void {
  tcb.clear(WINDOW_SCALING);
  tcb.clear(SACK_PERMITTED);
  tcb.clear(ECN);
}

function optionBits(tcb: Tcb): number {
  const scale = tcb.has(WINDOW_SCALING) ? tcb.sndWndShift : NO_SCALING;
  return scale | (tcb.has(SACK_PERMITTED) ? SACK_BIT : 0) | (tcb.has(ECN) ? ECN_BIT : 0);
}

/** The latest timestamp not after `clock` whose low bits are `bits`. */
function timestampWith(bits: number, clock: number): number {
  return clock - ((clock - bits) & OPTION_MASK);
}
