import { type AckSample, initialWindow } from "./control.ts";
import { HyStart } from "./hystart.ts";

/** What algorithms that go by loss have in common: the initial window, and growth up to ssthresh. */
export abstract class SlowStart {
  cwnd: number;
  ssthresh: number = Infinity;
  protected mss: number;
  /** From the window's first growth, which most connections never see, to the end of slow start. */
  #hystart: HyStart | undefined = undefined;

  constructor(mss: number) {
    this.mss = mss;
    this.cwnd = initialWindow(mss);
  }

  get reducesProportionally(): boolean {
    return true;
  }

  setMss(mss: number): void {
    // The peer's MSS comes with its SYN: the initial window is of segments of that size.
    if (this.cwnd === initialWindow(this.mss)) this.cwnd = initialWindow(mss);
    this.mss = mss;
  }

  onAck(sample: AckSample): void {
    // RFC 7661 and RFC 9438 5.8: no growth while the application is the limit.
    if (!sample.limited) return;
    if (this.cwnd < this.ssthresh) this.#grow(sample);
    else this.avoidCongestion(sample);
  }

  /** RFC 9406: only the first slow start is watched, later ones know their ssthresh. */
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

/** RFC 9406 4.3: an acknowledgement of many segments does not let a burst of twice as many out. */
export function slowStartBytes({ bytes, growthLimit }: AckSample, mss: number): number {
  return Math.min(bytes, growthLimit * mss);
}
