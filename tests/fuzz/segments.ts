import type { Tcb } from "../../core/tcp/tcb.ts";
import { FIN_RECEIVED, TIMESTAMPS } from "../../core/tcp/tcb_flags.ts";
import { timestamp } from "../../core/tcp/timestamps.ts";
import { FLAG } from "../../core/wire/tcp.ts";
import type { Dice } from "./dice.ts";
import type { SegmentFields } from "./packet_writer.ts";

/** Typical segments of a peer. */
const USUAL = [
  FLAG.ACK,
  FLAG.ACK,
  FLAG.ACK | FLAG.PSH,
  FLAG.ACK | FLAG.PSH,
  FLAG.ACK | FLAG.FIN,
  FLAG.ACK | FLAG.ECE,
  FLAG.ACK | FLAG.CWR,
  FLAG.ACK | FLAG.URG,
];
const SETUP = [
  FLAG.SYN,
  FLAG.SYN | FLAG.ACK,
  FLAG.SYN | FLAG.ECE | FLAG.CWR,
  FLAG.SYN | FLAG.ACK | FLAG.ECE,
];
const WINDOWS = [0, 1, 100, 1460, 5000, 65_535, 65_535, 65_535, 65_535];
const TEXTS = [0, 0, 0, 1, 2, 100, 536, 1000, 1400, 1448];

/** A SYN. */
export function drawSyn(dice: Dice, sourcePort: number, destinationPort: number): SegmentFields {
  const hasEcn = dice.chance(0.2);
  return {
    sourcePort,
    destinationPort,
    seq: dice.chance(0.3) ? dice.below(2000) - 1000 : dice.random.uint32() | 0,
    ack: 0,
    flags: FLAG.SYN | (hasEcn ? FLAG.ECE | FLAG.CWR : 0),
    window: dice.of(WINDOWS),
    urgentPointer: 0,
    ecn: 0,
    options: synOptions(dice, 0),
    textLength: dice.chance(0.05) ? 10 : 0,
  };
}

/** The next segment of a well-behaved peer. */
export function drawGood(dice: Dice, tcb: Tcb, now: number): SegmentFields {
  const inSynSent = tcb.state === "SYN-SENT";
  const ends = dice.chance(0.03) ? FLAG.FIN : 0;
  const flags = inSynSent
    ? FLAG.SYN | (dice.chance(0.9) ? FLAG.ACK : 0)
    : FLAG.ACK | (tcb.has(FIN_RECEIVED) ? 0 : ends);
  return {
    ...endsOf(tcb),
    seq: inSynSent ? dice.random.uint32() | 0 : tcb.rcvNxt,
    ack: tcb.sndNxt,
    flags,
    window: dice.of(WINDOWS),
    urgentPointer: 0,
    ecn: dice.chance(0.05) ? 3 : 0,
    options: inSynSent ? synOptions(dice, timestamp(tcb, now)) : timestampsOf(tcb, now),
    textLength: tcb.has(FIN_RECEIVED) || inSynSent ? 0 : dice.of(TEXTS),
  };
}

/** A segment with some nearly valid and some random fields. */
export function drawNearby(dice: Dice, tcb: Tcb, now: number): SegmentFields {
  const flags = drawFlags(dice);
  return {
    ...endsOf(tcb),
    seq: drawSequence(dice, tcb),
    ack: drawAcknowledgement(dice, tcb),
    flags,
    window: dice.chance(0.1) ? dice.random.uint32() & 0xffff : dice.of(WINDOWS),
    urgentPointer: dice.chance(0.1) ? dice.random.uint32() & 0xffff : 0,
    ecn: dice.below(4),
    options: drawOptions(dice, tcb, now, flags),
    textLength: dice.of(TEXTS),
  };
}

function endsOf(tcb: Tcb): Pick<SegmentFields, "sourcePort" | "destinationPort"> {
  return { sourcePort: tcb.remotePort, destinationPort: tcb.localPort };
}

function drawFlags(dice: Dice): number {
  const kind = dice.below(40);
  if (kind < 34) return dice.of(USUAL);
  if (kind < 37) return dice.of(SETUP);
  if (kind === 37) return dice.of([FLAG.RST, FLAG.RST | FLAG.ACK]);
  return dice.byte();
}

function drawSequence(dice: Dice, tcb: Tcb): number {
  const early = tcb.receive.outOfOrder;
  const bases = [tcb.rcvNxt, tcb.rcvNxt, tcb.rcvNxt, tcb.rcvEdge, tcb.rcvAcked, tcb.irs];
  if (early !== undefined && early.count > 0) {
    bases.push(dice.of(early.starts), dice.of(early.ends));
  }
  return (dice.of(bases) + dice.offset()) | 0;
}

function drawAcknowledgement(dice: Dice, tcb: Tcb): number {
  const bases = [tcb.sndUna, tcb.sndUna, tcb.sndNxt, tcb.sndNxt, tcb.iss, sentSomewhere(dice, tcb)];
  return (dice.of(bases) + dice.offset()) | 0;
}

/** A boundary between two sent ranges. */
function sentSomewhere(dice: Dice, tcb: Tcb): number {
  const { scoreboard } = tcb;
  return scoreboard.isEmpty ? tcb.sndNxt : scoreboard.at(dice.below(scoreboard.count)).end;
}

function drawOptions(dice: Dice, tcb: Tcb, now: number, flags: number): number[] {
  const kind = dice.below(20);
  if (kind === 0) return garbage(dice);
  if (kind === 1 || (flags & FLAG.SYN) !== 0) return synOptions(dice, timestamp(tcb, now));
  const options = kind < 4 ? [] : kind < 6 ? wildTimestamps(dice, tcb) : timestampsOf(tcb, now);
  if (dice.chance(0.4)) addSackBlocks(dice, tcb, options);
  return options;
}

function synOptions(dice: Dice, tsEcr: number): number[] {
  const options: number[] = [];
  if (dice.chance(0.9)) {
    const mss = dice.chance(0.8) ? 1460 : dice.of([0, 1, 48, 64, 100, 536, 9000, 65_535]);
    options.push(2, 4, mss >> 8, mss & 255);
  }
  if (dice.chance(0.7)) options.push(4, 2, 1, 1);
  if (dice.chance(0.6)) options.push(8, 10, ...word(dice.random.uint32()), ...word(tsEcr), 1, 1);
  if (dice.chance(0.7)) options.push(3, 3, dice.of([0, 2, 7, 14, 255]), 1);
  return options;
}

function timestampsOf(tcb: Tcb, now: number): number[] {
  if (!tcb.has(TIMESTAMPS)) return [];
  return [1, 1, 8, 10, ...word(tcb.tsRecent), ...word(timestamp(tcb, now))];
}

function wildTimestamps(dice: Dice, tcb: Tcb): number[] {
  return [1, 1, 8, 10, ...word(tcb.tsRecent + dice.offset()), ...word(dice.random.uint32())];
}

function addSackBlocks(dice: Dice, tcb: Tcb, options: number[]): void {
  const blocks = 1 + dice.below(options.length > 0 ? 3 : 4);
  options.push(1, 1, 5, 2 + blocks * 8);
  for (let i = 0; i < blocks; i++) {
    const base = dice.chance(0.7) ? sentSomewhere(dice, tcb) : dice.of([tcb.sndUna, tcb.sndNxt]);
    const start = base + dice.offset();
    const end = dice.chance(0.7) ? sentSomewhere(dice, tcb) : start + dice.below(3000);
    options.push(...word(start), ...word(end));
  }
}

function garbage(dice: Dice): number[] {
  return Array.from(
    { length: 4 * dice.below(11) },
    () => dice.chance(0.5) ? dice.below(9) : dice.byte(),
  );
}

function word(value: number): number[] {
  return [value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255];
}
