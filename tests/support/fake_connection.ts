/**
 * Creates open connections without a stack, in the form of `stack.connections()`.
 *
 * @module
 */
import type { OpenConnection, TcpStats } from "../../core/api/types.ts";
import { emptyEventLog } from "./empty_event_log.ts";

/** Options of {@link fakeConnection}. */
export interface FakeConnectionOptions {
  /** The port of the peer, at 10.0.0.2. */
  readonly port: number;
  readonly plugin?: string;
  readonly ageSeconds?: number;
  readonly stats?: Partial<TcpStats>;
}

const STATS: TcpStats = {
  state: "ESTABLISHED",
  srttMs: 0,
  rttvarMs: 0,
  rtoMs: 1000,
  cwnd: 14600,
  ssthresh: 65535,
  unacknowledged: 0,
  flightSize: 0,
  sendMss: 1460,
  sendWindow: 65535,
  receiveWindow: 65535,
  unread: 0,
  bytesIn: 0,
  bytesOut: 0,
  segmentsIn: 0,
  segmentsOut: 0,
  retransmits: 0,
  outOfOrder: 0,
  urgentBytes: 0,
};

/** A connection from 10.0.0.2 to port 80 of 10.0.0.1. */
export function fakeConnection(
  { port, plugin, ageSeconds = 1, stats = {} }: FakeConnectionOptions,
): OpenConnection {
  return {
    localAddr: { transport: "tcp", hostname: "10.0.0.1", port: 80 },
    remoteAddr: { transport: "tcp", hostname: "10.0.0.2", port },
    plugin,
    ageSeconds,
    waitsFor: "peer",
    stats: () => ({ ...STATS, ...stats }),
    eventLog: emptyEventLog,
    abort() {},
  };
}
