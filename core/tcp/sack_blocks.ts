/**
 * The SACK blocks of an acknowledgement (RFC 2018 4, RFC 2883 4).
 *
 * @module
 */
import type { Tcb } from "./tcb.ts";

const NONE: readonly number[] = [];

/** At most `most` blocks as pairs of sequence numbers: duplicate first, then the newest. */
export function sackBlocks(tcb: Tcb, most: number): readonly number[] {
  const hasDuplicate = tcb.duplicateStart !== tcb.duplicateEnd;
  if (!tcb.receive.hasHole && !hasDuplicate) return NONE;
  const blocks: number[] = [];
  if (hasDuplicate) {
    blocks.push(tcb.duplicateStart, tcb.duplicateEnd);
    tcb.duplicateStart = tcb.duplicateEnd = 0;
  }
  if (tcb.receive.hasHole) addEarly(tcb, blocks, most * 2);
  return blocks;
}

function addEarly(tcb: Tcb, blocks: number[], most: number): void {
  const early = tcb.receive.early!;
  const newest = early.indexOf(tcb.newestEarly);
  if (newest >= 0) blocks.push(early.starts[newest]!, early.ends[newest]!);
  for (let i = early.count - 1; i >= 0 && blocks.length < most; i--) {
    if (i !== newest) blocks.push(early.starts[i]!, early.ends[i]!);
  }
}
