import { type AckSample, type CongestionControl, initialWindow } from "./control.ts";
import { HyStart } from "./hystart.ts";

/** RFC 5681 with RFC 6582's recovery, which lives in `core/tcp/recovery.ts`. */
export class NewReno implements CongestionControl {
  readonly reducesProportionally = true;
  cwnd: number;
  ssthresh: number = Infinity;
  /** RFC 9406: only the first slow start is watched, later ones know their ssthresh. */
  readonly #hystart = new HyStart();
  #mss: number;
  /** Bytes acknowledged towards the next segment of growth (RFC 5681 3.1, counted in bytes). */
  #acked = 0;

  constructor(mss: number) {
    this.#mss = mss;
    this.cwnd = initialWindow(mss);
  }

  setMss(mss: number): void {
    // The peer's MSS comes with its SYN: the initial window is of segments of that size.
    if (this.cwnd === initialWindow(this.#mss)) this.cwnd = initialWindow(mss);
    this.#mss = mss;
  }

  onAck(sample: AckSample): void {
    if (!sample.limited) return;
    if (this.cwnd < this.ssthresh) {
      const growth = this.ssthresh === Infinity ? this.#hystart.growth(sample) : 1;
      this.cwnd += growth * sample.bytes;
      if (growth === 0) this.ssthresh = this.cwnd;
      return;
    }
    this.#acked += sample.bytes;
    if (this.#acked < this.cwnd) return;
    this.#acked -= this.cwnd;
    this.cwnd += this.#mss;
  }

  onLoss(flightSize: number): void {
    this.ssthresh = Math.max(flightSize / 2, 2 * this.#mss);
    this.cwnd = this.ssthresh;
    this.#acked = 0;
  }

  onTimeout(flightSize: number, repeated: boolean): void {
    if (!repeated) this.ssthresh = Math.max(flightSize / 2, 2 * this.#mss);
    this.cwnd = this.#mss;
    this.#acked = 0;
  }

  onIdle(): void {
    this.cwnd = Math.min(this.cwnd, initialWindow(this.#mss));
  }
}
