/**
 * Limits of UDP.
 *
 * @module
 */
import type { QueueLimits } from "./datagram.ts";

/**
 * Limits of a stack's UDP. Defaults: 65,536 flows, idle timeout 60 s, 1024 datagrams and 1 MiB in
 * each queue, 64 MiB in all queues.
 */
export interface UdpConfig extends QueueLimits {
  /**
   * Maximum number of flows. One more evicts a flow of the source with the most, or the flow that
   * would time out first.
   */
  readonly maxFlows: number;
  /** Idle timeout of a flow in milliseconds, restarted by a datagram in either direction. */
  readonly flowIdleMs: number;
}

/** Defaults. */
export const UDP_DEFAULTS: UdpConfig = {
  maxFlows: 65_536,
  flowIdleMs: 60_000,
  maxDatagrams: 1024,
  maxBytes: 1024 * 1024,
  maxMemory: 64 * 1024 * 1024,
};
