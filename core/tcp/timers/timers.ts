/**
 * The deadlines of one connection.
 *
 * @module
 */
import { TcbTimes } from "../tcb_times.ts";

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
/** The place behind the deadlines. */
const EARLIEST = TIMERS;

/** A row of deadlines, `Infinity` when off. A part of the connection, as an object is more to keep. */
export class TimerTable extends TcbTimes {
  /**
   * Not there while nothing runs but keep-alive, which does as long as the connection: most
   * connections are idle most of the time.
   */
  #at: number[] | undefined = undefined;

  /**
   * Never later than the earliest deadline. Pushing a deadline back leaves it as it is: a wake-up
   * too many is cheaper than a search at every acknowledgement.
   */
  get earliestTimer(): number {
    const { keepAliveAt } = this;
    return this.#at === undefined ? keepAliveAt : Math.min(this.#at[EARLIEST]!, keepAliveAt);
  }

  setTimer(timer: Timer, at: number): void {
    if (timer === TIMER.KEEP_ALIVE) {
      this.keepAliveAt = at;
      return;
    }
    this.#at ??= [OFF, OFF, OFF, OFF, OFF, OFF, OFF, OFF, OFF, OFF];
    this.#at[timer] = at;
    if (at < this.#at[EARLIEST]!) this.#at[EARLIEST] = at;
  }

  stopTimer(timer: Timer): void {
    if (timer === TIMER.KEEP_ALIVE) this.keepAliveAt = OFF;
    else if (this.#at !== undefined) this.#at[timer] = OFF;
  }

  stopTimers(): void {
    this.#at = undefined;
    this.keepAliveAt = OFF;
  }

  isRunning(timer: Timer): boolean {
    return this.timerAt(timer) !== OFF;
  }

  /** When `timer` is due, `Infinity` when it is off. */
  timerAt(timer: Timer): number {
    if (timer === TIMER.KEEP_ALIVE) return this.keepAliveAt;
    return this.#at === undefined ? OFF : this.#at[timer]!;
  }

  /** The timer that is due first and not after `now`, turned off; -1 when none is. */
  takeExpired(now: number): Timer | -1 {
    const timer = TimerTable.#first(this);
    if (timer === -1 || this.timerAt(timer) > now) return -1;
    this.stopTimer(timer);
    return timer;
  }

  /**
   * The timer that is due first, -1 when none runs; from here on the earliest deadline is known.
   * Static, as a private method would be a field of all.
   */
  static #first(table: TimerTable): Timer | -1 {
    const { keepAliveAt } = table;
    const at = table.#at;
    const first = at === undefined ? -1 : firstOf(at);
    if (first === -1) {
      table.#at = undefined;
      return keepAliveAt === OFF ? -1 : TIMER.KEEP_ALIVE;
    }
    at![EARLIEST] = at![first]!;
    return keepAliveAt < at![first]! ? TIMER.KEEP_ALIVE : first;
  }
}

/** The timer that is due first; -1: none runs. */
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
