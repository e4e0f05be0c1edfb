/**
 * Handles expired timers.
 *
 * @module
 */
import { endConnection } from "../close_connection.ts";
import { forceSegment } from "../forced_segment.ts";
import { ownProbes } from "../probes.ts";
import { acknowledgeUnread } from "../receive_window.ts";
import { probeTimeout, reorderTimeout, retransmissionTimeout } from "../recovery/loss_recovery.ts";
import { ownLoss } from "../recovery/loss_state.ts";
import { currentRto } from "../recovery/rtt.ts";
import { STATES } from "../state.ts";
import type { Tcb } from "../tcb.ts";
import {
  ACK_NOW,
  KEEP_ALIVE,
  PASSIVE,
  READ_CLOSED,
  RELEASED,
  RESET_QUEUED,
  SYN_QUEUED,
} from "../tcb_flags.ts";
import { restartRetransmissionTimer } from "./retransmission_timer.ts";
import { setTimer, takeExpired, TIMER, type Timer } from "./timers.ts";

/** RFC 9293 3.8.6.1: the interval between window probes grows up to the maximum RTO. */
const MAX_PERSIST_BACKOFF = 16;

/** Minimum interval of a timer, so that no configuration makes it loop. */
const MIN_INTERVAL_MS = 1;

/**
 * Linux and this stack answer keep-alive probes at most twice a second (RFC 5961 7). A peer is only
 * considered silent after twice that interval, regardless of the number of probes.
 */
const MIN_SILENCE_MS = 1000;

/**
 * Runs the timers that are due at `now`; returns whether one of them sends a segment that the peer
 * has to answer.
 */
export function handleTimeouts(tcb: Tcb, now: number): boolean {
  let asks = false;
  let hasRun = 0;
  for (;;) {
    const timer = takeExpired(tcb, now);
    if (timer === -1) return asks;
    if ((hasRun & 1 << timer) !== 0) {
      setTimer(tcb, timer, now + MIN_INTERVAL_MS);
      continue;
    }
    hasRun |= 1 << timer;
    HANDLERS[timer](tcb, now);
    if (tcb.has(RELEASED) || tcb.has(RESET_QUEUED)) return false;
    asks ||= tcb.forced !== "none" || timer === TIMER.RETRANSMIT;
  }
}

const HANDLERS: Readonly<Record<Timer, (tcb: Tcb, now: number) => void>> = {
  [TIMER.RETRANSMIT]: retransmit,
  [TIMER.PERSIST]: persist,
  [TIMER.DELAYED_ACK]: (tcb) => {
    tcb.set(ACK_NOW);
  },
  [TIMER.ACK_STALL]: acknowledgeUnread,
  [TIMER.KEEP_ALIVE]: keepAlive,
  [TIMER.LIFETIME]: endLifetime,
  [TIMER.REORDER]: reorderTimeout,
  [TIMER.TAIL_PROBE]: probeTimeout,
  // Output is attempted after every timer, which is all that is needed.
  [TIMER.PACE]: () => {},
};

function retransmit(tcb: Tcb, now: number): void {
  if (tcb.scoreboard.isEmpty) return;
  if (hasTimedOut(tcb, now)) return timeOut(tcb);
  if (tcb.state === "SYN-SENT") retransmitSyn(tcb);
  else if (tcb.state === "SYN-RECEIVED") handshakeTimeout(tcb);
  else if (tcb.sndWnd === 0) probe(tcb);
  else retransmissionTimeout(tcb, now);
  restartRetransmissionTimer(tcb, now);
}

function retransmitSyn(tcb: Tcb): void {
  ownLoss(tcb).rtoBackoff++;
  tcb.set(SYN_QUEUED);
}

/**
 * Profile `local` retransmits the SYN,ACK only when the SYN is retransmitted. If the peer's last
 * ACK was lost, there is no such SYN. A segment outside of the peer's window makes the peer repeat
 * its ACK.
 */
function handshakeTimeout(tcb: Tcb): void {
  ownLoss(tcb).rtoBackoff++;
  if (tcb.config.retransmitSynAck || !tcb.has(PASSIVE)) tcb.set(SYN_QUEUED);
  else {
    forceSegment(tcb, "keep-alive");
    // Karn's algorithm (RFC 6298 3): the answer is not a sample for the SYN,ACK.
    tcb.scoreboard.at(0).transmissions++;
  }
}

/**
 * The window has closed while data is outstanding, so the timeout sends a window probe instead of
 * treating the data as lost.
 */
function probe(tcb: Tcb): void {
  const loss = ownLoss(tcb);
  loss.rtoBackoff = Math.min(loss.rtoBackoff + 1, MAX_PERSIST_BACKOFF);
  forceSegment(tcb, "window-probe");
}

function persist(tcb: Tcb, now: number): void {
  if (tcb.unsent === 0 && tcb.scoreboard.isEmpty) return;
  if (hasTimedOut(tcb, now)) return timeOut(tcb);
  forceSegment(tcb, "window-probe");
  const probes = ownProbes(tcb);
  probes.persistBackoff = Math.min(probes.persistBackoff + 1, MAX_PERSIST_BACKOFF);
  const interval = currentRto(tcb) * 2 ** probes.persistBackoff;
  setTimer(tcb, TIMER.PERSIST, now + Math.min(interval, tcb.config.maxRtoMs));
}

/** R2 (RFC 9293 3.8.3): the peer is silent, or has accepted nothing, for too long. */
function hasTimedOut(tcb: Tcb, now: number): boolean {
  const { orphanTimeoutMs, lingerMs } = tcb.config;
  const userTimeoutMs = tcb.userOptions.userTimeoutMs ?? tcb.config.userTimeoutMs;
  const silentFor = now - Math.max(tcb.lastReceivedAt, tcb.outstandingSince);
  if (
    silentFor >=
      (tcb.has(READ_CLOSED) ? Math.min(orphanTimeoutMs, userTimeoutMs) : userTimeoutMs)
  ) {
    return true;
  }
  return tcb.has(READ_CLOSED) && now - tcb.progressAt >= lingerMs;
}

function timeOut(tcb: Tcb): void {
  tcb.error ??= tcb.softError ?? "TIMED_OUT";
  // If the peer is still there, the RST tells it that the connection has ended.
  tcb.set(RESET_QUEUED);
}

/** Sends a keep-alive probe, or ends the connection after too many without an answer (RFC 9293 3.8.4). */
function keepAlive(tcb: Tcb, now: number): void {
  if (!tcb.has(KEEP_ALIVE)) return;
  const { keepAliveIdleMs, keepAliveIntervalMs, keepAliveProbes } = tcb.config;
  const idleUntil = tcb.lastReceivedAt + keepAliveIdleMs;
  if (tcb.probes.keepAlives === 0 && (now < idleUntil || !tcb.scoreboard.isEmpty)) {
    setTimer(tcb, TIMER.KEEP_ALIVE, now < idleUntil ? idleUntil : now + keepAliveIntervalMs);
    return;
  }
  // RFC 5482 4.2: the user timeout replaces the number of probes.
  const { userTimeoutMs } = tcb.userOptions;
  const { keepAlives } = tcb.probes;
  const isOver = userTimeoutMs === undefined
    ? keepAlives >= keepAliveProbes && now - tcb.lastReceivedAt >= MIN_SILENCE_MS
    : keepAlives > 0 && now - tcb.lastReceivedAt >= userTimeoutMs;
  if (isOver) return timeOut(tcb);
  ownProbes(tcb).keepAlives++;
  forceSegment(tcb, "keep-alive");
  setTimer(tcb, TIMER.KEEP_ALIVE, now + keepAliveIntervalMs);
}

/** Makes a keep-alive probe due at once, because the peer may have been reset by another host. */
export function probeSoon(tcb: Tcb, now: number): void {
  const { synchronized } = STATES[tcb.state];
  if (!synchronized || tcb.state === "TIME-WAIT" || !tcb.has(KEEP_ALIVE)) return;
  // Data or a probe in flight is answered with a RST if the peer was reset.
  if (!tcb.scoreboard.isEmpty || tcb.probes.keepAlives > 0) return;
  ownProbes(tcb).keepAlives = 1;
  setTimer(tcb, TIMER.KEEP_ALIVE, now);
}

/**
 * Ends a connection attempt, a half-open connection, TIME-WAIT, FIN-WAIT-2 after close(), a
 * lingering close(), or CLOSING in profile `local` if the application does not close.
 */
function endLifetime(tcb: Tcb): void {
  const isOver = tcb.allAcknowledged;
  if (STATES[tcb.state].synchronized && tcb.state !== "TIME-WAIT" && tcb.state !== "FIN-WAIT-2") {
    if (!isOver) tcb.error ??= "TIMED_OUT";
    tcb.set(RESET_QUEUED);
    return;
  }
  const expected = tcb.has(READ_CLOSED)
    ? STATES[tcb.state].synchronized
    : tcb.state === "TIME-WAIT";
  endConnection(tcb, expected ? undefined : "TIMED_OUT");
}
