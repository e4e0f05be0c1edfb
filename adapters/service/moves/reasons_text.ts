/**
 * Formats the reasons why connections have not moved, for the log.
 *
 * @module
 */
import type { MoveReport } from "./move_out.ts";

/** `"2: http is busy with it; 1: tls does not take part in moves"`; `undefined` if there are none. */
export function reasonsText(reasons: MoveReport["reasons"]): string | undefined {
  const texts = Object.entries(reasons).map(([reason, count]) => `${count}: ${reason}`);
  return texts.length === 0 ? undefined : texts.join("; ");
}
