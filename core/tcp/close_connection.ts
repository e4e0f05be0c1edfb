/**
 * The end of a connection. Received text stays readable.
 *
 * @module
 */
import { type EndReason, transition } from "./state.ts";
import { type Tcb, TCB_EVENT } from "./tcb.ts";
import { READ_CLOSED, RELEASED } from "./tcb_flags.ts";
import { stopTimers } from "./timers/timers.ts";

/** Ends the connection without sending anything. */
export function endConnection(tcb: Tcb, error: EndReason | undefined): void {
  if (tcb.state === "CLOSED") return;
  transition(tcb, "CLOSED");
  tcb.error ??= error;
  releaseResources(tcb);
}

/** Releases all but the received text. */
export function releaseResources(tcb: Tcb): void {
  tcb.set(RELEASED);
  tcb.send.clear();
  tcb.forgetSent();
  stopTimers(tcb);
  tcb.receive.dropOutOfOrder();
  if (tcb.has(READ_CLOSED)) tcb.receive.clear();
  tcb.notify(TCB_EVENT.ENDED | TCB_EVENT.READABLE | TCB_EVENT.WRITABLE);
}
