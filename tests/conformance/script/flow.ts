/**
 * One connection between the script and the stack, with its relative numbers.
 *
 * @module
 */
import type { SentSegment } from "../../support/dsl/decode.ts";
import { encodeIcmp, encodeTcp, type TcpOptions } from "../../support/dsl/encode.ts";
import { flagLetters, formatSegment, type NotedSegment } from "../../support/dsl/notation.ts";
import { ByteStream } from "../../support/dsl/stream.ts";
import type { ScriptIcmp, ScriptSegment } from "./parse.ts";

/** The two ends of a flow. */
export interface FlowEnds {
  readonly local: string;
  readonly localPort: number;
  readonly remote: string;
  readonly remotePort: number;
  /** The peer's initial sequence number. */
  readonly irs: number;
}

const REACH = 0x80000000;
const FLAG_FIN = 1;
const FLAG_SYN = 2;
const FLAG_PSH = 8;
const FLAG_ACK = 16;
/** The peer's window if a line does not give one. */
const DEFAULT_WINDOW = 65535;

/** Translates between script lines and packets, and holds the data of both directions. */
export class Flow {
  readonly ends: FlowEnds;
  /** Data sent by the peer. */
  readonly fromPeer: ByteStream = new ByteStream();
  /** Data written by the application. */
  readonly fromStack: ByteStream = new ByteStream();
  /** Offset of the next byte that the application reads. */
  readAt = 1;
  #iss = 0;
  /** The stack's first TSval; those in a script are relative to it. */
  #tsBase: number | undefined;

  constructor(ends: FlowEnds) {
    this.ends = ends;
    this.fromPeer.length = this.fromStack.length = 1;
  }

  /** Whether a packet sent by the stack belongs to this flow. */
  owns(packet: SentSegment): boolean {
    const { local, localPort, remote, remotePort } = this.ends;
    return packet.source === local && packet.sourcePort === localPort &&
      packet.destination === remote && packet.destinationPort === remotePort;
  }

  /** Builds a packet from the peer. */
  packet(segment: ScriptSegment): Uint8Array {
    const { local, localPort, remote, remotePort, irs } = this.ends;
    const { flags, seq, length, ack, window, urgentPointer, options, ecn } = segment;
    const bytes = encodeTcp({
      source: remote,
      destination: local,
      sourcePort: remotePort,
      destinationPort: localPort,
      seq: (irs + seq) >>> 0,
      ack: ack === undefined ? 0 : (this.#iss + ack) >>> 0,
      flags,
      window: window ?? DEFAULT_WINDOW,
      urgentPointer,
      options: this.#absolute(options ?? {}, (flags & FLAG_SYN) !== 0),
      text: length > 0 ? this.fromPeer.put(textStart(segment), length) : new Uint8Array(0),
    });
    return ecn === undefined ? bytes : withEcn(bytes, ecn);
  }

  /** Builds an ICMP error about a segment of the stack. */
  icmpPacket({ type, code, mtu, seq }: ScriptIcmp): Uint8Array {
    const { local, localPort, remote, remotePort } = this.ends;
    const quoted = encodeTcp({
      source: local,
      destination: remote,
      sourcePort: localPort,
      destinationPort: remotePort,
      seq: (this.#iss + seq) >>> 0,
      ack: 0,
      flags: FLAG_ACK,
      window: 0,
    });
    return encodeIcmp(remote, local, { type, code, rest: mtu, body: quoted });
  }

  /** Learns the base of relative numbers from a segment of the stack. */
  learn(packet: SentSegment): void {
    if ((packet.flags & FLAG_SYN) !== 0) this.#iss = packet.seq;
    this.#tsBase ??= packet.options.timestamps?.[0];
  }

  /** Converts a segment of the stack to relative numbers. */
  noted(packet: SentSegment): NotedSegment {
    const { irs } = this.ends;
    const { sack, timestamps } = packet.options;
    const blocks = sack?.map(([start, end]) => [relative(start, irs), relative(end, irs)] as const);
    return {
      flags: flagLetters(packet.flags),
      seq: relative(packet.seq, this.#iss),
      length: packet.text.length,
      ack: (packet.flags & FLAG_ACK) !== 0 ? relative(packet.ack, irs) : undefined,
      window: packet.window,
      options: {
        ...packet.options,
        ...(blocks === undefined ? {} : { sack: blocks }),
        ...(timestamps === undefined
          ? {}
          : { timestamps: [relative(timestamps[0], this.#tsBase ?? 0), timestamps[1]] }),
      },
    };
  }

  #absolute(options: TcpOptions, isSyn: boolean): TcpOptions {
    const { sack, timestamps } = options;
    const blocks = sack?.map(([start, end]) =>
      [(this.#iss + start) >>> 0, (this.#iss + end) >>> 0] as const
    );
    // The first SYN of a connection has no timestamp to echo.
    const base = isSyn && this.#tsBase === undefined ? 0 : this.#tsBase ?? 0;
    return {
      ...options,
      ...(blocks === undefined ? {} : { sack: blocks }),
      ...(timestamps === undefined
        ? {}
        : { timestamps: [timestamps[0] >>> 0, (base + timestamps[1]) >>> 0] }),
    };
  }
}

/** The expected segment of a line; fields that the line leaves open are taken from `got`. */
export function wanted(
  segment: ScriptSegment,
  got: NotedSegment,
  { ignoresPush, isStrict }: { ignoresPush: boolean; isStrict: boolean },
): NotedSegment {
  const { seq, length, ack, window, options, anyTsVal, cut } = segment;
  // If a line stands for several segments, the last has PSH.
  const anyPush = ignoresPush || !isStrict || cut !== undefined;
  const push = got.flags.includes("P") ? FLAG_PSH : 0;
  const flags = anyPush ? (segment.flags & ~FLAG_PSH) | push : segment.flags;
  const timestamps = options?.timestamps;
  const tsVal = anyTsVal || !isStrict ? got.options?.timestamps?.[0] ?? 0 : timestamps?.[0] ?? 0;
  return {
    flags: flagLetters(flags),
    seq,
    length,
    ack,
    window: isStrict ? window ?? got.window : got.window,
    options: options === undefined
      ? got.options
      : timestamps === undefined
      ? options
      : { ...options, timestamps: [tsVal, timestamps[1]] },
  };
}

/** Formats a segment as a line of a script. */
export function describe(noted: NotedSegment, ecn?: number): string {
  const shown = formatSegment(noted);
  return ecn === undefined ? shown : `${shown} [${["noecn", "ect1", "ect0", "ce"][ecn]}]`;
}

/** SYN takes a sequence number, so text starts after it. */
function textStart({ seq, flags }: ScriptSegment): number {
  return (flags & FLAG_SYN) !== 0 ? seq + 1 : seq;
}

/** Number of sequence numbers that a segment takes. */
export function sequenceLength({ length, flags }: ScriptSegment): number {
  return length + (flags & FLAG_FIN) + ((flags & FLAG_SYN) >> 1);
}

function relative(number: number, base: number): number {
  const difference = (number - base) >>> 0;
  return difference >= REACH ? difference - 2 * REACH : difference;
}

/** Sets the ECN bits of the IP header (RFC 3168 5). */
function withEcn(packet: Uint8Array, ecn: number): Uint8Array {
  const isV4 = packet[0]! >> 4 === 4;
  if (!isV4) {
    packet[1]! |= ecn << 4;
    return packet;
  }
  packet[1]! |= ecn;
  // The changed word affects the header checksum.
  const view = new DataView(packet.buffer, packet.byteOffset);
  const sum = view.getUint16(10) - ecn;
  view.setUint16(10, sum > 0 ? sum : sum + 0xffff);
  return packet;
}
