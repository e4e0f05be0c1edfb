import { type AckSample, type CongestionControl, initialWindow } from "./control.ts";
import { HyStart } from "./hystart.ts";

/** RFC 9438 4.1 and 4.6. */
const C = 0.4;
const BETA = 0.7;
/** RFC 9438 4.3. */
const ALPHA = 3 * (1 - BETA) / (1 + BETA);

/** CUBIC (RFC 9438). Its windows are counted in segments, as in the RFC's formulas. */
export class Cubic implements CongestionControl {
  readonly reducesProportionally = true;
  cwnd: number;
  ssthresh: number = Infinity;
  readonly #hystart = new HyStart();
  #mss: number;
  #wMax = 0;
  #wEst = 0;
  #k = 0;
  /** When this congestion avoidance stage began; 0: it has not. */
  #epochStart = 0;

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
    // RFC 9438 5.8: no growth while the application is the limit.
    if (!sample.limited) return;
    if (this.cwnd < this.ssthresh) this.#slowStart(sample);
    else this.#avoidCongestion(sample);
  }

  /** RFC 9406: only the first slow start is watched, later ones know their ssthresh. */
  #slowStart(sample: AckSample): void {
    const growth = this.ssthresh === Infinity ? this.#hystart.growth(sample) : 1;
    this.cwnd += growth * sample.bytes;
    if (growth === 0) this.ssthresh = this.cwnd;
  }

  #avoidCongestion(sample: AckSample): void {
    const mss = this.#mss;
    const window = this.cwnd / mss;
    if (this.#epochStart === 0) this.#startEpoch(window, sample.now);
    const t = (sample.now - this.#epochStart + sample.srtt) / 1000;
    const cubic = C * (t - this.#k) ** 3 + this.#wMax;
    const acked = sample.bytes / mss;
    // RFC 9438 4.3: once the window at the loss is reached, growth is Reno's.
    this.#wEst += (this.#wEst < this.#wMax ? ALPHA : 1) * acked / window;
    const target = Math.min(Math.max(cubic, window), 1.5 * window);
    const grown = window + (target - window) / window * acked;
    this.cwnd = Math.max(grown, this.#wEst) * mss;
  }

  #startEpoch(window: number, now: number): void {
    this.#epochStart = now;
    this.#wEst = window;
    if (this.#wMax <= window) {
      this.#wMax = window;
      this.#k = 0;
    } else {
      this.#k = Math.cbrt((this.#wMax - window) / C);
    }
  }

  onLoss(flightSize: number): void {
    this.#reduce(flightSize);
    this.cwnd = this.ssthresh;
  }

  onTimeout(flightSize: number, repeated: boolean): void {
    if (!repeated) this.#reduce(flightSize);
    this.cwnd = this.#mss;
  }

  #reduce(flightSize: number): void {
    const window = this.cwnd / this.#mss;
    // RFC 9438 4.7, fast convergence.
    this.#wMax = window < this.#wMax ? window * (1 + BETA) / 2 : window;
    this.#epochStart = 0;
    this.ssthresh = Math.max(Math.min(this.cwnd, flightSize) * BETA, 2 * this.#mss);
  }

  onIdle(): void {
    this.cwnd = Math.min(this.cwnd, initialWindow(this.#mss));
    this.#epochStart = 0;
  }
}
