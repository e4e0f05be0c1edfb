/**
 * Counters that all connections of a stack share, so that reading the metrics visits no connection.
 *
 * @module
 */
import { STATES, type TcpState } from "./state.ts";

/** Counts of all connections, those that have ended included. */
export class TcpCounts {
  segmentsIn = 0;
  /** Retransmissions included. */
  segmentsOut = 0;
  retransmits = 0;
  /** Number of connections in each state, except CLOSED. */
  readonly states: Record<TcpState, number>;

  constructor() {
    const states = Object.keys(STATES).map((state) => [state, 0]);
    this.states = Object.fromEntries(states) as Record<TcpState, number>;
  }
}
