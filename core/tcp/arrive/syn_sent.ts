import { seqGt, seqLeq } from "../../wire/seq.ts";
import { FLAG, type Segment } from "../../wire/tcp.ts";
import { endConnection } from "../close_connection.ts";
import { isEcnSetupSynAck } from "../ecn.ts";
import { takeSynOptions } from "../options.ts";
import { handshakeDone, sampleRtt } from "../recovery/rtt.ts";
import { transition } from "../state.ts";
import { type Tcb, TCB_EVENT } from "../tcb.ts";
import { ACK_NOW, ECN, FIN_QUEUED, KEEP_ALIVE, SYN_ACKED, SYN_QUEUED } from "../tcb_flags.ts";
import { restartRetransmissionTimer } from "../timers/retransmission_timer.ts";
import { setTimer, stopTimers, TIMER, wholeMs } from "../timers/timers.ts";
import { noteUrgent } from "./ack.ts";
import type { Verdict } from "./check.ts";
import { takeFin } from "./fin.ts";
import { trimBack } from "./sequence.ts";
import { acceptText } from "./text.ts";

/** Processes a segment in SYN-SENT (RFC 9293 3.10.7.3). */
export function segmentArrivesInSynSent(tcb: Tcb, segment: Segment, now: number): Verdict {
  const hasAck = segment.has(FLAG.ACK);
  // First, the ACK bit. The stack answers an unacceptable ACK with a RST.
  if (hasAck && (seqLeq(segment.ack, tcb.iss) || seqGt(segment.ack, tcb.sndNxt))) {
    return segment.has(FLAG.RST) ? "tcp-syn-sent" : "tcp-ack-unsent";
  }
  // Second, the RST bit.
  if (segment.has(FLAG.RST)) {
    if (!hasAck) return "tcp-syn-sent";
    endConnection(tcb, "CONNECTION_REFUSED");
    return "taken";
  }
  // Fourth, the SYN bit; fifth, neither.
  if (!segment.has(FLAG.SYN)) return "tcp-syn-sent";
  takeSyn(tcb, segment, now);
  if (!hasAck) {
    // Text and FIN of the SYN are not acknowledged, so the peer retransmits them.
    becomeSynReceived(tcb, now);
    return "taken";
  }
  becomeEstablished(tcb, segment, now);
  return takeRest(tcb, segment, now);
}

/** Text and FIN of a SYN,ACK: continues with the sixth step of RFC 9293 3.10.7.4. */
function takeRest(tcb: Tcb, segment: Segment, now: number): Verdict {
  segment.seq = (segment.seq + 1) | 0;
  segment.flags &= ~FLAG.SYN;
  trimBack(tcb, segment);
  noteUrgent(tcb, segment);
  return acceptText(tcb, segment, now) ?? takeFin(tcb, segment, now) ?? "taken";
}

function takeSyn(tcb: Tcb, segment: Segment, now: number): void {
  tcb.irs = segment.seq;
  tcb.rcvNxt = tcb.rcvAcked = tcb.ackFloor = (segment.seq + 1) | 0;
  tcb.receive.readSeq = tcb.processedSeq = tcb.rcvNxt;
  tcb.rcvEdge = tcb.offeredEdge = (tcb.rcvNxt + Math.min(tcb.receiveLimit, 0xffff)) | 0;
  tcb.lastReceivedAt = wholeMs(now);
  takeSynOptions(tcb, segment, now);
  tcb.set(ECN, tcb.config.ecn && segment.has(FLAG.ACK) && isEcnSetupSynAck(segment));
}

function becomeEstablished(tcb: Tcb, segment: Segment, now: number): void {
  tcb.sndUna = segment.ack;
  tcb.set(SYN_ACKED);
  tcb.clear(SYN_QUEUED);
  const syn = tcb.scoreboard.isEmpty ? undefined : tcb.scoreboard.at(0);
  // Karn's algorithm: no sample from a retransmitted SYN.
  if (syn?.transmissions === 1) sampleRtt(tcb, now - syn.sentAt);
  handshakeDone(tcb);
  tcb.forgetSent();
  stopTimers(tcb);
  // RFC 7323 2.2: the window of a SYN,ACK is not scaled.
  tcb.sndWnd = tcb.maxSndWnd = segment.window;
  tcb.sndWl1 = segment.seq;
  tcb.sndWl2 = segment.ack;
  transition(tcb, "ESTABLISHED");
  // RFC 9293 3.10.4: CLOSE was called in SYN-SENT.
  if (tcb.has(FIN_QUEUED)) transition(tcb, "FIN-WAIT-1");
  if (tcb.has(KEEP_ALIVE)) setTimer(tcb, TIMER.KEEP_ALIVE, now + tcb.config.keepAliveIdleMs);
  tcb.set(ACK_NOW);
  tcb.notify(TCB_EVENT.OPENED | TCB_EVENT.WRITABLE);
}

/** Simultaneous open (RFC 9293 3.5, figure 7). */
function becomeSynReceived(tcb: Tcb, now: number): void {
  transition(tcb, "SYN-RECEIVED");
  tcb.set(SYN_QUEUED);
  restartRetransmissionTimer(tcb, now);
}
