/**
 * Messages between the instances of a service, as payloads of UDP datagrams: a packet that is handed on, a list of
 * connections (`announcement.ts`), or only the state of the sender.
 *
 *     0  version   1  from      2  to        3  hops      4  second    5  third     6  segment size (16 bits)
 *     8  process (11 bits), sequence (53 bits)    16  state     17  shard    18  sent at (48 bits)
 *     24  MAC of the packet (64 bits)     32  MAC of the header (64 bits)     40  IP packet or list, if any
 *
 * Both MACs are SipHash-2-4. The MAC of the header covers the MAC of the packet, and is checked first: a forged or
 * repeated message costs a fraction of a microsecond, however long it is. `sequence` counts the messages of a shard of
 * the sender. It starts at the clock, so it is higher after a restart. `sent at` is the wall clock in milliseconds,
 * which bounds how long a message can be replayed to a receiver that has restarted.
 *
 * @module
 */
import { readU16, readU32, writeU16, writeU32 } from "../../wire/bytes.ts";
import type { DropReason } from "../../wire/drop_reason.ts";
import { SipHash } from "../../wire/siphash.ts";
import { DuplicateNumbers } from "./duplicate_numbers.ts";
import { MAX_INSTANCES } from "./instance_mark.ts";
import type { Membership } from "./membership.ts";
import { ReplayWindow } from "./replay_window.ts";
import { MAX_CARRIED } from "./super_packet.ts";

/** The first byte: the version of the format. */
const VERSION = 0xb1;
/** Length of a message without its packet, in bytes. */
export const MESSAGE_HEADER = 40;
/** Room for the largest message, in bytes; a longer one has no valid MAC. */
export const MAX_MESSAGE: number = MESSAGE_HEADER + MAX_CARRIED;
const PACKET_MAC_AT = 24;
const HEADER_MAC_AT = 32;
/** The instance number that stands for no instance in a message. */
const NONE = 255;
/** Bits of the state: the sender accepts new connections; it asks the others to repeat their announcements. */
const ACCEPTS = 1;
const ASKS = 2;

/** A packet crosses at most this many instances after the one that received it. */
export const MAX_HOPS = 3;
/** Maximum age of a message in milliseconds, and how far in the future it may have been sent; others are dropped. */
export const MAX_MESSAGE_AGE = 10_000;
/**
 * The first sequence number is the wall clock in milliseconds times this number. So the numbers of a sender that has
 * restarted are higher than before, unless it sent more messages than this in each millisecond.
 */
const PER_MS = 1024;

/**
 * After a pause of this many milliseconds the sequence continues at the clock: in the meantime another process of the
 * instance may have sent messages, such as the new process of an upgrade that has died.
 */
const PAUSE_MS = 100;
/** Bits of the sequence in the word that it shares with the number of the process. */
const HIGH_BITS = 21;
/** Minimum interval at which a message of an instance with the number of this one is verified, in milliseconds. */
const OWN_NUMBER_MS = 100;

/** What the sender decides about a message. */
export interface Envelope {
  readonly to: number;
  /** 1: the sender received the packet from the network. 0: the message has a list or nothing in place of a packet. */
  readonly hops: number;
  /** The instances that the packet is passed on to, one after the other, until one has the connection; at most two. */
  readonly next: readonly number[];
  /** Payload bytes per segment of a super-packet; otherwise 0. */
  readonly segmentSize: number;
}

/** A message for another instance. */
export interface PeerMessage {
  readonly to: number;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** A verified message; the object is reused. */
export interface ReceivedMessage extends Envelope {
  readonly from: number;
  /** Whether the sender accepts new connections. */
  readonly isServing: boolean;
  /** Whether the sender asks this instance to repeat its announcements. */
  readonly asks: boolean;
  /** Whether the sender counted as dead before. */
  readonly wasDead: boolean;
}

/** Options of {@link Messages}. */
export interface MessagesOptions {
  /** The number of this shard if the stack runs as several. */
  readonly shard?: number;
  /** A random number of this process, less than `PROCESSES`. */
  readonly process?: number;
  /** Called repeatedly while two processes send messages with the number of the same instance, which it gets. */
  readonly onDuplicate?: (instance: number) => void;
}

/** Builds the messages that one instance sends, and verifies those that it receives. */
export class Messages {
  readonly #self: number;
  readonly #shard: number;
  readonly #process: number;
  readonly #onDuplicate: (instance: number) => void;
  readonly #hash: SipHash;
  readonly #membership: Membership;
  readonly #duplicates = new DuplicateNumbers();
  #ownNumberAt = -Infinity;
  /** By the sender and its shard. */
  readonly #windows = new Map<number, ReplayWindow>();
  #sequence = 0;
  #sealedAt = -Infinity;
  readonly #received = {
    from: 0,
    to: 0,
    hops: 0,
    next: [] as number[],
    segmentSize: 0,
    isServing: false,
    asks: false,
    wasDead: false,
  };

  /** `key`: 16 bytes, the same for all instances. */
  constructor(
    self: number,
    key: Uint8Array,
    membership: Membership,
    { shard = 0, process = 0, onDuplicate = () => {} }: MessagesOptions = {},
  ) {
    this.#self = self;
    this.#shard = shard;
    this.#process = process;
    this.#onDuplicate = onDuplicate;
    this.#hash = new SipHash(key);
    this.#membership = membership;
  }

  /** A message with a copy of `packet[0, length)`; `wallNow` is in milliseconds. */
  seal(
    envelope: Envelope,
    packet: Uint8Array,
    length: number,
    wallNow: number,
    asks = false,
  ): PeerMessage {
    const bytes = new Uint8Array(MESSAGE_HEADER + length);
    const hasPaused = wallNow - this.#sealedAt >= PAUSE_MS;
    this.#sealedAt = wallNow;
    this.#sequence = Math.max(this.#sequence + 1, hasPaused ? Math.floor(wallNow) * PER_MS : 0);
    bytes[0] = VERSION;
    bytes[1] = this.#self;
    bytes[2] = envelope.to;
    bytes[3] = envelope.hops;
    bytes[4] = envelope.next[0] ?? NONE;
    bytes[5] = envelope.next[1] ?? NONE;
    writeU16(bytes, 6, envelope.segmentSize);
    writeU53(bytes, 8, this.#sequence);
    writeU32(bytes, 8, this.#process << HIGH_BITS | readU32(bytes, 8));
    writeU53(bytes, 16, Math.floor(wallNow));
    // The state and the shard replace the upper 16 bits of the time, which are 0 until the year 10889.
    bytes[16] = (this.#membership.isServing ? ACCEPTS : 0) | (asks ? ASKS : 0);
    bytes[17] = this.#shard;
    bytes.set(packet.subarray(0, length), MESSAGE_HEADER);
    this.#hash.hash(bytes, MESSAGE_HEADER, bytes.length);
    this.#writeMac(bytes, PACKET_MAC_AT);
    this.#hash.hash(bytes, 0, HEADER_MAC_AT);
    this.#writeMac(bytes, HEADER_MAC_AT);
    return { to: envelope.to, bytes };
  }

  /** Verifies `message[0, length)`, whose packet begins at {@link MESSAGE_HEADER}. */
  open(
    message: Uint8Array,
    length: number,
    now: number,
    wallNow: number,
  ): ReceivedMessage | DropReason {
    if (length < MESSAGE_HEADER) return "peer-short";
    if (message[0] !== VERSION) return "peer-version";
    const from = message[1]!;
    if (from === this.#self) this.#checkOwnNumber(message, now);
    if (message[2] !== this.#self || !this.#membership.isOther(from)) return "peer-address";
    const hops = message[3]!;
    if (hops > MAX_HOPS) return "peer-hops";
    const sentAt = readU16(message, 18) * 2 ** 32 + readU32(message, 20);
    if (!(Math.abs(sentAt - wallNow) <= MAX_MESSAGE_AGE)) return "peer-age";
    this.#hash.hash(message, 0, HEADER_MAC_AT);
    if (!this.#isMac(message, HEADER_MAC_AT)) return "peer-mac";
    // The header is authentic. Replays are dropped before the MAC of the packet, which may be long, is computed.
    const process = readU32(message, 8) >>> HIGH_BITS;
    // Each shard of a sender has a number of its own.
    if (message[17] === 0 && this.#duplicates.note(from, process, now)) this.#onDuplicate(from);
    const window = this.#windowOf(from, message[17]!);
    const sequence = readSequence(message);
    if (!window.isNew(sequence)) return "peer-replay";
    this.#hash.hash(message, MESSAGE_HEADER, length);
    if (!this.#isMac(message, PACKET_MAC_AT)) return "peer-mac";
    window.take(sequence);
    const received = this.#received;
    received.from = from;
    received.to = this.#self;
    received.hops = hops;
    received.next = [message[4]!, message[5]!].filter((instance) => instance < MAX_INSTANCES);
    received.segmentSize = readU16(message, 6);
    received.isServing = (message[16]! & ACCEPTS) !== 0;
    received.asks = (message[16]! & ASKS) !== 0;
    received.wasDead = this.#membership.heard(from, received.isServing, now);
    return received;
  }

  /** Another machine has the number of this one, and sends to the instance that it believes to be here. */
  #checkOwnNumber(message: Uint8Array, now: number): void {
    if (now - this.#ownNumberAt < OWN_NUMBER_MS) return;
    this.#ownNumberAt = now;
    this.#hash.hash(message, 0, HEADER_MAC_AT);
    const isForeign = readU32(message, 8) >>> HIGH_BITS !== this.#process;
    if (!isForeign || !this.#isMac(message, HEADER_MAC_AT)) return;
    if (this.#duplicates.isDue(this.#self, now)) this.#onDuplicate(this.#self);
  }

  #writeMac(bytes: Uint8Array, at: number): void {
    writeU32(bytes, at, this.#hash.high);
    writeU32(bytes, at + 4, this.#hash.low);
  }

  #isMac(bytes: Uint8Array, at: number): boolean {
    const high = this.#hash.high ^ readU32(bytes, at);
    const low = this.#hash.low ^ readU32(bytes, at + 4);
    return (high | low) === 0;
  }

  #windowOf(from: number, shard: number): ReplayWindow {
    const key = from * 256 + shard;
    let window = this.#windows.get(key);
    if (window === undefined) this.#windows.set(key, window = new ReplayWindow());
    return window;
  }
}

function writeU53(bytes: Uint8Array, at: number, value: number): void {
  writeU32(bytes, at, Math.floor(value / 2 ** 32));
  writeU32(bytes, at + 4, value % 2 ** 32 | 0);
}

/** Without the number of the process. */
function readSequence(bytes: Uint8Array): number {
  return (readU32(bytes, 8) & 2 ** HIGH_BITS - 1) * 2 ** 32 + readU32(bytes, 12);
}
