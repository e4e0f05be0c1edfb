import type { Segment } from "../../wire/tcp.ts";
import { isEcnSetupSyn } from "../ecn.ts";
import { takeSynOptions } from "../options.ts";
import { transition } from "../state.ts";
import type { Tcb } from "../tcb.ts";
import { ECN, PASSIVE, SYN_QUEUED, SYN_UNDECIDED } from "../tcb_flags.ts";
import { setTimer, TIMER, wholeMs } from "../timers/timers.ts";
import { abort } from "../user_calls.ts";

/** How long a connection may stay half-open after the last SYN. */
export const HALF_OPEN_MS = 60_000;

/**
 * RFC 9293 3.10.7.2, third: a SYN opens a connection. Text and a FIN in the SYN are ignored: the
 * SYN,ACK acknowledges only the SYN, so the peer retransmits them.
 */
export function openPassive(tcb: Tcb, segment: Segment, iss: number, now: number): void {
  tcb.set(PASSIVE);
  tcb.irs = segment.seq;
  tcb.rcvNxt =
    tcb.rcvAcked =
    tcb.ackFloor =
    tcb.rcvEdge =
    tcb.offeredEdge =
      (segment.seq + 1) | 0;
  tcb.receive.readSeq = tcb.processedSeq = tcb.rcvNxt;
  tcb.iss =
    tcb.sndUna =
    tcb.sndNxt =
    tcb.pushSeq =
      iss;
  takeSynOptions(tcb, segment, now);
  tcb.set(ECN, tcb.config.ecn && isEcnSetupSyn(segment));
  tcb.sndWnd = tcb.maxSndWnd = segment.window;
  tcb.sndWl1 = segment.seq;
  tcb.sndWl2 = iss;
  tcb.lastReceivedAt = wholeMs(now);
  transition(tcb, "SYN-RECEIVED");
  setTimer(tcb, TIMER.LIFETIME, now + HALF_OPEN_MS);
}

/** Holds the SYN until the application has decided about it. */
export function holdSyn(tcb: Tcb): void {
  tcb.set(SYN_UNDECIDED);
}

/** Answers the SYN with RST, as in state CLOSED (RFC 9293 3.10.7.1). */
export function refuseSyn(tcb: Tcb): void {
  tcb.clear(SYN_UNDECIDED);
  abort(tcb, "CONNECTION_ABORTED");
}

/** Answers the SYN with SYN,ACK. */
export function acceptSyn(tcb: Tcb): void {
  if (tcb.state !== "SYN-RECEIVED") return;
  tcb.clear(SYN_UNDECIDED);
  tcb.set(SYN_QUEUED);
}
