/**
 * What a congestion control algorithm is.
 *
 * @module
 */

import type { RateSampler } from "../rate_sampler.ts";

/** What an acknowledgement tells. */
export interface AckSample {
  /** Bytes newly acknowledged or sacked. */
  readonly bytes: number;
  readonly now: number;
  /** Smoothed round-trip time in milliseconds, 0 when unknown. */
  readonly srtt: number;
  /** This acknowledgement's round-trip time in milliseconds, -1 when it has none. */
  readonly rtt: number;
  readonly sndUna: number;
  readonly sndNxt: number;
  /** Bytes in the network after it. */
  readonly inFlight: number;
  /** The delivery rate, where the algorithm asked for it. */
  readonly rate: RateSampler | undefined;
  /** The sender had more to send than it was allowed to (RFC 7661). */
  readonly limited: boolean;
}

/** An algorithm, one object for each connection. Sizes are in bytes. */
export interface CongestionControl {
  cwnd: number;
  ssthresh: number;
  /** Fast recovery reduces the window proportionally (RFC 6937), not this algorithm. */
  readonly reducesProportionally: boolean;
  /** Bytes per millisecond at which segments are to leave; `undefined`: at once. */
  readonly pacingRate?: number | undefined;
  /** It wants delivery rate samples. */
  readonly samplesRate?: boolean;
  /** The segment size has changed. */
  setMss(mss: number): void;
  /** Data was acknowledged outside of fast recovery. */
  onAck(sample: AckSample): void;
  /** A segment is lost: fast recovery begins. */
  onLoss(flightSize: number, now: number): void;
  /** The retransmission timer expired; `repeated` for the same data (RFC 5681 3.1). */
  onTimeout(flightSize: number, repeated: boolean, now: number): void;
  /** Nothing was sent for longer than the RTO (RFC 5681 4.1). */
  onIdle(): void;
}

/** RFC 6928 2. */
export function initialWindow(mss: number): number {
  return Math.min(10 * mss, Math.max(2 * mss, 14600));
}
