/**
 * Delivery rate samples (draft-ietf-ccwg-bbr 4.1), for model-based congestion control. The sections
 * in comments are the draft's.
 *
 * @module
 */
import type { FieldCodec } from "../frozen/field_codec.ts";
import type { SentRange } from "../recovery/scoreboard.ts";
import type { DeliverySample } from "./control.ts";

/** Counters of one connection, and its newest sample. Bytes and milliseconds. */
export class RateSampler implements DeliverySample {
  delivered = 0;
  lost = 0;
  rate = 0;
  isApplicationLimited = false;
  priorDelivered = 0;
  priorLost = 0;
  txInFlight = 0;
  #deliveredAt = 0;
  /** When the newest acknowledged segment was sent, or the first one after an idle period. */
  #firstSentAt = 0;
  /** Samples are application-limited until this much is delivered. */
  #applicationLimitedUntil = 0;
  #newestOrder = 0;
  #interval = 0;
  /** Time since the newest acknowledged segment was sent. */
  #age = 0;

  get applicationIsLimit(): boolean {
    return this.#applicationLimitedUntil > this.delivered;
  }

  /** Visits the state, except for what is valid during a single acknowledgement only. */
  visitFields(codec: FieldCodec): void {
    this.delivered = codec.count("delivered", this.delivered);
    this.lost = codec.count("lost", this.lost);
    this.rate = codec.real("rate", this.rate);
    this.isApplicationLimited = codec.flag("isApplicationLimited", this.isApplicationLimited);
    this.priorDelivered = codec.count("priorDelivered", this.priorDelivered);
    this.priorLost = codec.count("priorLost", this.priorLost);
    this.txInFlight = codec.count("txInFlight", this.txInFlight);
    this.#deliveredAt = codec.time("deliveredAt", this.#deliveredAt);
    this.#firstSentAt = codec.time("firstSentAt", this.#firstSentAt);
    this.#applicationLimitedUntil = codec.count(
      "applicationLimitedUntil",
      this.#applicationLimitedUntil,
    );
  }

  /** `range` is sent, with `inFlight` bytes now in flight (4.1.2.2). */
  sent(range: SentRange, inFlight: number, now: number): void {
    if (inFlight === range.length) this.#firstSentAt = this.#deliveredAt = now;
    range.delivered = this.delivered;
    range.deliveredAt = this.#deliveredAt;
    range.firstSentAt = this.#firstSentAt;
    range.applicationLimited = this.applicationIsLimit;
    range.txInFlight = inFlight;
    range.lostBefore = this.lost;
  }

  /** Starts a new acknowledgement (4.1.2.3). */
  begin(): void {
    this.#newestOrder = -1;
    this.rate = 0;
  }

  /** `range` has arrived. */
  arrived(range: SentRange, now: number): void {
    this.delivered += range.length;
    this.#deliveredAt = now;
    // SYNs and window probes are not sampled. Of several segments, the one sent last is the sample.
    if (range.deliveredAt < 0 || range.order < this.#newestOrder) return;
    this.#newestOrder = range.order;
    this.priorDelivered = range.delivered;
    this.priorLost = range.lostBefore;
    this.txInFlight = range.txInFlight;
    this.isApplicationLimited = range.applicationLimited;
    const sendTime = range.sentAt - range.firstSentAt;
    // The slower of send rate and ACK rate is the estimate for the path.
    this.#interval = Math.max(sendTime, now - range.deliveredAt);
    this.#age = now - range.sentAt;
    this.#firstSentAt = range.sentAt;
  }

  /**
   * Ends the acknowledgement. An interval shorter than `minRtt` gives no sample, and neither does a segment
   * that was retransmitted less than `minRtt` ago: it is the original that has arrived.
   */
  finish(minRtt: number): void {
    if (this.#newestOrder < 0 || this.#interval <= 0) return;
    if (this.#interval < minRtt || this.#age < minRtt) return;
    this.rate = (this.delivered - this.priorDelivered) / this.#interval;
  }

  /** There is room in the window and nothing to send (4.1.2.4). */
  markApplicationLimited(inFlight: number): void {
    this.#applicationLimitedUntil = this.delivered + inFlight + 1;
  }
}
