/**
 * The result of the checks of RFC 9293 3.10.7.4, each of which is a file in this folder.
 *
 * @module
 */
import type { DropReason } from "../../wire/drop_reason.ts";

/**
 * The reason for dropping a segment, `"taken"` if it has been processed, or `undefined` to go on
 * with the next check. A check may trim the segment for those that follow.
 */
export type Verdict = DropReason | "taken" | undefined;
