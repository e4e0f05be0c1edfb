import type { FieldCodec } from "../../frozen/field_codec.ts";
import type { DeliverySample } from "../control.ts";
import { BETA } from "./parameters.ts";

/**
 * The short-term model: after a loss, the delivery of the last round trip bounds rate and volume until
 * the next bandwidth probe (5.5.10.3).
 */
export class ShortTermModel {
  /** `BBR.bw_shortterm` and `BBR.inflight_shortterm`; `Infinity`: no bound. */
  bandwidth = Infinity;
  inflight = Infinity;
  /** Maximum delivery in this round. */
  latestBandwidth = 0;
  latestInflight = 0;
  lossInRound = false;
  /** The current acknowledgement is the first of a round that began with or after a loss. */
  roundStarts = false;
  #roundEnds = 0;

  visitFields(codec: FieldCodec): void {
    this.bandwidth = codec.limit("bandwidth", this.bandwidth);
    this.inflight = codec.limit("inflight", this.inflight);
    this.latestBandwidth = codec.real("latestBandwidth", this.latestBandwidth);
    this.latestInflight = codec.real("latestInflight", this.latestInflight);
    this.lossInRound = codec.flag("lossInRound", this.lossInRound);
    this.roundStarts = codec.flag("roundStarts", this.roundStarts);
    this.#roundEnds = codec.count("roundEnds", this.#roundEnds);
  }

  /** Returns whether it is the first loss of its round. */
  noteLoss(delivered: number): boolean {
    const isFirst = !this.lossInRound;
    if (isFirst) this.#roundEnds = delivered;
    this.lossInRound = true;
    return isFirst;
  }

  /** First step of an acknowledgement. */
  updateLatest(rs: DeliverySample): void {
    this.latestBandwidth = Math.max(this.latestBandwidth, rs.rate);
    this.latestInflight = Math.max(this.latestInflight, rs.delivered - rs.priorDelivered);
    this.roundStarts = rs.priorDelivered >= this.#roundEnds;
    if (this.roundStarts) this.#roundEnds = rs.delivered;
  }

  /** Last step of an acknowledgement. */
  advanceLatest(rs: DeliverySample): void {
    if (!this.roundStarts) return;
    this.latestBandwidth = rs.rate;
    this.latestInflight = rs.delivered - rs.priorDelivered;
  }

  /** Called once for each round trip with losses. */
  adapt(maxBandwidth: number, cwnd: number): void {
    if (this.bandwidth === Infinity) this.bandwidth = maxBandwidth;
    if (this.inflight === Infinity) this.inflight = cwnd;
    this.bandwidth = Math.max(this.latestBandwidth, BETA * this.bandwidth);
    this.inflight = Math.max(this.latestInflight, BETA * this.inflight);
  }

  resetSignals(): void {
    this.lossInRound = false;
    this.latestBandwidth = this.latestInflight = 0;
  }

  resetBounds(): void {
    this.bandwidth = this.inflight = Infinity;
  }
}
