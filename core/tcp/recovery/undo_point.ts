/** What there was before a recovery began. */
export interface UndoPoint {
  /** A timeout began it, not duplicates, and interrupted no recovery. */
  readonly byTimeout: boolean;
  readonly cwnd: number;
  readonly ssthresh: number;
  /** The timestamp of the first retransmission. */
  readonly tsVal: number;
  /** Where the first range begins that was sent again. */
  readonly firstLost: number;
  /** Bytes that were sent again and that the peer has not reported to have got twice. */
  unreported: number;
}
