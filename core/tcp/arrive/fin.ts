import { FLAG, type Segment } from "../../wire/tcp.ts";
import { acknowledgeFin, watchForStall } from "../receive_window.ts";
import { ownReordering } from "../reordering.ts";
import { transition } from "../state.ts";
import { type Tcb, TCB_EVENT } from "../tcb.ts";
import { ACK_NOW, FIN_RECEIVED, RESET_AFTER_ACK } from "../tcb_flags.ts";
import { enterTimeWait } from "../timers/time_wait.ts";
import type { Verdict } from "./check.ts";

/** Eighth, FIN (RFC 9293 3.10.7.4), including one that arrived out of order. */
export function takeFin(tcb: Tcb, segment: Segment, now: number): Verdict {
  const hasFin = segment.has(FLAG.FIN);
  if (hasFin && tcb.state === "TIME-WAIT") return acknowledgeFinAgain(tcb, now);
  const fin = hasFin ? (segment.seq + segment.textLength) | 0 : tcb.reordering.fin;
  if (fin === undefined || tcb.has(FIN_RECEIVED)) return undefined;
  if (fin !== tcb.rcvNxt) {
    if (!hasFin) return undefined;
    ownReordering(tcb).fin = fin;
    // RFC 5681 4.2: the peer must learn of the hole, even if no text came with the FIN.
    tcb.set(ACK_NOW);
    return undefined;
  }
  if (tcb.reordering.fin !== undefined) ownReordering(tcb).fin = undefined;
  tcb.set(FIN_RECEIVED);
  tcb.rcvNxt = (tcb.rcvNxt + 1) | 0;
  // Nothing follows a FIN: text beyond it would never be read.
  tcb.receive.dropOutOfOrder();
  acknowledgeFin(tcb, now);
  if (tcb.rcvNxt !== tcb.rcvAcked) watchForStall(tcb, now);
  tcb.notify(TCB_EVENT.READABLE);
  advanceState(tcb, now);
  return undefined;
}

/** The peer retransmitted its FIN, so our acknowledgement was lost. */
function acknowledgeFinAgain(tcb: Tcb, now: number): Verdict {
  tcb.set(ACK_NOW);
  enterTimeWait(tcb, now);
  return "taken";
}

function advanceState(tcb: Tcb, now: number): void {
  if (tcb.state === "ESTABLISHED") {
    transition(tcb, "CLOSE-WAIT");
  } else if (tcb.state === "FIN-WAIT-1") {
    transition(tcb, "CLOSING");
  } else if (tcb.state === "FIN-WAIT-2") {
    if (tcb.config.finish === "time-wait") {
      enterTimeWait(tcb, now);
    } else {
      transition(tcb, "CLOSING");
      tcb.set(RESET_AFTER_ACK);
    }
  }
}
