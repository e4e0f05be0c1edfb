/**
 * What a congestion control algorithm is.
 *
 * @module
 */

/** What the newest segment that has arrived says about the rate of delivery. Bytes. */
export interface DeliverySample {
  /** Bytes per millisecond, 0 when there is none. */
  readonly rate: number;
  /** That rate is no more than what the application had to send. */
  readonly isApplicationLimited: boolean;
  /** Delivered when the segment was sent: tells round trips apart. */
  readonly priorDelivered: number;
  /** Delivered since the connection began. */
  readonly delivered: number;
  /** In flight when the segment was sent, itself included. */
  readonly txInFlight: number;
  /** Marked lost since the connection began, and when the segment was sent. */
  readonly lost: number;
  readonly priorLost: number;
  /** The application has had nothing to send in this or the last round trip. */
  readonly applicationIsLimit: boolean;
  /** Samples of what is in flight now say nothing about the path. */
  markApplicationLimited(inFlight: number): void;
}

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
  readonly rate: DeliverySample | undefined;
  /** The congestion window was full while what is acknowledged was in flight (RFC 9438 5.8). */
  readonly limited: boolean;
  /**
   * What slow start may add to the window for it, in segments, where nothing paces the sender (L of
   * RFC 3465 2.2 and RFC 9406 4.3).
   */
  readonly growthLimit: number;
}

/** A segment that has just been marked lost. Bytes. */
export interface LostSegment {
  readonly start: number;
  readonly end: number;
  /** In flight when it was sent, itself included. */
  readonly txInFlight: number;
  /** Marked lost since the connection began, when it was sent. */
  readonly lostBefore: number;
  readonly applicationLimited: boolean;
}

/** An algorithm, one object for each connection. Sizes are in bytes. */
export interface CongestionControl {
  cwnd: number;
  ssthresh: number;
  /** Fast recovery reduces the window proportionally (RFC 9937), not this algorithm. */
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

  /** `segment` was marked lost; only where it samples the rate. */
  onSegmentLost?(
    segment: LostSegment,
    rate: DeliverySample,
    now: number,
    hasSack: boolean,
  ): void;
  /** All that was lost is repaired. */
  onRecovered?(): void;
  /** Nothing was lost after all (RFC 3522, RFC 5682, RFC 3708). */
  onSpuriousLoss?(rate: DeliverySample): void;
  /** The peer echoes congestion (RFC 3168 6.1.2), once a round trip; without it `onLoss` is told. */
  onCongestionEcho?(rate: DeliverySample, now: number): void;
  /** A tail loss probe has repaired a loss (RFC 8985 7.4); without it `onLoss` is told. */
  onTailLoss?(rate: DeliverySample): void;
  /** Something is about to be sent while nothing is outstanding; only where it samples the rate. */
  onRestart?(rate: DeliverySample, now: number): void;
}

/** RFC 6928 2. */
export function initialWindow(mss: number): number {
  return Math.min(10 * mss, Math.max(2 * mss, 14600));
}
