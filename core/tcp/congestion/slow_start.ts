import type { FieldCodec } from "../frozen/field_codec.ts";
import { type AckSample, initialWindow } from "./control.ts";
import { HyStart } from "./hystart.ts";

/** Base of loss-based algorithms: the initial window, and growth up to ssthresh. */
export abstract class SlowStart {
  cwnd: number;
  ssthresh: number = Infinity;
  protected mss: number;
  /** Created when the window first grows, which is rare; dropped at the end of slow start. */
  #hystart: HyStart | undefined = undefined;

  constructor(mss: number) {
    this.mss = mss;
    this.cwnd = initialWindow(mss);
  }

  get reducesProportionally(): boolean {
    return true;
  }

  visitFields(codec: FieldCodec): void {
    this.cwnd = codec.real("cwnd", this.cwnd);
    this.ssthresh = codec.limit("ssthresh", this.ssthresh);
    this.mss = codec.count("mss", this.mss, 0xffff);
    this.#hystart = codec.optional(
      "hystart",
      this.#hystart,
      () => new HyStart(),
      (hystart) => {
        codec.part("hystart", () => hystart.visitFields(codec));
        return hystart;
      },
    );
  }

  setMss(mss: number): void {
    // The initial window depends on the MSS, which is only known from the peer's SYN.
    if (this.cwnd === initialWindow(this.mss)) this.cwnd = initialWindow(mss);
    this.mss = mss;
  }

  onAck(sample: AckSample): void {
    // RFC 7661, RFC 9438 5.8: no growth while the flow is application-limited.
    if (!sample.limited) return;
    if (this.cwnd < this.ssthresh) this.#grow(sample);
    else this.avoidCongestion(sample);
  }

  /** HyStart++ is for the first slow start only: later ones have an ssthresh (RFC 9406). */
  #grow(sample: AckSample): void {
    const growth = this.ssthresh === Infinity ? this.#watched.growth(sample) : 1;
    this.cwnd = Math.min(this.cwnd + growth * slowStartBytes(sample, this.mss), this.ssthresh);
    if (growth === 0) this.ssthresh = this.cwnd;
    if (this.ssthresh !== Infinity) this.#hystart = undefined;
  }

  get #watched(): HyStart {
    return this.#hystart ??= new HyStart();
  }

  protected abstract avoidCongestion(sample: AckSample): void;
}

/** RFC 9406 4.3: limits the burst after an acknowledgement of many segments. */
export function slowStartBytes({ bytes, growthLimit }: AckSample, mss: number): number {
  return Math.min(bytes, growthLimit * mss);
}
