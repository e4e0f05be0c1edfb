/**
 * When things happened on a connection, and how long they take.
 *
 * @module
 */
import { TcbOccasions } from "./tcb_occasions.ts";

const SCHEDULED_AT = 0;
const HEARD_AT = 1;
const OUTSTANDING_SINCE = 2;
const PROGRESS_AT = 3;
const LAST_SENT_AT = 4;
const LAST_READ_AT = 5;
const READ_MARK_AT = 6;
const TS_RECENT_AT = 7;
const SRTT = 8;
const RTTVAR = 9;
const MIN_RTT = 10;
const KEEP_ALIVE_AT = 11;
const CHALLENGED_AT = 12;

/**
 * Milliseconds. In one array, as V8 makes an object of its own of each field with a fraction: they
 * were a tenth of what a connection held.
 */
export class TcbTimes extends TcbOccasions {
  readonly #times = [Infinity, 0, 0, 0, 0, 0, 0, 0, 0, 0, Infinity, Infinity, -Infinity];

  /** Where it is in the stack's heap of deadlines, `Infinity`: it is not. */
  get scheduledAt(): number {
    return this.#times[SCHEDULED_AT]!;
  }
  set scheduledAt(at: number) {
    this.#times[SCHEDULED_AT] = at;
  }

  /** When the peer was heard last. */
  get heardAt(): number {
    return this.#times[HEARD_AT]!;
  }
  set heardAt(at: number) {
    this.#times[HEARD_AT] = at;
  }

  /** When something was sent after a time with nothing outstanding. */
  get outstandingSince(): number {
    return this.#times[OUTSTANDING_SINCE]!;
  }
  set outstandingSince(at: number) {
    this.#times[OUTSTANDING_SINCE] = at;
  }

  /** When a byte was acknowledged last, or written to an empty buffer. */
  get progressAt(): number {
    return this.#times[PROGRESS_AT]!;
  }
  set progressAt(at: number) {
    this.#times[PROGRESS_AT] = at;
  }

  /** When a segment was sent last. */
  get lastSentAt(): number {
    return this.#times[LAST_SENT_AT]!;
  }
  set lastSentAt(at: number) {
    this.#times[LAST_SENT_AT] = at;
  }

  /** When the application read last. */
  get lastReadAt(): number {
    return this.#times[LAST_READ_AT]!;
  }
  set lastReadAt(at: number) {
    this.#times[LAST_READ_AT] = at;
  }

  /** When the growth of the receive buffer was thought about last. */
  get readMarkAt(): number {
    return this.#times[READ_MARK_AT]!;
  }
  set readMarkAt(at: number) {
    this.#times[READ_MARK_AT] = at;
  }

  /** When the timestamp to echo came (RFC 7323 5.5). */
  get tsRecentAt(): number {
    return this.#times[TS_RECENT_AT]!;
  }
  set tsRecentAt(at: number) {
    this.#times[TS_RECENT_AT] = at;
  }

  /** The smoothed round-trip time (RFC 6298 2), 0 before the first sample. */
  get srtt(): number {
    return this.#times[SRTT]!;
  }
  set srtt(ms: number) {
    this.#times[SRTT] = ms;
  }

  /** Its variation (RFC 6298 2). */
  get rttvar(): number {
    return this.#times[RTTVAR]!;
  }
  set rttvar(ms: number) {
    this.#times[RTTVAR] = ms;
  }

  /** The least sample seen (RFC 8985 6.1). */
  get minRtt(): number {
    return this.#times[MIN_RTT]!;
  }
  set minRtt(ms: number) {
    this.#times[MIN_RTT] = ms;
  }

  /** When a silent peer is asked whether it is there, `Infinity`: it is not. */
  get keepAliveAt(): number {
    return this.#times[KEEP_ALIVE_AT]!;
  }
  set keepAliveAt(at: number) {
    this.#times[KEEP_ALIVE_AT] = at;
  }

  /**
   * When a segment from outside of the window was answered last (RFC 5961 7). Keep-alives are among
   * them, which every idle connection gets: so it is no occasion.
   */
  get challengedAt(): number {
    return this.#times[CHALLENGED_AT]!;
  }
  set challengedAt(at: number) {
    this.#times[CHALLENGED_AT] = at;
  }
}
