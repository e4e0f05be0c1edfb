/**
 * What a connection waits for, derived from its state.
 *
 * @module
 */
import { seqDiff } from "../wire/seq.ts";
import { bytesInFlight } from "./recovery/loss_recovery.ts";
import type { Tcb } from "./tcb.ts";
import { FIN_RECEIVED, FIN_SENT } from "./tcb_flags.ts";
import { isRunning, TIMER } from "./timers/timers.ts";

/** What a connection waits for. */
export type WaitReason =
  /** The peer's part of the handshake, or a decision about its SYN. */
  | "handshake"
  /** Room in the peer's window: its application does not read. */
  | "window"
  /** A retransmission, after a timeout. */
  | "retransmission"
  /** Room in the congestion window. */
  | "congestion-window"
  /** The time at which pacing allows the next segment. */
  | "pacing"
  /** The peer's acknowledgement of what was sent. */
  | "acknowledgement"
  /** This side's application, which does not read what has arrived. */
  | "reader"
  /** This side's application: it is not reading, and everything that it has written is acknowledged. */
  | "handler"
  /** Data of the peer, for which the application waits. */
  | "peer"
  /** The peer's FIN. */
  | "close"
  /** The end of TIME-WAIT. */
  | "time-wait";

/** `isReading`: the application waits for data. */
export function waitReason(tcb: Tcb, isReading: boolean): WaitReason {
  switch (tcb.state) {
    case "LISTEN":
    case "SYN-SENT":
    case "SYN-RECEIVED":
      return "handshake";
    case "TIME-WAIT":
      return "time-wait";
  }
  const sending = sendingReason(tcb);
  if (sending !== undefined) return sending;
  if (tcb.receive.readable > 0) return "reader";
  if (!tcb.scoreboard.isEmpty) return "acknowledgement";
  if (tcb.has(FIN_SENT) && !tcb.has(FIN_RECEIVED)) return "close";
  return isReading && !tcb.has(FIN_RECEIVED) ? "peer" : "handler";
}

/** Why data that was written is not sent; `undefined`: there is none. */
function sendingReason(tcb: Tcb): WaitReason | undefined {
  if (tcb.loss.rtoBackoff > 0 && !tcb.scoreboard.isEmpty) {
    return tcb.sndWnd === 0 ? "window" : "retransmission";
  }
  const { unsent } = tcb;
  if (unsent <= 0) return undefined;
  const room = tcb.sndWnd - seqDiff(tcb.sndNxt, tcb.sndUna);
  if (room <= 0 || isRunning(tcb, TIMER.PERSIST)) return "window";
  if (isRunning(tcb, TIMER.PACE)) return "pacing";
  const least = Math.min(unsent, tcb.sendMss);
  const congestion = Math.max(tcb.congestion.cwnd, tcb.sendMss) - bytesInFlight(tcb);
  if (congestion < least) return "congestion-window";
  // RFC 9293 3.8.6.2.1 and 3.7.4: a partial segment waits for an acknowledgement or for more room.
  return room < least ? "window" : "acknowledgement";
}
