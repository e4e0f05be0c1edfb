/**
 * The user calls: OPEN, SEND, RECEIVE, CLOSE, ABORT (RFC 9293 3.10.1 to 3.10.5).
 *
 * @module
 */
import { seqDiff } from "../wire/seq.ts";
import { endConnection } from "./close_connection.ts";
import { ownProbes } from "./probes.ts";
import { acknowledgeText, ackNumber, bytesConsumed } from "./receive_window.ts";
import { type EndReason, STATES, transition } from "./state.ts";
import type { Tcb } from "./tcb.ts";
import {
  CORKED,
  DELAYS_ACKS,
  FIN_QUEUED,
  FIN_RECEIVED,
  KEEP_ALIVE,
  NO_DELAY,
  READ_CLOSED,
  RELEASED,
  RESET_QUEUED,
  RESET_WHEN_ACKED,
  SYN_QUEUED,
  SYN_UNDECIDED,
  WRITER_WAITING,
} from "./tcb_flags.ts";
import { awaitFin } from "./timers/time_wait.ts";
import { setTimer, stopTimer, TIMER, wholeMs } from "./timers/timers.ts";
import { ownOptions } from "./user_options.ts";

/** OPEN, active. */
export function openActive(tcb: Tcb, iss: number, now: number): void {
  tcb.iss =
    tcb.sndUna =
    tcb.sndNxt =
    tcb.pushSeq =
      iss;
  tcb.lastReceivedAt = tcb.progressAt = wholeMs(now);
  transition(tcb, "SYN-SENT");
  tcb.set(SYN_QUEUED);
  setTimer(tcb, TIMER.LIFETIME, now + tcb.config.connectTimeoutMs);
}

/** SEND: takes what fits in the send buffer; returns the number of bytes taken. */
export function sendText(tcb: Tcb, bytes: Uint8Array, from: number, now: number): number {
  if (!STATES[tcb.state].canSend || tcb.has(FIN_QUEUED)) return 0;
  const wasEmpty = tcb.send.length === 0;
  const taken = tcb.send.push(bytes, from);
  if (wasEmpty && taken > 0) tcb.progressAt = wholeMs(now);
  if (from + taken === bytes.length) tcb.pushSeq = (tcb.sendStart + tcb.send.length) | 0;
  tcb.set(WRITER_WAITING, from + taken < bytes.length);
  return taken;
}

/** SEND without a copy: `fill` writes at most `max` bytes into the send buffer; returns their number. */
export function fillText(
  tcb: Tcb,
  max: number,
  fill: (room: Uint8Array<ArrayBuffer>) => number,
  now: number,
): number {
  if (!STATES[tcb.state].canSend || tcb.has(FIN_QUEUED)) return 0;
  const wasEmpty = tcb.send.length === 0;
  const taken = tcb.send.fill(max, fill);
  if (taken === 0) return 0;
  if (wasEmpty) tcb.progressAt = wholeMs(now);
  tcb.pushSeq = (tcb.sendStart + tcb.send.length) | 0;
  return taken;
}

/** The application wants to SEND when there is room. */
export function awaitRoom(tcb: Tcb): void {
  tcb.set(WRITER_WAITING);
}

/** RECEIVE into `target`; returns the number of bytes, 0 if there are none. */
export function receiveText(tcb: Tcb, target: Uint8Array, now: number): number {
  const count = tcb.receive.read(target);
  if (count > 0) bytesConsumed(tcb, now);
  return count;
}

/** RECEIVE without a copy: the application has processed `count` bytes of a view. */
export function consumeText(tcb: Tcb, count: number, now: number): void {
  tcb.receive.consume(count);
  tcb.processedSeq = tcb.receive.readSeq;
  bytesConsumed(tcb, now);
}

/** For `on-processed`: the application has processed all that it has read. */
export function markProcessed(tcb: Tcb, now: number): void {
  if (tcb.processedSeq === tcb.receive.readSeq) return;
  tcb.processedSeq = tcb.receive.readSeq;
  if (tcb.config.acknowledge === "on-processed") bytesConsumed(tcb, now);
}

/** Everything up to the peer's FIN has been read. */
export function isAtEnd(tcb: Tcb): boolean {
  return tcb.receive.readable === 0 && (tcb.has(FIN_RECEIVED) || tcb.state === "CLOSED");
}

/** Half-close: a FIN follows the last byte (RFC 9293 3.6). */
export function closeWrite(tcb: Tcb): void {
  if (tcb.has(FIN_QUEUED)) return;
  if (tcb.state === "ESTABLISHED") transition(tcb, "FIN-WAIT-1");
  else if (tcb.state === "CLOSE-WAIT") {
    transition(tcb, tcb.config.close === "reset" ? "CLOSING" : "LAST-ACK");
  } else if (tcb.state !== "SYN-SENT" && tcb.state !== "SYN-RECEIVED") return;
  // In SYN-SENT and SYN-RECEIVED the FIN waits for the handshake (RFC 9293 3.10.4).
  tcb.set(FIN_QUEUED);
}

/** CLOSE in both directions; written text is still delivered. */
export function close(tcb: Tcb, now: number): void {
  if (tcb.has(READ_CLOSED)) return;
  const unread = tcb.receive.readable > 0 && !isDone(tcb);
  tcb.set(READ_CLOSED);
  if (isDone(tcb)) {
    if (tcb.state === "TIME-WAIT") discardUnread(tcb, now);
    else tcb.receive.clear();
    if (tcb.state === "CLOSING") endConnection(tcb, undefined);
    return;
  }
  // RFC 9293 3.10.4. Text that was written in SYN-SENT is still delivered.
  if (tcb.state === "SYN-SENT" && tcb.send.length === 0) {
    endConnection(tcb, "CONNECTION_ABORTED");
  } else if (tcb.userOptions.lingerMs === 0 || (unread && tcb.config.close === "graceful")) {
    // RFC 2525 2.17: the peer must learn that data was not read.
    abort(tcb, undefined);
  } else {
    closeOrderly(tcb, now);
  }
}

function isDone(tcb: Tcb): boolean {
  return tcb.has(RELEASED) || tcb.state === "CLOSED" || tcb.state === "TIME-WAIT";
}

function closeOrderly(tcb: Tcb, now: number): void {
  closeWrite(tcb);
  tcb.set(RESET_WHEN_ACKED, tcb.config.close === "reset");
  discardUnread(tcb, now);
  if (tcb.allAcknowledged) {
    if (tcb.has(RESET_WHEN_ACKED) && tcb.has(FIN_RECEIVED)) tcb.set(RESET_QUEUED);
    else awaitFin(tcb, now);
  } else if (tcb.userOptions.lingerMs !== undefined) {
    setTimer(tcb, TIMER.LIFETIME, now + tcb.userOptions.lingerMs);
  }
}

/** Discards and acknowledges unread text, so that the peer can continue to receive. */
function discardUnread(tcb: Tcb, now: number): void {
  tcb.receive.discard();
  tcb.processedSeq = tcb.receive.readSeq;
  const owed = seqDiff(ackNumber(tcb), tcb.rcvAcked);
  if (owed > 0) acknowledgeText(tcb, owed, now);
}

/** Limits the time that close() waits for delivery; 0: a RST at once (RFC 9293 3.10.5). */
export function setLinger(tcb: Tcb, ms: number | undefined): void {
  if (ms !== tcb.userOptions.lingerMs) ownOptions(tcb).lingerMs = ms;
}

/** Turns Nagle's algorithm off or on (RFC 9293 3.7.4). */
export function setNoDelay(tcb: Tcb, on: boolean): void {
  tcb.set(NO_DELAY, on);
}

/** The application expects to answer what it reads (RFC 9293 3.8.6.3). */
export function delayAcks(tcb: Tcb): void {
  tcb.set(DELAYS_ACKS);
}

/** While on, only full segments are sent. */
export function setCork(tcb: Tcb, on: boolean): void {
  tcb.set(CORKED, on);
}

/** Sets the user timeout (RFC 5482). */
export function setUserTimeout(tcb: Tcb, ms: number): void {
  ownOptions(tcb).userTimeoutMs = ms;
}

/** RFC 9293 3.8.4: keep-alive is off by default. */
export function setKeepAlive(tcb: Tcb, on: boolean, now: number): void {
  tcb.set(KEEP_ALIVE, on);
  if (tcb.probes.keepAlives > 0) ownProbes(tcb).keepAlives = 0;
  if (!on) stopTimer(tcb, TIMER.KEEP_ALIVE);
  else if (STATES[tcb.state].synchronized && !tcb.has(RELEASED)) {
    setTimer(tcb, TIMER.KEEP_ALIVE, now + tcb.config.keepAliveIdleMs);
  }
}

/** ABORT: discards all data, and sends a RST if the peer knows of the connection. */
export function abort(tcb: Tcb, error: EndReason | undefined): void {
  if (tcb.state === "CLOSED") return;
  tcb.error ??= error;
  tcb.receive.clear();
  const unknown = tcb.state === "SYN-SENT" || tcb.has(SYN_UNDECIDED);
  if (tcb.has(RELEASED) || unknown || tcb.state === "TIME-WAIT") endConnection(tcb, error);
  else tcb.set(RESET_QUEUED);
}
