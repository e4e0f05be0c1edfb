/**
 * The SACK blocks of an acknowledgement (RFC 2018 4, RFC 2883 4).
 *
 * @module
 */
import { ownReordering } from "./reordering.ts";
import type { Tcb } from "./tcb.ts";
import { TCB } from "./tcb_flags.ts";

const NONE: readonly number[] = [];

/** At most `most` blocks as pairs of sequence numbers: duplicate first, then the latest. */
export function sackBlocks(tcb: Tcb, most: number): readonly number[] {
  const startsWithDuplicate = hasDuplicate(tcb);
  if (!tcb.receive.hasHole && !startsWithDuplicate) return NONE;
  const blocks: number[] = [];
  if (startsWithDuplicate) {
    blocks.push(tcb.reordering.duplicateStart, tcb.reordering.duplicateEnd);
    forgetDuplicate(tcb);
  }
  // RFC 2018 4: the block of the latest segment, then those that were reported last. The block that
  // a duplicate above the acknowledgement lies in is the latest as well (RFC 2883 4).
  tcb.receive.outOfOrder?.appendLatest(blocks, most - blocks.length / 2);
  return blocks;
}

/** There is something that only blocks can tell. */
export function hasBlocks(tcb: Tcb): boolean {
  return tcb.has(TCB.SACK_PERMITTED) && (tcb.receive.hasHole || hasDuplicate(tcb));
}

/** Text came twice, and no acknowledgement has told of it. */
export function hasDuplicate(tcb: Tcb): boolean {
  return tcb.reordering.duplicateStart !== tcb.reordering.duplicateEnd;
}

/** It has been told, or cannot be. */
export function forgetDuplicate(tcb: Tcb): void {
  if (!hasDuplicate(tcb)) return;
  const reordering = ownReordering(tcb);
  reordering.duplicateStart = reordering.duplicateEnd = 0;
}
