/**
 * Bounds of UDP.
 *
 * @module
 */
import type { QueueLimits } from "./datagram.ts";

/**
 * Bounds of a stack's UDP. By default 65,536 flows of 60 s, 1024 datagrams and 1 MiB in each queue,
 * 64 MiB in all of them.
 */
export interface UdpConfig extends QueueLimits {
  /** Flows at the same time, at most; one more ends the flow that would end first. */
  readonly maxFlows: number;
  /** Milliseconds without a datagram, either way, after which a flow ends. */
  readonly flowIdleMs: number;
}

/** What nobody has set. */
export const UDP_DEFAULTS: UdpConfig = {
  maxFlows: 65_536,
  flowIdleMs: 60_000,
  maxDatagrams: 1024,
  maxBytes: 1024 * 1024,
  maxMemory: 64 * 1024 * 1024,
};
