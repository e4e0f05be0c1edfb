/**
 * Builds segments: headers, options, and text from the send ring.
 *
 * @module
 */
import { OutgoingPacket } from "../buffers/outgoing_packet.ts";
import { writeU16 } from "../wire/bytes.ts";
import { addBytes, finish, fold } from "../wire/checksum.ts";
import { emitIp, type IpFields, ipHeaderLength, PROTOCOL } from "../wire/ip.ts";
import { seqDiff } from "../wire/seq.ts";
import { emitTcpHeader, FLAG, type TcpFields } from "../wire/tcp.ts";
import { emitSack, emitSynOptions, emitTimestamps, SACK_HEADER } from "../wire/tcp_options.ts";
import { ECT_0 } from "./ecn.ts";
import { ackNumber, offerInitialWindow, offerWindow, windowShift } from "./receive_window.ts";
import { hasBlocks, sackBlocks } from "./sack_blocks.ts";
import type { Tcb } from "./tcb.ts";
import {
  ACK_NOW,
  CWR_QUEUED,
  ECHO_CONGESTION,
  ECN,
  SACK_PERMITTED,
  SEND_ECT,
  TIMESTAMPS,
  WINDOW_SCALING,
} from "./tcb_flags.ts";
import { stopTimer, TIMER } from "./timers/timers.ts";
import { timestamp } from "./timestamps.ts";

/** Headers with the longest options. */
const MAX_TCP_HEADER = 60;

/**
 * Maximum length of text in one packet to the link, which is a super-packet or a single segment.
 */
export function largestText(tcb: Tcb): number {
  const { maxSuperPacket } = tcb.environment;
  if (maxSuperPacket === 0) return tcb.sendMss;
  const room = maxSuperPacket - ipHeaderLength(tcb.local) - MAX_TCP_HEADER;
  return Math.max(tcb.sendMss, room - room % tcb.sendMss);
}

/** SYN, or SYN,ACK in SYN-RECEIVED. */
export function buildSyn(tcb: Tcb, now: number, out: OutgoingPacket): void {
  const answers = tcb.state !== "SYN-SENT";
  const { config } = tcb;
  const at = tcpStart(tcb);
  const optionsLength = emitSynOptions(out.header, at + 20, {
    mss: tcb.localMss,
    windowScale: answers ? answeredShift(tcb) : offeredShift(tcb),
    sackPermitted: answers ? tcb.has(SACK_PERMITTED) : config.sack,
    timestamps: answers ? tcb.has(TIMESTAMPS) : config.timestamps,
    tsVal: timestamp(tcb, now),
    tsEcr: answers ? tcb.tsRecent : 0,
  });
  emitTcpHeader(out.header, at, {
    sourcePort: tcb.localPort,
    destinationPort: tcb.remotePort,
    seq: tcb.iss,
    ack: answers ? tcb.rcvNxt : 0,
    flags: FLAG.SYN | (answers ? FLAG.ACK : 0) | ecnSetup(tcb, answers),
    window: answers ? offerInitialWindow(tcb) : Math.min(tcb.receiveLimit, 0xffff),
    optionsLength,
  });
  if (answers) acknowledged(tcb, tcb.rcvNxt);
  attachText(tcb, out, 0, 0);
  complete(tcb, out, 20 + optionsLength);
}

/** RFC 7323 2.2: a SYN,ACK has the option only if the SYN had it. */
function answeredShift(tcb: Tcb): number {
  return tcb.has(WINDOW_SCALING) ? tcb.rcvWndShift : -1;
}

/** RFC 3168 6.1.1. A retransmitted SYN has no ECN bits: they may be why it was lost (6.1.1.1). */
function ecnSetup(tcb: Tcb, answers: boolean): number {
  if (answers) return tcb.has(ECN) ? FLAG.ECE : 0;
  const offers = tcb.config.ecn && tcb.scoreboard.at(0).transmissions === 1;
  return offers ? FLAG.ECE | FLAG.CWR : 0;
}

function offeredShift(tcb: Tcb): number {
  return tcb.config.windowScaling ? windowShift(tcb.config.receiveBuffer) : -1;
}

/** Reused for each segment, as is `IP_FIELDS`. */
const TCP_FIELDS: TcpFields = {
  sourcePort: 0,
  destinationPort: 0,
  seq: 0,
  ack: 0,
  flags: 0,
  window: 0,
  optionsLength: 0,
};

/** Builds a segment with `length` bytes of text from `seq` on. */
export function buildSegment(
  tcb: Tcb,
  now: number,
  out: OutgoingPacket,
  seq: number,
  length: number,
  flags: number,
): void {
  const ack = ackNumber(tcb);
  const at = tcpStart(tcb);
  const optionsLength = emitOptions(tcb, now, out, at + 20, length);
  TCP_FIELDS.sourcePort = tcb.localPort;
  TCP_FIELDS.destinationPort = tcb.remotePort;
  TCP_FIELDS.seq = seq;
  TCP_FIELDS.ack = ack;
  TCP_FIELDS.flags = flags | ecnFlags(tcb);
  TCP_FIELDS.window = offerWindow(tcb, ack);
  TCP_FIELDS.optionsLength = optionsLength;
  emitTcpHeader(out.header, at, TCP_FIELDS);
  // RFC 2018 4: segments with text have no SACK blocks, so an ACK with blocks has to follow.
  const owesBlocks = tcb.has(ACK_NOW) && length > 0 && hasBlocks(tcb);
  acknowledged(tcb, ack);
  tcb.set(ACK_NOW, owesBlocks);
  attachText(tcb, out, seq, length);
  complete(tcb, out, 20 + optionsLength);
}

/** RFC 3168 6.1.2 and 6.1.3. */
function ecnFlags(tcb: Tcb): number {
  if (!tcb.has(ECN)) return 0;
  let flags = tcb.has(ECHO_CONGESTION) ? FLAG.ECE : 0;
  if (tcb.has(SEND_ECT) && tcb.has(CWR_QUEUED)) {
    tcb.clear(CWR_QUEUED);
    flags |= FLAG.CWR;
  }
  return flags;
}

function tcpStart(tcb: Tcb): number {
  return OutgoingPacket.HEADROOM + ipHeaderLength(tcb.local);
}

/** A segment was sent with an acknowledgement, so none is pending. */
function acknowledged(tcb: Tcb, ack: number): void {
  tcb.rcvAcked = ack;
  // A sequence number more than 2 GiB old would compare as greater (RFC 9293 3.4).
  tcb.ackFloor = ack;
  tcb.clear(ACK_NOW);
  tcb.unackedText = 0;
  stopTimer(tcb, TIMER.DELAYED_ACK);
}

function emitOptions(
  tcb: Tcb,
  now: number,
  out: OutgoingPacket,
  at: number,
  length: number,
): number {
  let end = at;
  if (tcb.has(TIMESTAMPS)) {
    end += emitTimestamps(out.header, end, timestamp(tcb, now), tcb.tsRecent);
  }
  // Text may leave no room for blocks; an ACK without text always has room.
  if (tcb.has(SACK_PERMITTED) && length === 0) {
    const blocks = sackBlocks(tcb, roomForBlocks(tcb, end));
    if (blocks.length > 0) end += emitSack(out.header, end, blocks);
  }
  return end - at;
}

/** SACK blocks that fit at `at`: in the header (RFC 2018 3), and in the MTU of the smallest links. */
function roomForBlocks(tcb: Tcb, at: number): number {
  const most = Math.min(
    OutgoingPacket.HEADROOM + tcb.environment.mtu,
    tcpStart(tcb) + MAX_TCP_HEADER,
  );
  return (most - at - SACK_HEADER) >> 3;
}

function attachText(tcb: Tcb, out: OutgoingPacket, seq: number, length: number): void {
  out.payloadLength = out.wrappedLength = out.segmentSize = 0;
  if (length === 0) return;
  const { block, start } = tcb.send.ring;
  const at = (start + seqDiff(seq, tcb.sendStart)) & (block.length - 1);
  out.payload = block;
  out.payloadStart = at;
  out.payloadLength = Math.min(length, block.length - at);
  out.wrappedLength = length - out.payloadLength;
  out.segmentSize = length > tcb.sendMss ? tcb.sendMss : 0;
}

/** Reused for each packet. */
const IP_FIELDS: IpFields = {
  protocol: PROTOCOL.TCP,
  payloadLength: 0,
  hopLimit: 0,
  trafficClass: 0,
  identification: 0,
};

/** IP header and checksum. */
function complete(tcb: Tcb, out: OutgoingPacket, tcpHeaderLength: number): void {
  const { header } = out;
  const text = out.payloadLength + out.wrappedLength;
  const segments = out.segmentSize === 0 ? 1 : Math.ceil(text / out.segmentSize);
  tcb.segmentsOut += segments;
  tcb.environment.counts.segmentsOut += segments;
  IP_FIELDS.payloadLength = tcpHeaderLength + text;
  IP_FIELDS.hopLimit = tcb.config.hopLimit;
  IP_FIELDS.trafficClass = (tcb.config.trafficClass & ~3) | (tcb.has(SEND_ECT) ? ECT_0 : 0);
  IP_FIELDS.identification = tcb.packetId = (tcb.packetId + 1) & 0xffff;
  tcb.clear(SEND_ECT);
  const at = OutgoingPacket.HEADROOM;
  out.ipHeaderLength = emitIp(header, at, tcb.local, tcb.remote, IP_FIELDS);
  out.headerLength = out.ipHeaderLength + tcpHeaderLength;
  const start = at + out.ipHeaderLength;
  const length = tcpHeaderLength + text;
  const pseudo = tcb.pseudoSum + PROTOCOL.TCP + (length & 0xffff) +
    (length >>> 16);
  out.checksumPartial = tcb.environment.checksumOffload;
  const sum = out.checksumPartial
    ? fold(pseudo)
    : finish(textSum(out, addBytes(pseudo, header, start, start + tcpHeaderLength)));
  writeU16(header, start + 16, sum);
}

/** RFC 1071 2(B): the bytes of a second piece at an odd offset are swapped. */
function textSum(out: OutgoingPacket, sum: number): number {
  const { payload, payloadStart, payloadLength, wrappedLength } = out;
  const first = addBytes(sum, payload, payloadStart, payloadStart + payloadLength);
  if (wrappedLength === 0) return first;
  const second = fold(addBytes(0, payload, 0, wrappedLength));
  return first + (payloadLength % 2 === 0 ? second : ((second & 0xff) << 8) | (second >>> 8));
}
