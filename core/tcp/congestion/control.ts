/**
 * The interface of congestion control algorithms.
 *
 * @module
 */

import type { FieldCodec } from "../frozen/field_codec.ts";

/** Delivery rate sample of the newest segment that has arrived. Sizes are in bytes. */
export interface DeliverySample {
  /** Bytes per millisecond, 0 when there is none. */
  readonly rate: number;
  /** The rate was limited by the application, not by the path. */
  readonly isApplicationLimited: boolean;
  /** `delivered` when the segment was sent; for counting round trips. */
  readonly priorDelivered: number;
  /** Bytes delivered since the connection began. */
  readonly delivered: number;
  /** Bytes in flight when the segment was sent, including itself. */
  readonly txInFlight: number;
  /** Bytes marked lost since the connection began, and that number when the segment was sent. */
  readonly lost: number;
  readonly priorLost: number;
  /** The application had nothing to send in this or the last round trip. */
  readonly applicationIsLimit: boolean;
  /** Marks the samples of everything in flight as application-limited. */
  markApplicationLimited(inFlight: number): void;
}

/** An acknowledgement, for the algorithm. */
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
  /** Bytes in flight after the acknowledgement. */
  readonly inFlight: number;
  /** Delivery rate, if the algorithm samples it. */
  readonly rate: DeliverySample | undefined;
  /** The congestion window was full when the acknowledged data was sent (RFC 9438 5.8). */
  readonly limited: boolean;
  /** The peer reports what it has received (RFC 2018): every loss is visible. */
  readonly hasSack: boolean;
  /**
   * Maximum growth of the window in slow start for this acknowledgement, in segments, without
   * pacing (L of RFC 3465 2.2 and RFC 9406 4.3).
   */
  readonly growthLimit: number;
}

/** A segment that has just been marked lost. Sizes are in bytes. */
export interface LostSegment {
  readonly start: number;
  readonly end: number;
  /** In flight when it was sent, including itself. */
  readonly txInFlight: number;
  /** `DeliverySample.lost` when it was sent. */
  readonly lostBefore: number;
  readonly applicationLimited: boolean;
}

/** An algorithm, one object for each connection. Sizes are in bytes. */
export interface CongestionControl {
  cwnd: number;
  ssthresh: number;
  /** In fast recovery, PRR controls the window (RFC 9937), not the algorithm. */
  readonly reducesProportionally: boolean;
  /** Pacing rate in bytes per millisecond; `undefined`: no pacing. */
  readonly pacingRate?: number | undefined;
  /** The algorithm uses delivery rate samples. */
  readonly samplesRate?: boolean;
  /** Visits the state, for a connection that moves to another stack. */
  visitFields(codec: FieldCodec): void;
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

  /** `segment` was marked lost; only with `samplesRate`. */
  onSegmentLost?(
    segment: LostSegment,
    rate: DeliverySample,
    now: number,
    hasSack: boolean,
  ): void;
  /** Recovery has ended. */
  onRecovered?(): void;
  /** Recovery was spurious (RFC 3522, RFC 5682, RFC 3708). */
  onSpuriousLoss?(rate: DeliverySample): void;
  /** ECE, once per round trip (RFC 3168 6.1.2); default: `onLoss`. */
  onCongestionEcho?(rate: DeliverySample, now: number): void;
  /** A tail loss probe has repaired a loss (RFC 8985 7.4); default: `onLoss`. */
  onTailLoss?(rate: DeliverySample): void;
  /** Data is sent while nothing is outstanding; only with `samplesRate`. */
  onRestart?(rate: DeliverySample, now: number): void;
}

/** The initial congestion window in bytes (RFC 6928 2). */
export function initialWindow(mss: number): number {
  return Math.min(10 * mss, Math.max(2 * mss, 14600));
}
