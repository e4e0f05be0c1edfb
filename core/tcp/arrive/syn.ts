import { FLAG, type Segment } from "../../wire/tcp.ts";
import type { Tcb } from "../tcb.ts";
import { ACK_NOW, PASSIVE, SYN_QUEUED, SYN_UNDECIDED } from "../tcb_flags.ts";
import { setTimer, TIMER } from "../timers/timers.ts";
import { challengeAck } from "./challenge.ts";
import type { Verdict } from "./check.ts";
import { HALF_OPEN_MS } from "./listen.ts";

/** Fourth, SYN (RFC 9293 3.10.7.4, RFC 5961 4.2). */
export function checkSyn(tcb: Tcb, segment: Segment, now: number): Verdict {
  if (!segment.has(FLAG.SYN)) return undefined;
  if (tcb.state === "SYN-RECEIVED" && segment.seq === tcb.irs) {
    if (tcb.has(PASSIVE)) setTimer(tcb, TIMER.LIFETIME, now + HALF_OPEN_MS);
    // A retransmitted SYN: the SYN,ACK is retransmitted too; in profile `local`, only then.
    if (tcb.has(SYN_UNDECIDED)) return "tcp-syn-pending";
    tcb.set(SYN_QUEUED);
    if (!segment.has(FLAG.ACK)) return "taken";
    // Simultaneous open: the peer's SYN,ACK acknowledges our SYN as well.
    segment.seq = (segment.seq + 1) | 0;
    segment.flags &= ~FLAG.SYN;
    tcb.clear(SYN_QUEUED);
    tcb.set(ACK_NOW);
    return undefined;
  }
  challengeAck(tcb, now);
  return "tcp-syn-challenge";
}
