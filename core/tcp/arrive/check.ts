/**
 * The type of the checks of RFC 9293 3.10.7.4, each of which is a file in this folder.
 *
 * @module
 */
import type { DropReason } from "../../wire/drop_reason.ts";
import type { Segment } from "../../wire/tcp.ts";
import type { Tcb } from "../tcb.ts";

/**
 * The reason for dropping a segment, `"taken"` if it has been processed, or `undefined` to go on
 * with the next check.
 */
export type Verdict = DropReason | "taken" | undefined;

/** One step of RFC 9293 3.10.7.4. It may trim the segment for the steps that follow. */
export type Check = (tcb: Tcb, segment: Segment, now: number) => Verdict;
