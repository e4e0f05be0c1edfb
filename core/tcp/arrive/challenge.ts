import type { Tcb } from "../tcb.ts";
import { ACK_NOW } from "../tcb_flags.ts";

/** Minimum interval between the challenge ACKs of a connection, in milliseconds; the same as in Linux. */
const CHALLENGE_INTERVAL_MS = 500;

/** Sends a challenge ACK (RFC 5961 3.2), rate-limited (RFC 5961 7). */
export function challengeAck(tcb: Tcb, now: number): void {
  const { challengedAt } = tcb;
  if (challengedAt !== undefined && now - challengedAt < CHALLENGE_INTERVAL_MS) return;
  tcb.challengedAt = now;
  tcb.set(ACK_NOW);
}
