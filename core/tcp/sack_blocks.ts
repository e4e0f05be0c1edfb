/**
 * The SACK blocks of an acknowledgement (RFC 2018 4, RFC 2883 4).
 *
 * @module
 */
import { ownReordering } from "./reordering.ts";
import type { Tcb } from "./tcb.ts";
import { SACK_PERMITTED } from "./tcb_flags.ts";

const NONE: readonly number[] = [];

/** At most `most` blocks as pairs of sequence numbers: the D-SACK block first, then the latest ones. */
export function sackBlocks(tcb: Tcb, most: number): readonly number[] {
  const startsWithDuplicate = hasDuplicate(tcb);
  if (!tcb.receive.hasHole && !startsWithDuplicate) return NONE;
  const blocks: number[] = [];
  if (startsWithDuplicate) {
    blocks.push(tcb.reordering.duplicateStart, tcb.reordering.duplicateEnd);
    forgetDuplicate(tcb);
  }
  // RFC 2018 4: the block of the latest segment, then the most recently reported ones. A duplicate
  // above the acknowledgement lies in the latest block too (RFC 2883 4).
  tcb.receive.outOfOrder?.appendLatest(blocks, most - blocks.length / 2);
  return blocks;
}

/** Whether the next acknowledgement should have SACK blocks. */
export function hasBlocks(tcb: Tcb): boolean {
  return tcb.has(SACK_PERMITTED) && (tcb.receive.hasHole || hasDuplicate(tcb));
}

/** Whether there is duplicate text to report. */
export function hasDuplicate(tcb: Tcb): boolean {
  return tcb.reordering.duplicateStart !== tcb.reordering.duplicateEnd;
}

/** The duplicate was reported, or cannot be. */
export function forgetDuplicate(tcb: Tcb): void {
  if (!hasDuplicate(tcb)) return;
  const reordering = ownReordering(tcb);
  reordering.duplicateStart = reordering.duplicateEnd = 0;
}
