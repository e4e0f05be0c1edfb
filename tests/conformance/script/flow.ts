/**
 * One connection between the script and the stack: what relative numbers stand for.
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
/** The peer's window where a line does not name one. */
const DEFAULT_WINDOW = 65535;

/** Translates between a script's lines and packets, and knows the bytes of both directions. */
export class Flow {
  readonly ends: FlowEnds;
  /** What the peer has sent. */
  readonly fromPeer: ByteStream = new ByteStream();
  /** What the application has written. */
  readonly fromStack: ByteStream = new ByteStream();
  /** Offset of the next byte that the application reads. */
  readAt = 1;
  #iss = 0;
  /** The stack's first TSval: what a script names is relative to it. */
  #tsBase: number | undefined;

  constructor(ends: FlowEnds) {
    this.ends = ends;
    this.fromPeer.length = this.fromStack.length = 1;
  }

  /** Whether a packet that the stack has sent is of this flow. */
  owns(packet: SentSegment): boolean {
    const { local, localPort, remote, remotePort } = this.ends;
    return packet.source === local && packet.sourcePort === localPort &&
      packet.destination === remote && packet.destinationPort === remotePort;
  }

  /** A packet of the peer's. */
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

  /** A router's message about a segment of the stack. */
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

  /** Learns from a segment of the stack what numbers are relative to. */
  learn(packet: SentSegment): void {
    if ((packet.flags & FLAG_SYN) !== 0) this.#iss = packet.seq;
    this.#tsBase ??= packet.options.timestamps?.[0];
  }

  /** The stack's segment with relative numbers. */
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
    // The first SYN of a connection has nothing to echo.
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

/** What a line says about an outbound segment, with what it leaves open taken from `got`. */
export function wanted(
  segment: ScriptSegment,
  got: NotedSegment,
  { ignoresPush, isStrict }: { ignoresPush: boolean; isStrict: boolean },
): NotedSegment {
  const { seq, length, ack, window, options, anyTsVal, cut } = segment;
  // Of several segments in one line the last has PSH.
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

/** One line for a segment as a script would say it. */
export function describe(noted: NotedSegment, ecn?: number): string {
  const shown = formatSegment(noted);
  return ecn === undefined ? shown : `${shown} [${["noecn", "ect1", "ect0", "ce"][ecn]}]`;
}

/** A FIN or SYN counts as a number of its own: text begins behind a SYN. */
function textStart({ seq, flags }: ScriptSegment): number {
  return (flags & FLAG_SYN) !== 0 ? seq + 1 : seq;
}

/** Numbers that a segment takes up. */
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
  // The word that changed is part of the header's checksum.
  const view = new DataView(packet.buffer, packet.byteOffset);
  const sum = view.getUint16(10) - ecn;
  view.setUint16(10, sum > 0 ? sum : sum + 0xffff);
  return packet;
}
