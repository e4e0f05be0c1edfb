import { type AckSample, type CongestionControl, initialWindow } from "./control.ts";
import { SlowStart } from "./slow_start.ts";

/** RFC 9438 4.1 and 4.6. */
const C = 0.4;
const BETA = 0.7;
/** RFC 9438 4.3. */
const ALPHA = 3 * (1 - BETA) / (1 + BETA);

/** CUBIC (RFC 9438). Its windows are counted in segments, as in the RFC's formulas. */
export class Cubic extends SlowStart implements CongestionControl {
  #wMax = 0;
  #wEst = 0;
  #k = 0;
  /** When this congestion avoidance stage began; 0: it has not. */
  #epochStart = 0;

  protected override avoidCongestion(sample: AckSample): void {
    const mss = this.mss;
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
    this.cwnd = this.mss;
  }

  #reduce(flightSize: number): void {
    const window = this.cwnd / this.mss;
    // RFC 9438 4.7, fast convergence.
    this.#wMax = window < this.#wMax ? window * (1 + BETA) / 2 : window;
    this.#epochStart = 0;
    this.ssthresh = Math.max(Math.min(this.cwnd, flightSize) * BETA, 2 * this.mss);
  }

  onIdle(): void {
    this.cwnd = Math.min(this.cwnd, initialWindow(this.mss));
    this.#epochStart = 0;
  }
}
