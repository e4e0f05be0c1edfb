/**
 * What the receiver remembers about segments that arrived out of order or twice. Their text is in
 * the receive ring.
 *
 * @module
 */

/** The receiver's record. All connections share {@link IN_ORDER} until a segment is out of order or a duplicate. */
export class Reordering {
  /** Number of segments that arrived out of order. */
  segments = 0;
  /** Sequence number of a FIN that arrived out of order. */
  fin: number | undefined = undefined;
  /** Duplicate text to report in the next acknowledgement (RFC 2883 4). */
  duplicateStart = 0;
  duplicateEnd = 0;
  /** Duplicate acknowledgements to send, each in a segment of its own (RFC 5681 4.2). */
  duplicateAcks = 0;
  /** Number of segments to acknowledge at once, without delay. */
  quickAcks = 0;
}

/** Linux uses 16, which suffices there, because its senders set PSH more often and so get more acknowledgements. */
const QUICK_ACKS = 48;

/** The record of connections whose segments arrived in order. */
export const IN_ORDER: Readonly<Reordering> = Object.freeze(new Reordering());

/** The connection's own record, for writing. */
export function ownReordering(tcb: { reordering: Readonly<Reordering> }): Reordering {
  if (tcb.reordering === IN_ORDER) tcb.reordering = new Reordering();
  return tcb.reordering as Reordering;
}

/**
 * A segment was out of order or a duplicate, so a segment or an acknowledgement was probably lost. The sender now waits
 * for each acknowledgement: its window is small, and the next acknowledgement may be lost as well. RFC 9293 3.8.6.3 and
 * RFC 5681 4.2 allow more acknowledgements than they require.
 */
export function quickenAcks(tcb: { reordering: Readonly<Reordering> }): void {
  ownReordering(tcb).quickAcks = QUICK_ACKS;
}
