/**
 * The timestamps option (RFC 7323 3).
 *
 * @module
 */
import { seqDiff } from "../wire/seq.ts";
import type { Segment } from "../wire/tcp.ts";
import type { Tcb } from "./tcb.ts";
import { TIMESTAMPS } from "./tcb_flags.ts";

/** TSval: milliseconds plus the connection's offset (RFC 7323 5.4). */
export function timestamp(tcb: Tcb, now: number): number {
  return (Math.floor(now) + tcb.tsOffset) | 0;
}

/**
 * Round-trip time from the echoed timestamp, even for retransmitted segments (RFC 7323 4.1); -1 if
 * there is none.
 */
export function echoedRtt(tcb: Tcb, segment: Segment, now: number): number {
  if (!tcb.has(TIMESTAMPS) || !segment.hasTimestamps || segment.tsEcr === 0) return -1;
  const rtt = seqDiff(timestamp(tcb, now), segment.tsEcr);
  return rtt >= 0 && rtt < 600_000 ? rtt : -1;
}
