import { type AckSample, type CongestionControl, initialWindow } from "./control.ts";
import { MaxFilter } from "./max_filter.ts";

/** Doubles the rate each round trip: 2 / ln 2. */
const STARTUP_GAIN = 2.885;
/** One round trip each: probe for more, give back what queued, cruise. */
const CYCLE = [1.25, 0.75, 1, 1, 1, 1, 1, 1];
const WINDOW_GAIN = 2;
/** The bandwidth is the best of this many round trips. */
const BANDWIDTH_ROUNDS = 10;
/** The least round-trip time is looked for anew after this long, for so long. */
const MIN_RTT_AGE_MS = 10_000;
const PROBE_RTT_MS = 200;
/** The pipe is full when the rate grew by less than a quarter in three round trips. */
const FULL_GROWTH = 1.25;
const FULL_ROUNDS = 3;
const LEAST_SEGMENTS = 4;

/**
 * BBR: the window and the pace follow the bottleneck's bandwidth and the least round-trip time, as
 * Cardwell and others describe it ("BBR: Congestion-Based Congestion Control", 2016). A loss alone
 * changes nothing.
 */
export class Bbr implements CongestionControl {
  readonly reducesProportionally = false;
  readonly samplesRate = true;
  cwnd: number;
  ssthresh: number = Infinity;
  pacingRate: number | undefined = undefined;
  #mss: number;
  #state: "startup" | "drain" | "probe-bandwidth" | "probe-rtt" = "startup";
  readonly #bandwidth = new MaxFilter(BANDWIDTH_ROUNDS);
  #minRtt = Infinity;
  #minRttAt = 0;
  #round = 0;
  #roundEnds = 0;
  #fullBandwidth = 0;
  #roundsWithoutGrowth = 0;
  #cycleIndex = 0;
  #cycleBegan = 0;
  #probeRttEnds = 0;

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
    const startsRound = this.#countRounds(sample);
    this.#takeBandwidth(sample);
    this.#takeRtt(sample);
    if (startsRound && this.#state === "startup") this.#checkFullPipe(sample);
    this.#advance(sample);
    this.#setPace(sample);
    this.#setWindow(sample);
  }

  #countRounds({ rate }: AckSample): boolean {
    if (rate === undefined || rate.priorDelivered < this.#roundEnds) return false;
    this.#roundEnds = rate.delivered;
    this.#round++;
    return true;
  }

  #takeBandwidth({ rate }: AckSample): void {
    if (rate === undefined || rate.rate <= 0) return;
    // A sample that the application limited counts only when it is the best yet.
    if (rate.isApplicationLimited && rate.rate < this.#bandwidth.max) return;
    this.#bandwidth.add(rate.rate, this.#round);
  }

  #takeRtt({ rtt, now }: AckSample): void {
    if (rtt < 0) return;
    const expired = now - this.#minRttAt > MIN_RTT_AGE_MS;
    if (expired && this.#state === "probe-bandwidth") {
      this.#state = "probe-rtt";
      this.#probeRttEnds = now + PROBE_RTT_MS;
    }
    if (rtt > this.#minRtt && !expired) return;
    this.#minRtt = Math.max(rtt, 0.001);
    this.#minRttAt = now;
  }

  #checkFullPipe({ rate }: AckSample): void {
    if (rate?.isApplicationLimited) return;
    if (this.#bandwidth.max >= this.#fullBandwidth * FULL_GROWTH) {
      this.#fullBandwidth = this.#bandwidth.max;
      this.#roundsWithoutGrowth = 0;
    } else if (++this.#roundsWithoutGrowth >= FULL_ROUNDS) {
      this.#state = "drain";
    }
  }

  #advance({ now, inFlight }: AckSample): void {
    if (this.#state === "drain" && inFlight <= this.#bandwidthDelay()) this.#startCycle(now);
    else if (this.#state === "probe-rtt" && now >= this.#probeRttEnds) this.#startCycle(now);
    else if (this.#state === "probe-bandwidth" && now - this.#cycleBegan > this.#minRtt) {
      this.#cycleIndex = (this.#cycleIndex + 1) % CYCLE.length;
      this.#cycleBegan = now;
    }
  }

  #startCycle(now: number): void {
    this.#state = "probe-bandwidth";
    this.#cycleIndex = 2;
    this.#cycleBegan = now;
  }

  #gain(): number {
    if (this.#state === "startup") return STARTUP_GAIN;
    if (this.#state === "drain") return 1 / STARTUP_GAIN;
    return this.#state === "probe-rtt" ? 1 : CYCLE[this.#cycleIndex]!;
  }

  #bandwidthDelay(): number {
    return this.#minRtt === Infinity
      ? initialWindow(this.#mss)
      : this.#bandwidth.max * this.#minRtt;
  }

  #setPace({ srtt }: AckSample): void {
    if (srtt === 0) return;
    // Not slower than the least window goes, however long the silence behind a sample was.
    const least = LEAST_SEGMENTS * this.#mss / srtt;
    this.pacingRate = this.#bandwidth.max > 0
      ? Math.max(this.#gain() * this.#bandwidth.max, least)
      : STARTUP_GAIN * initialWindow(this.#mss) / srtt;
  }

  #setWindow({ bytes }: AckSample): void {
    const least = LEAST_SEGMENTS * this.#mss;
    if (this.#state === "probe-rtt") {
      this.cwnd = least;
      return;
    }
    const gain = this.#state === "startup" || this.#state === "drain" ? STARTUP_GAIN : WINDOW_GAIN;
    // Three segments more, so that delayed acknowledgements do not stop the sender.
    const target = Math.max(gain * this.#bandwidthDelay() + 3 * this.#mss, least);
    const isFull = this.#state !== "startup";
    this.cwnd = isFull ? Math.min(this.cwnd + bytes, target) : this.cwnd + bytes;
    this.cwnd = Math.max(this.cwnd, least);
  }

  onLoss(): void {}

  onTimeout(): void {
    this.cwnd = this.#mss;
  }

  onIdle(): void {}
}
