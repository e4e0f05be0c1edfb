/**
 * The retransmission timer (RFC 6298 5). `timeouts.ts` handles its expiry.
 *
 * @module
 */
import { currentRto } from "../recovery/rtt.ts";
import type { Tcb } from "../tcb.ts";
import { isRunning, setTimer, stopTimer, TIMER, timerAt } from "./timers.ts";

/** RFC 6298 5.1: data was sent. */
export function startRetransmissionTimer(tcb: Tcb, now: number): void {
  if (!isRunning(tcb, TIMER.RETRANSMIT)) restartRetransmissionTimer(tcb, now);
}

/** RFC 6298 5.3 and 5.6: new data was acknowledged, or the timer has expired. */
export function restartRetransmissionTimer(tcb: Tcb, now: number): void {
  setTimer(tcb, TIMER.RETRANSMIT, now + currentRto(tcb));
}

/** The RTO has become shorter: a running timer is shortened to it. */
export function shortenRetransmissionTimer(tcb: Tcb, now: number): void {
  const at = now + currentRto(tcb);
  if (isRunning(tcb, TIMER.RETRANSMIT) && at < timerAt(tcb, TIMER.RETRANSMIT)) {
    setTimer(tcb, TIMER.RETRANSMIT, at);
  }
}

/** RFC 6298 5.2: everything is acknowledged. */
export function stopRetransmissionTimer(tcb: Tcb): void {
  stopTimer(tcb, TIMER.RETRANSMIT);
}
