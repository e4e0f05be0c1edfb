import type { FieldCodec } from "../../frozen/field_codec.ts";
import type { DeliverySample } from "../control.ts";

/** Packet-timed round trips (draft-ietf-ccwg-bbr 5.5.1). */
export class Rounds {
  count = 0;
  /** The current acknowledgement is the first of a round. */
  starts = false;
  /** Rounds since the last bandwidth probe. */
  sinceProbe = 0;
  #ends = 0;

  visitFields(codec: FieldCodec): void {
    this.count = codec.count("count", this.count);
    this.starts = codec.flag("starts", this.starts);
    this.sinceProbe = codec.count("sinceProbe", this.sinceProbe);
    this.#ends = codec.count("ends", this.#ends);
  }

  /**
   * A sample without a rate starts no round. Its interval is shorter than a round trip, because the ACK was for the
   * original of a retransmitted segment.
   */
  update({ priorDelivered, delivered, rate }: DeliverySample): void {
    this.starts = rate > 0 && priorDelivered >= this.#ends;
    if (!this.starts) return;
    this.restart(delivered);
    this.count++;
    this.sinceProbe++;
  }

  /** A round begins with the next segment. */
  restart(delivered: number): void {
    this.#ends = delivered;
  }
}
