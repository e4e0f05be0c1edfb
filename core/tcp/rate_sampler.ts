/**
 * Delivery rate samples: how many bytes arrived in which time, for congestion control that goes
 * by bandwidth rather than by loss.
 *
 * @module
 */
import type { SentRange } from "./scoreboard.ts";
import type { Tcb } from "./tcb.ts";

/** The counters of one connection. Bytes and milliseconds. */
export class RateSampler {
  /** Bytes that have arrived since the connection began. */
  delivered = 0;
  deliveredAt = 0;
  /** When the first of the bytes in flight was sent. */
  firstSentAt = 0;
  /** Bytes delivered when sending was last limited by the application; until then samples are low. */
  applicationLimitedUntil = 0;
  /** The newest sample in bytes per millisecond, 0 when there is none. */
  rate = 0;
  /** That sample is no more than what the application had to send. */
  isApplicationLimited = false;
  /** Bytes delivered when the segment of the newest sample was sent: tells round trips apart. */
  priorDelivered = 0;
  #newestSentAt = -Infinity;

  /** `range` leaves now. */
  sent(tcb: Tcb, range: SentRange, now: number): void {
    if (tcb.scoreboard.inFlight === range.length) {
      this.firstSentAt = this.deliveredAt = now;
    }
    range.delivered = this.delivered;
    range.deliveredAt = this.deliveredAt;
    range.firstSentAt = this.firstSentAt;
    range.applicationLimited = this.applicationLimitedUntil > this.delivered;
  }

  /** A new acknowledgement is being taken. */
  begin(): void {
    this.#newestSentAt = -Infinity;
    this.rate = 0;
  }

  /** `range` has arrived. */
  arrived(range: SentRange, now: number): void {
    this.delivered += range.length;
    this.deliveredAt = now;
    // A SYN or a window probe says nothing about bandwidth.
    if (range.deliveredAt < 0 || range.sentAt < this.#newestSentAt) return;
    this.#newestSentAt = range.sentAt;
    this.priorDelivered = range.delivered;
    this.isApplicationLimited = range.applicationLimited;
    this.firstSentAt = range.sentAt;
    const sendTime = range.sentAt - range.firstSentAt;
    const ackTime = now - range.deliveredAt;
    // The slower of the two is what the path carries.
    const time = Math.max(sendTime, ackTime);
    this.rate = time > 0 ? (this.delivered - range.delivered) / time : 0;
  }

  /** The application has nothing more to send. */
  applicationLimited(inFlight: number): void {
    this.applicationLimitedUntil = this.delivered + inFlight + 1;
  }
}
