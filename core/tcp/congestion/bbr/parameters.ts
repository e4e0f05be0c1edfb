/**
 * The constants of BBR version 3 (draft-ietf-ccwg-bbr 2.5 to 2.15). Times in milliseconds.
 *
 * @module
 */

/** Pacing gain that doubles the rate each round: 4 ln 2. */
export const STARTUP_PACING_GAIN = 2.77;
export const DRAIN_PACING_GAIN = 0.5;
export const DOWN_PACING_GAIN = 0.9;
export const UP_PACING_GAIN = 1.25;
export const DEFAULT_CWND_GAIN = 2;
export const UP_CWND_GAIN = 2.25;
export const PROBE_RTT_CWND_GAIN = 0.5;
/** The pacing rate is 1 % below the estimated bandwidth. */
export const PACING_MARGIN = 0.99;

/** Loss rate in a round trip that is tolerated while probing for bandwidth. */
export const LOSS_THRESHOLD = 0.02;
/** Multiplicative decrease for each round trip with losses. */
export const BETA = 0.7;
/** Fraction of `inflight_longterm` that is left to other flows. */
export const HEADROOM = 0.15;
/** Minimum window in segments, large enough that delayed ACKs do not stall the sender. */
export const MIN_PIPE_SEGMENTS = 4;

/** The pipe is full if the delivery rate grew by less than this factor in {@link FULL_BANDWIDTH_ROUNDS} rounds. */
export const FULL_BANDWIDTH_GROWTH = 1.25;
export const FULL_BANDWIDTH_ROUNDS = 3;
/** Discontiguous lost ranges in a round that end Startup. */
export const STARTUP_FULL_LOSS_COUNT = 6;
/** Maximum number of rounds in Drain. */
export const DRAIN_ROUNDS = 3;

export const EXTRA_ACKED_ROUNDS = 10;
export const MIN_RTT_FILTER_MS = 10_000;
export const PROBE_RTT_INTERVAL_MS = 5000;
export const PROBE_RTT_DURATION_MS = 200;

/** Minimum time between bandwidth probes, and the maximum random addition. */
export const PROBE_WAIT_MS = 2000;
export const PROBE_WAIT_SPREAD_MS = 1000;
/** Maximum number of rounds between probes, to coexist with Reno and CUBIC. */
export const RENO_COEXISTENCE_ROUNDS = 63;

/** Duration of a burst. */
export const SEND_QUANTUM_MS = 1;
export const MAX_SEND_QUANTUM = 65_536;
/** Maximum interval between paced segments: the minimum RTO. */
export const SLOWEST_SEGMENT_MS = 200;
