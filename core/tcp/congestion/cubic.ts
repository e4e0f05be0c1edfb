import type { FieldCodec } from "../frozen/field_codec.ts";
import { type AckSample, type CongestionControl, initialWindow } from "./control.ts";
import { SlowStart } from "./slow_start.ts";

/** The constants of the cubic function and of the decrease (RFC 9438 4.1 and 4.6). */
const C = 0.4;
const BETA = 0.7;
/** Growth of W_est per round trip, in segments (RFC 9438 4.3). */
const ALPHA = 3 * (1 - BETA) / (1 + BETA);

/** The parameters of the cubic function. */
class Curve {
  /** The window at the last loss (RFC 9438 4.1). */
  wMax = 0;
  /** The window before that loss, without fast convergence (RFC 9438 4.1). */
  prior = 0;
  /** The window of Reno (RFC 9438 4.3). */
  wEst = 0;
  k = 0;
  /** When this congestion avoidance stage began; 0: not yet. */
  start = 0;

  visitFields(codec: FieldCodec): void {
    this.wMax = codec.real("wMax", this.wMax);
    this.prior = codec.real("prior", this.prior);
    this.wEst = codec.real("wEst", this.wEst);
    this.k = codec.real("k", this.k);
    this.start = codec.time("start", this.start);
  }
}

/** CUBIC (RFC 9438). Windows are in segments, as in the RFC's formulas. */
export class Cubic extends SlowStart implements CongestionControl {
  /** Created on first use: most connections never leave slow start. */
  #made: Curve | undefined = undefined;

  get #curve(): Curve {
    return this.#made ??= new Curve();
  }

  override visitFields(codec: FieldCodec): void {
    super.visitFields(codec);
    this.#made = codec.optional("curve", this.#made, () => new Curve(), (curve) => {
      codec.part("curve", () => curve.visitFields(codec));
      return curve;
    });
  }

  protected override avoidCongestion(sample: AckSample): void {
    const mss = this.mss;
    const window = this.cwnd / mss;
    const curve = this.#curve;
    if (curve.start === 0) startEpoch(curve, window, sample.now);
    const t = (sample.now - curve.start + sample.srtt) / 1000;
    const cubic = C * (t - curve.k) ** 3 + curve.wMax;
    const acked = sample.bytes / mss;
    // RFC 9438 4.3: above the window before the loss, W_est grows as in Reno.
    curve.wEst += (curve.wEst < curve.prior ? ALPHA : 1) * acked / window;
    const target = Math.min(Math.max(cubic, window), 1.5 * window);
    const grown = window + (target - window) / window * acked;
    this.cwnd = Math.max(grown, curve.wEst) * mss;
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
    const curve = this.#curve;
    curve.prior = window;
    curve.wMax = window < curve.wMax ? window * (1 + BETA) / 2 : window;
    curve.start = 0;
    this.ssthresh = Math.max(Math.min(this.cwnd, flightSize) * BETA, 2 * this.mss);
  }

  onIdle(): void {
    this.cwnd = Math.min(this.cwnd, initialWindow(this.mss));
    if (this.#made !== undefined) this.#made.start = 0;
  }
}

function startEpoch(curve: Curve, window: number, now: number): void {
  curve.start = now;
  curve.wEst = window;
  if (curve.wMax <= window) {
    curve.wMax = window;
    curve.k = 0;
  } else {
    curve.k = Math.cbrt((curve.wMax - window) / C);
  }
}
