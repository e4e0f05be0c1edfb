/**
 * The deadlines of one connection, and the times of its record.
 *
 * @module
 */
/**
 * Timers, in the order in which they run if they are due at the same time: a tail loss probe that
 * is due together with the RTO replaces it (RFC 8985 7.2 and 8).
 */
export const TIMER: {
  /** RACK's reordering timer (RFC 8985 6.2). */
  readonly REORDER: 0;
  /** Tail loss probe (RFC 8985 7). */
  readonly TAIL_PROBE: 1;
  /** Retransmission (RFC 6298). */
  readonly RETRANSMIT: 2;
  /** Zero-window probe (RFC 9293 3.8.6.1). */
  readonly PERSIST: 3;
  /** Delayed acknowledgement (RFC 9293 3.8.6.3). */
  readonly DELAYED_ACK: 4;
  /** Acknowledgement of unread bytes. */
  readonly ACK_STALL: 5;
  /** Keep-alive (RFC 9293 3.8.4). */
  readonly KEEP_ALIVE: 6;
  /** The end of TIME-WAIT, or of a half-open or closed connection. */
  readonly LIFETIME: 7;
  /** Pacing allows the next segment. */
  readonly PACE: 8;
} = {
  REORDER: 0,
  TAIL_PROBE: 1,
  RETRANSMIT: 2,
  PERSIST: 3,
  DELAYED_ACK: 4,
  ACK_STALL: 5,
  KEEP_ALIVE: 6,
  LIFETIME: 7,
  PACE: 8,
};

/** One of {@link TIMER}. */
export type Timer = 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8;

const OFF = Infinity;
const TIMERS = 9;
/** Index of the earliest deadline. */
const EARLIEST = TIMERS;

/** The fields of a connection that hold its deadlines, in milliseconds. */
export interface Deadlines {
  /**
   * The deadline of each timer, `Infinity` if it is off, and then the earliest. Absent while no
   * timer but keep-alive is running.
   */
  deadlines: number[] | undefined;
  /**
   * Separate from the others: most connections are idle, and then it is the only timer running. A
   * whole number, 0 if it is off, since V8 stores a fraction or `Infinity` in an object of 16 bytes.
   */
  keepAliveAt: number;
}

/**
 * A time that is never later than the earliest deadline. Postponing a deadline leaves it unchanged:
 * an early wake-up is cheaper than a search at every acknowledgement.
 */
export function earliestTimer(tcb: Deadlines): number {
  const { deadlines, keepAliveAt } = tcb;
  const first = deadlines === undefined ? OFF : deadlines[EARLIEST]!;
  return keepAliveAt === 0 || first < keepAliveAt ? first : keepAliveAt;
}

/**
 * Rounds a time down to whole milliseconds, for the fields of a connection that need no fraction: V8 stores
 * a number with a fraction in an object of 16 bytes.
 */
export function wholeMs(now: number): number {
  return Math.floor(now);
}

/** Starts a timer, or changes its deadline. */
export function setTimer(tcb: Deadlines, timer: Timer, at: number): void {
  if (timer === TIMER.KEEP_ALIVE) {
    tcb.keepAliveAt = Math.ceil(at);
    return;
  }
  const deadlines = tcb.deadlines ??= [OFF, OFF, OFF, OFF, OFF, OFF, OFF, OFF, OFF, OFF];
  deadlines[timer] = at;
  if (at < deadlines[EARLIEST]!) deadlines[EARLIEST] = at;
}

export function stopTimer(tcb: Deadlines, timer: Timer): void {
  if (timer === TIMER.KEEP_ALIVE) tcb.keepAliveAt = 0;
  else if (tcb.deadlines !== undefined) tcb.deadlines[timer] = OFF;
}

export function stopTimers(tcb: Deadlines): void {
  tcb.deadlines = undefined;
  tcb.keepAliveAt = 0;
}

export function isRunning(tcb: Deadlines, timer: Timer): boolean {
  if (timer === TIMER.KEEP_ALIVE) return tcb.keepAliveAt !== 0;
  return tcb.deadlines !== undefined && tcb.deadlines[timer] !== OFF;
}

/** When `timer` is due; `Infinity` if it is off. */
export function timerAt(tcb: Deadlines, timer: Timer): number {
  if (timer === TIMER.KEEP_ALIVE) return tcb.keepAliveAt === 0 ? OFF : tcb.keepAliveAt;
  return tcb.deadlines === undefined ? OFF : tcb.deadlines[timer]!;
}

/** Stops and returns the first timer that is due at `now`; -1 when none is. */
export function takeExpired(tcb: Deadlines, now: number): Timer | -1 {
  const timer = firstTimer(tcb);
  if (timer === -1 || timerAt(tcb, timer) > now) return -1;
  stopTimer(tcb, timer);
  return timer;
}

/**
 * The timer with the earliest deadline; -1 if none is running. Makes {@link earliestTimer} exact.
 */
function firstTimer(tcb: Deadlines): Timer | -1 {
  const { deadlines } = tcb;
  const keepAliveAt = timerAt(tcb, TIMER.KEEP_ALIVE);
  const first = deadlines === undefined ? -1 : firstOf(deadlines);
  if (first === -1) {
    tcb.deadlines = undefined;
    return keepAliveAt === OFF ? -1 : TIMER.KEEP_ALIVE;
  }
  deadlines![EARLIEST] = deadlines![first]!;
  return keepAliveAt < deadlines![first]! ? TIMER.KEEP_ALIVE : first;
}

/** The earliest of the timers in `deadlines`. */
function firstOf(at: readonly number[]): Timer | -1 {
  let first: Timer | -1 = -1;
  let least = OFF;
  for (let i = 0; i < TIMERS; i++) {
    if (at[i]! >= least) continue;
    least = at[i]!;
    first = i as Timer;
  }
  return first;
}
