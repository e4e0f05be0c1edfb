/**
 * The flags of a connection: bits of `Tcb.flags`, read with `tcb.has(FIN_SENT)` and written with `set` and
 * `clear`. They are separate constants, because V8 does not fold the properties of an imported object.
 *
 * @module
 */

/** The connection's resources were released: it neither receives nor sends. */
export const RELEASED = 0x1;
/** Opened by a listener (RFC 9293 3.10.7.4, SYN-RECEIVED). */
export const PASSIVE = 0x2;
/** The application has not decided about the peer's SYN yet. */
export const SYN_UNDECIDED = 0x4;
/** The peer has acknowledged our SYN. */
export const SYN_ACKED = 0x8;
/** closeWrite() was called: a FIN follows the last byte. */
export const FIN_QUEUED = 0x10;
/** Our FIN is before SND.NXT. */
export const FIN_SENT = 0x20;
/** The application waits for room in the send buffer. */
export const WRITER_WAITING = 0x40;
/** The peer has sent urgent data, up to `rcvUp` (RFC 9293 3.8.5). */
export const URGENT = 0x80;
/** The peer's FIN was received in order. */
export const FIN_RECEIVED = 0x100;
/** The application will not read any more: text is acknowledged and discarded. */
export const READ_CLOSED = 0x200;
/** Window scaling is in use (RFC 7323 2). */
export const WINDOW_SCALING = 0x400;
/** ECN is in use (RFC 3168 6.1.1). */
export const ECN = 0x800;
/** SACK may be used (RFC 2018 2). */
export const SACK_PERMITTED = 0x1000;
/** Timestamps are in use (RFC 7323 3). */
export const TIMESTAMPS = 0x2000;
/** A SYN or SYN,ACK has to be sent. */
export const SYN_QUEUED = 0x4000;
/** An acknowledgement has to be sent, with or without text. */
export const ACK_NOW = 0x8000;
/** A RST has to be sent, and nothing after it. */
export const RESET_QUEUED = 0x10000;
/** Profile `local`, after close(): a RST follows once both FINs are acknowledged. */
export const RESET_WHEN_ACKED = 0x20000;
/** Profile `local`, FIN-WAIT-2: a RST follows the acknowledgement of the peer's FIN. */
export const RESET_AFTER_ACK = 0x40000;
/** Only full segments are sent. */
export const CORKED = 0x80000;
/** CE was received: every acknowledgement has ECE until the peer's CWR. */
export const ECHO_CONGESTION = 0x100000;
/** The next segment with new data has to carry CWR. */
export const CWR_QUEUED = 0x200000;
/** The packet being built is sent as ECN-capable (ECT). */
export const SEND_ECT = 0x400000;
/** No RTT sample since the last tail loss probe (RFC 8985 7.3). */
export const PROBED_SINCE_SAMPLE = 0x800000;
/** A full segment was acknowledged since the path MTU changed. */
export const FULL_SEGMENT_ACKED = 0x1000000;
/** In the stack's tables. */
export const IN_TABLES = 0x2000000;
/** In the output queue. */
export const IN_OUTPUT_QUEUE = 0x4000000;
/** In the event queue. */
export const IN_EVENT_QUEUE = 0x8000000;
/** Nagle's algorithm is off (RFC 9293 3.7.4). */
export const NO_DELAY = 0x10000000;
/** Keep-alive is on (RFC 9293 3.8.4). */
export const KEEP_ALIVE = 0x20000000;
/** Our SYN was retransmitted (RFC 6298 5.7). */
export const SYN_RETRANSMITTED = 0x40000000;
/** The application expects to answer what it reads: acknowledgements wait for the answer. */
export const DELAYS_ACKS = -0x80000000;
