/**
 * How a connection ends: nothing of it stays behind but what the application may still read.
 *
 * @module
 */
import { type EndReason, transition } from "./state.ts";
import { type Tcb, TCB_EVENT } from "./tcb.ts";
import { TCB } from "./tcb_flags.ts";
import { stopTimers } from "./timers/timers.ts";

/** Ends the connection without a word to the peer. */
export function endConnection(tcb: Tcb, error: EndReason | undefined): void {
  if (tcb.state === "CLOSED") return;
  transition(tcb, "CLOSED");
  tcb.error ??= error;
  releaseResources(tcb);
}

/** The peer is done with the connection; the application may still read what has arrived. */
export function releaseResources(tcb: Tcb): void {
  tcb.set(TCB.RELEASED);
  tcb.send.clear();
  tcb.forgetSent();
  stopTimers(tcb);
  tcb.receive.dropOutOfOrder();
  if (tcb.has(TCB.READ_CLOSED)) tcb.receive.clear();
  tcb.notify(TCB_EVENT.ENDED | TCB_EVENT.READABLE | TCB_EVENT.WRITABLE);
}
