/**
 * TIME-WAIT (RFC 9293 3.6.1), and FIN-WAIT-2 after close().
 *
 * @module
 */
import { transition } from "../state.ts";
import { type Tcb, TCB_EVENT } from "../tcb.ts";
import { READ_CLOSED, RESET_WHEN_ACKED } from "../tcb_flags.ts";
import { setTimer, stopTimers, TIMER } from "./timers.ts";

/** Both directions have ended; the connection remains to answer a retransmitted FIN. */
export function enterTimeWait(tcb: Tcb, now: number): void {
  if (tcb.state !== "TIME-WAIT") transition(tcb, "TIME-WAIT");
  tcb.send.clear();
  tcb.forgetSent();
  stopTimers(tcb);
  setTimer(tcb, TIMER.LIFETIME, now + 2 * tcb.config.msl);
  tcb.notify(TCB_EVENT.ENDED | TCB_EVENT.READABLE | TCB_EVENT.WRITABLE);
}

/**
 * FIN-WAIT-2 after close(). In profile `local`, the connection has ended for the application, and a
 * RST follows the peer's FIN.
 */
export function awaitFin(tcb: Tcb, now: number): void {
  setTimer(tcb, TIMER.LIFETIME, now + 2 * tcb.config.msl);
  if (tcb.has(RESET_WHEN_ACKED)) tcb.notify(TCB_EVENT.ENDED | TCB_EVENT.WRITABLE);
}

/** Whether the application has closed the connection and it only waits for the peer. */
export function isWithoutOwner(tcb: Tcb): boolean {
  return tcb.state === "TIME-WAIT" || (tcb.state === "FIN-WAIT-2" && tcb.has(READ_CLOSED));
}
