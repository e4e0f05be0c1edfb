/**
 * TIME-WAIT (RFC 9293 3.6.1).
 *
 * @module
 */
import { transition } from "./state.ts";
import { EVENT, type Tcb } from "./tcb.ts";
import { TIMER } from "./timers.ts";

/** Both directions have ended; the connection stays to answer a FIN that comes again. */
export function enterTimeWait(tcb: Tcb, now: number): void {
  if (tcb.state !== "TIME-WAIT") transition(tcb, "TIME-WAIT");
  tcb.send.clear();
  tcb.forgetSent();
  tcb.stopTimers();
  tcb.setTimer(TIMER.LIFETIME, now + 2 * tcb.config.msl);
  tcb.notify(EVENT.ENDED | EVENT.READABLE | EVENT.WRITABLE);
}
