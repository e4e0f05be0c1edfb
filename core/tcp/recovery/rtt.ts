/**
 * Round-trip time and retransmission timeout (RFC 6298).
 *
 * @module
 */
import type { TcpConfig } from "../config.ts";
import { TimerTable } from "../timers/timers.ts";

/** RFC 6298 5.7. */
const AFTER_LOST_SYN_MS = 3000;

/** Estimates in milliseconds: a part of the connection, as an object is more to keep. */
export class RttEstimator extends TimerTable {
  readonly config: TcpConfig;

  constructor(config: TcpConfig) {
    super();
    this.config = config;
  }

  /** RFC 6298 2.2 and 2.3. */
  sampleRtt(rtt: number): void {
    const { srtt, rttvar } = this;
    this.probedSinceSample = false;
    if (rtt < this.minRtt) this.minRtt = rtt;
    if (srtt === 0) {
      this.srtt = Math.max(rtt, 0.001);
      this.rttvar = rtt / 2;
    } else {
      this.rttvar = rttvar + (Math.abs(srtt - rtt) - rttvar) / 4;
      this.srtt = Math.max(srtt + (rtt - srtt) / 8, 0.001);
    }
    this.rtoBackoff = 0;
  }

  /** RFC 6298 5.7: where the SYN had to be sent again, data begins with a longer timeout. */
  handshakeDone(): void {
    if (this.rtoBackoff > 0) this.synWasRepeated = true;
    this.rtoBackoff = 0;
  }

  /** RTO with its backoff. */
  get rto(): number {
    const { srtt } = this;
    const { minRtoMs, maxRtoMs, initialRtoMs } = this.config;
    const initial = this.synWasRepeated ? Math.max(initialRtoMs, AFTER_LOST_SYN_MS) : initialRtoMs;
    // The variance counts for no less than the floor, as the peer may delay its acknowledgement.
    const base = srtt === 0 ? initial : srtt + Math.max(4 * this.rttvar, minRtoMs);
    const { rtoBackoff } = this;
    return Math.min(rtoBackoff === 0 ? base : base * 2 ** rtoBackoff, maxRtoMs);
  }
}
