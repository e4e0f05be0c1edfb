import type { Tcb } from "../tcb.ts";
import { TCB } from "../tcb_flags.ts";

/** One in this many milliseconds, as Linux has it. */
const CHALLENGE_INTERVAL_MS = 500;

/** An ACK that asks the peer to show what it knows (RFC 5961 3.2), throttled (RFC 5961 7). */
export function challengeAck(tcb: Tcb, now: number): void {
  const { challengedAt } = tcb;
  if (challengedAt !== undefined && now - challengedAt < CHALLENGE_INTERVAL_MS) return;
  tcb.challengedAt = now;
  tcb.set(TCB.ACK_NOW);
}
