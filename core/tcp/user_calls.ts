/**
 * What the application asks for: OPEN, SEND, RECEIVE, CLOSE, ABORT (RFC 9293 3.10.1 to 3.10.5).
 *
 * @module
 */
import { seqDiff } from "../wire/seq.ts";
import { endConnection } from "./close_connection.ts";
import { ownProbes } from "./probes.ts";
import { acknowledgeText, ackNumber, bytesConsumed } from "./receive_window.ts";
import { type EndReason, STATES, transition } from "./state.ts";
import type { Tcb } from "./tcb.ts";
import { TCB } from "./tcb_flags.ts";
import { awaitFin } from "./timers/time_wait.ts";
import { setTimer, stopTimer, TIMER } from "./timers/timers.ts";
import { ownOptions } from "./user_options.ts";

/** OPEN, active: the SYN follows. */
export function openActive(tcb: Tcb, iss: number, now: number): void {
  tcb.iss =
    tcb.sndUna =
    tcb.sndNxt =
    tcb.pushSeq =
      iss;
  tcb.heardAt = tcb.progressAt = now;
  transition(tcb, "SYN-SENT");
  tcb.set(TCB.SYN_QUEUED);
  setTimer(tcb, TIMER.LIFETIME, now + tcb.config.connectTimeoutMs);
}

/** SEND: takes as much as there is room for; returns how much. */
export function sendText(tcb: Tcb, bytes: Uint8Array, from: number, now: number): number {
  if (!STATES[tcb.state].canSend || tcb.has(TCB.FIN_QUEUED)) return 0;
  const wasEmpty = tcb.send.length === 0;
  const taken = tcb.send.push(bytes, from);
  if (wasEmpty && taken > 0) tcb.progressAt = now;
  if (from + taken === bytes.length) tcb.pushSeq = (tcb.sendStart + tcb.send.length) | 0;
  tcb.set(TCB.WRITER_WAITING, from + taken < bytes.length);
  return taken;
}

/** RECEIVE into `target`; returns how much, 0 when nothing is there. */
export function receiveText(tcb: Tcb, target: Uint8Array, now: number): number {
  const count = tcb.receive.read(target);
  if (count > 0) bytesConsumed(tcb, now);
  return count;
}

/** RECEIVE without a copy: `count` bytes of a view have been dealt with. */
export function consumeText(tcb: Tcb, count: number, now: number): void {
  tcb.receive.consume(count);
  tcb.processedSeq = tcb.receive.readSeq;
  bytesConsumed(tcb, now);
}

/** `on-processed`: everything handed out so far has been dealt with. */
export function markProcessed(tcb: Tcb, now: number): void {
  if (tcb.processedSeq === tcb.receive.readSeq) return;
  tcb.processedSeq = tcb.receive.readSeq;
  if (tcb.config.acknowledge === "on-processed") bytesConsumed(tcb, now);
}

/** The peer has said FIN and everything before it has been read. */
export function isAtEnd(tcb: Tcb): boolean {
  return tcb.receive.readable === 0 && (tcb.has(TCB.FIN_RECEIVED) || tcb.state === "CLOSED");
}

/** closeWrite(): a FIN follows the last byte (RFC 9293 3.6). */
export function closeWrite(tcb: Tcb): void {
  if (tcb.has(TCB.FIN_QUEUED)) return;
  if (tcb.state === "ESTABLISHED") transition(tcb, "FIN-WAIT-1");
  else if (tcb.state === "CLOSE-WAIT") {
    transition(tcb, tcb.config.close === "reset" ? "CLOSING" : "LAST-ACK");
  } else if (tcb.state !== "SYN-SENT" && tcb.state !== "SYN-RECEIVED") return;
  // In SYN-SENT and SYN-RECEIVED the FIN waits for the handshake (RFC 9293 3.10.4).
  tcb.set(TCB.FIN_QUEUED);
}

/** CLOSE: no more reading and no more writing; what was written is still delivered. */
export function close(tcb: Tcb, now: number): void {
  if (tcb.has(TCB.READ_CLOSED)) return;
  const unread = tcb.receive.readable > 0 && !isDone(tcb);
  tcb.set(TCB.READ_CLOSED);
  if (isDone(tcb)) {
    if (tcb.state === "TIME-WAIT") discardUnread(tcb, now);
    else tcb.receive.clear();
    if (tcb.state === "CLOSING") endConnection(tcb, undefined);
    return;
  }
  // RFC 9293 3.10.4; what was written before there is a connection is still delivered.
  if (tcb.state === "SYN-SENT" && tcb.send.length === 0) {
    endConnection(tcb, "CONNECTION_ABORTED");
  } else if (tcb.userOptions.lingerMs === 0 || (unread && tcb.config.close === "graceful")) {
    // RFC 2525 2.17: the peer must learn that not everything was read.
    abort(tcb, undefined);
  } else {
    closeOrderly(tcb, now);
  }
}

function isDone(tcb: Tcb): boolean {
  return tcb.has(TCB.RELEASED) || tcb.state === "CLOSED" || tcb.state === "TIME-WAIT";
}

function closeOrderly(tcb: Tcb, now: number): void {
  closeWrite(tcb);
  tcb.set(TCB.RESET_WHEN_ACKED, tcb.config.close === "reset");
  discardUnread(tcb, now);
  if (tcb.allAcknowledged) {
    if (tcb.has(TCB.RESET_WHEN_ACKED) && tcb.has(TCB.FIN_RECEIVED)) tcb.set(TCB.RESET_QUEUED);
    else awaitFin(tcb, now);
  } else if (tcb.userOptions.lingerMs !== undefined) {
    setTimer(tcb, TIMER.LIFETIME, now + tcb.userOptions.lingerMs);
  }
}

/** Nobody will read it, yet the peer must get on to what was written for it. */
function discardUnread(tcb: Tcb, now: number): void {
  tcb.receive.discard();
  tcb.processedSeq = tcb.receive.readSeq;
  const owed = seqDiff(ackNumber(tcb), tcb.rcvAcked);
  if (owed > 0) acknowledgeText(tcb, owed, now);
}

/** How long close() lets the peer take what was written: 0 is a RST at once (RFC 9293 3.10.5). */
export function setLinger(tcb: Tcb, ms: number | undefined): void {
  if (ms !== tcb.userOptions.lingerMs) ownOptions(tcb).lingerMs = ms;
}

/** Only full segments leave while it is on; turning it off lets the rest go. */
export function setCork(tcb: Tcb, on: boolean): void {
  tcb.set(TCB.CORKED, on);
}

/** RFC 5482: how long the peer may say nothing. */
export function setUserTimeout(tcb: Tcb, ms: number): void {
  ownOptions(tcb).userTimeoutMs = ms;
}

/** RFC 9293 3.8.4: probes are off unless the application asks for them. */
export function setKeepAlive(tcb: Tcb, on: boolean, now: number): void {
  tcb.set(TCB.KEEP_ALIVE, on);
  if (tcb.probes.keepAlives > 0) ownProbes(tcb).keepAlives = 0;
  if (!on) stopTimer(tcb, TIMER.KEEP_ALIVE);
  else if (STATES[tcb.state].synchronized && !tcb.has(TCB.RELEASED)) {
    setTimer(tcb, TIMER.KEEP_ALIVE, now + tcb.config.keepAliveIdleMs);
  }
}

/** ABORT: a RST where the peer knows of the connection, and everything is dropped. */
export function abort(tcb: Tcb, error: EndReason | undefined): void {
  if (tcb.state === "CLOSED") return;
  tcb.error ??= error;
  tcb.receive.clear();
  const unknown = tcb.state === "SYN-SENT" || tcb.has(TCB.SYN_UNDECIDED);
  if (tcb.has(TCB.RELEASED) || unknown || tcb.state === "TIME-WAIT") endConnection(tcb, error);
  else tcb.set(TCB.RESET_QUEUED);
}
