/**
 * The state of loss recovery, which is not allocated for connections without loss.
 *
 * @module
 */
import type { RateReduction } from "./prr.ts";
import type { Rack } from "./rack.ts";

/** How lost data is being retransmitted. */
export type RecoveryPhase = "open" | "fast" | "timeout";

/**
 * The state of loss recovery (RFC 6675, RFC 6298 5, RFC 8985). All connections share {@link NO_LOSS} until their first
 * loss.
 */
export class LossRecovery {
  phase: RecoveryPhase = "open";
  /** RecoveryPoint: SND.NXT when the phase began (RFC 6675 2). */
  point = 0;
  /** Duplicate acknowledgements received in a row (RFC 5681 2). */
  duplicateAcks = 0;
  /** Number of times that the RTO was doubled since the last sample of new data (RFC 6298 5.5). */
  rtoBackoff = 0;
  /** Consecutive timeouts without an acknowledgement of new data, and the time of the first one. */
  timeouts = 0;
  timedOutAt = 0;
  /** Absent until part of a flight was acknowledged; kept once reordering was seen. */
  rack: Rack | undefined = undefined;
  /** Proportional rate reduction of the latest fast recovery. */
  prr: RateReduction | undefined = undefined;
  /** The state before recovery, kept until it is known whether the loss was spurious. */
  undo: UndoPoint | undefined = undefined;
  /** Segments sent again. */
  retransmits = 0;
  /** Recoveries that turned out to be spurious. */
  spurious = 0;
  /** The tail loss probe in flight (RFC 8985 7.3). */
  tailProbe: TailProbe | undefined = undefined;
  /** SND.NXT when the window was reduced for an ECE, until it is acknowledged (RFC 3168 6.1.2). */
  ecnPoint: number | undefined = undefined;
}

/** The state before a recovery, in case it has to be undone. */
export interface UndoPoint {
  /** The recovery was started by a timeout that did not interrupt another recovery. */
  readonly byTimeout: boolean;
  readonly cwnd: number;
  readonly ssthresh: number;
  /** TSval of the first retransmission. */
  readonly tsVal: number;
  /** Start of the first range that was retransmitted. */
  readonly firstLost: number;
  /** Retransmitted bytes that the peer has not reported as duplicates. */
  unreported: number;
}

/** A tail loss probe. */
export interface TailProbe {
  /** TLP.end_seq: SND.NXT when it was sent. */
  end: number;
  /** TLP.is_retrans: it repeated the last segment. */
  isRetransmission: boolean;
  tsVal: number;
}

/** The record of connections without loss. */
export const NO_LOSS: Readonly<LossRecovery> = Object.freeze(new LossRecovery());

/** The connection's own record, for writing. */
export function ownLoss(tcb: { loss: Readonly<LossRecovery> }): LossRecovery {
  if (tcb.loss === NO_LOSS) tcb.loss = new LossRecovery();
  return tcb.loss as LossRecovery;
}
