/**
 * Round-trip time and retransmission timeout (RFC 6298).
 *
 * @module
 */
import type { TcpConfig } from "./config.ts";

/** RFC 6298 5.7. */
const AFTER_LOST_SYN_MS = 3000;

/** Estimates in milliseconds. */
export class RttEstimator {
  /** 0 before the first sample. */
  srtt = 0;
  rttvar = 0;
  /** The least sample seen (RFC 8985 6.1). */
  minRtt: number = Infinity;
  /** Doublings since the last sample of new data (RFC 6298 5.5). */
  backoff = 0;
  readonly #config: TcpConfig;
  #initial: number;

  constructor(config: TcpConfig) {
    this.#initial = config.initialRtoMs;
    this.#config = config;
  }

  /** RFC 6298 2.2 and 2.3. */
  sample(rtt: number): void {
    if (rtt < this.minRtt) this.minRtt = rtt;
    if (this.srtt === 0) {
      this.srtt = Math.max(rtt, 0.001);
      this.rttvar = rtt / 2;
    } else {
      this.rttvar += (Math.abs(this.srtt - rtt) - this.rttvar) / 4;
      this.srtt = Math.max(this.srtt + (rtt - this.srtt) / 8, 0.001);
    }
    this.backoff = 0;
  }

  /** RFC 6298 5.7: where the SYN had to be sent again, data begins with a longer timeout. */
  handshakeDone(): void {
    if (this.backoff > 0) this.#initial = Math.max(this.#initial, AFTER_LOST_SYN_MS);
    this.backoff = 0;
  }

  /** RTO with its backoff. */
  get rto(): number {
    const { minRtoMs, maxRtoMs } = this.#config;
    const base = this.srtt === 0
      ? this.#initial
      // The variance counts for no less than the floor, as the peer may delay its acknowledgement.
      : this.srtt + Math.max(4 * this.rttvar, minRtoMs);
    return Math.min(base * 2 ** this.backoff, maxRtoMs);
  }
}
