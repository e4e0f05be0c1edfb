/**
 * The deadlines of one connection.
 *
 * @module
 */
/**
 * What a deadline is for, in the order in which those run that are due at the same time: a tail loss
 * probe that is due with the RTO takes its place (RFC 8985 7.2 and 8).
 */
export const TIMER: {
  /** A segment that may only be reordered is lost now (RFC 8985 6.2). */
  readonly REORDER: 0;
  /** Tail loss probe (RFC 8985 7). */
  readonly TAIL_PROBE: 1;
  /** The earliest unacknowledged segment is sent again (RFC 6298). */
  readonly RETRANSMIT: 2;
  /** The peer's window is probed (RFC 9293 3.8.6.1). */
  readonly PERSIST: 3;
  /** An acknowledgement has waited long enough (RFC 9293 3.8.6.3). */
  readonly DELAYED_ACK: 4;
  /** Unread bytes are acknowledged although nobody reads. */
  readonly ACK_STALL: 5;
  /** The peer has been silent (RFC 9293 3.8.4). */
  readonly KEEP_ALIVE: 6;
  /** TIME-WAIT, or a half-open or closed connection's end. */
  readonly LIFETIME: 7;
  /** The congestion control algorithm's pace allows the next segment. */
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

/** Deadlines in milliseconds, `Infinity` when off. */
export class Timers {
  /** Deadlines by timer, then {@link EARLIEST}; absent while nothing but keep-alive is running. */
  #deadlines: number[] | undefined = undefined;
  /** On its own, as it runs for as long as the connection: most connections are idle. */
  #keepAlive: number = OFF;

  /**
   * Never later than the earliest deadline. Postponing a deadline leaves it unchanged: an early
   * wake-up is cheaper than a search at every acknowledgement.
   */
  get earliest(): number {
    const keepAlive = this.#keepAlive;
    return this.#deadlines === undefined
      ? keepAlive
      : Math.min(this.#deadlines[EARLIEST]!, keepAlive);
  }

  set(timer: Timer, at: number): void {
    if (timer === TIMER.KEEP_ALIVE) {
      this.#keepAlive = at;
      return;
    }
    const deadlines = this.#deadlines ??= [OFF, OFF, OFF, OFF, OFF, OFF, OFF, OFF, OFF, OFF];
    deadlines[timer] = at;
    if (at < deadlines[EARLIEST]!) deadlines[EARLIEST] = at;
  }

  stop(timer: Timer): void {
    if (timer === TIMER.KEEP_ALIVE) this.#keepAlive = OFF;
    else if (this.#deadlines !== undefined) this.#deadlines[timer] = OFF;
  }

  stopAll(): void {
    this.#deadlines = undefined;
    this.#keepAlive = OFF;
  }

  isRunning(timer: Timer): boolean {
    return this.at(timer) !== OFF;
  }

  /** When `timer` is due, `Infinity` when it is off. */
  at(timer: Timer): number {
    if (timer === TIMER.KEEP_ALIVE) return this.#keepAlive;
    return this.#deadlines === undefined ? OFF : this.#deadlines[timer]!;
  }

  /** Stops and returns the first timer that is due at `now`; -1 when none is. */
  takeExpired(now: number): Timer | -1 {
    const timer = Timers.#first(this);
    if (timer === -1 || this.at(timer) > now) return -1;
    this.stop(timer);
    return timer;
  }

  /**
   * The running timer with the earliest deadline, -1 when none runs. Makes {@link earliest} exact.
   * Static, as JavaScriptCore stores a private method in every object.
   */
  static #first(timers: Timers): Timer | -1 {
    const keepAlive = timers.#keepAlive;
    const deadlines = timers.#deadlines;
    const first = deadlines === undefined ? -1 : firstOf(deadlines);
    if (first === -1) {
      timers.#deadlines = undefined;
      return keepAlive === OFF ? -1 : TIMER.KEEP_ALIVE;
    }
    deadlines![EARLIEST] = deadlines![first]!;
    return keepAlive < deadlines![first]! ? TIMER.KEEP_ALIVE : first;
  }
}

/** The timer with the earliest deadline; -1: none is running. */
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
