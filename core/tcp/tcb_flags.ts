/**
 * The flags of a connection: bits of `Tcb.flags`.
 *
 * @module
 */

/** Read with `tcb.has(TCB.FIN_SENT)`, written with `set` and `clear`. */
export const TCB = {
  /** The connection is in no table any more: nothing arrives and nothing is sent. */
  RELEASED: 0x1,
  /** It was opened by a listener (RFC 9293 3.10.7.4, SYN-RECEIVED). */
  PASSIVE: 0x2,
  /** The application decides about the peer's SYN: it is not answered yet. */
  SYN_UNDECIDED: 0x4,
  /** The peer has acknowledged our SYN. */
  SYN_ACKED: 0x8,
  /** closeWrite() was called: a FIN follows the last byte. */
  FIN_QUEUED: 0x10,
  /** SND.NXT lies behind our FIN. */
  FIN_SENT: 0x20,
  /** The application wanted to write more than there was room for. */
  WRITER_WAITING: 0x40,
  /** The peer has sent urgent data, which ends before `urgentEnd` (RFC 9293 3.8.5). */
  URGENT: 0x80,
  /** The peer's FIN has been taken in order. */
  FIN_RECEIVED: 0x100,
  /** The application will not read any more: text is acknowledged and thrown away. */
  READ_CLOSED: 0x200,
  /** Window scaling is in use (RFC 7323 2). */
  WINDOW_SCALING: 0x400,
  /** ECN is in use (RFC 3168 6.1.1). */
  ECN: 0x800,
  /** SACK may be used (RFC 2018 2). */
  SACK_PERMITTED: 0x1000,
  /** Timestamps are in use (RFC 7323 3). */
  TIMESTAMPS: 0x2000,
  /** A SYN or SYN,ACK has to go. */
  SYN_QUEUED: 0x4000,
  /** An acknowledgement has to go, with data or without. */
  ACK_NOW: 0x8000,
  /** A RST has to go, and then nothing. */
  RESET_QUEUED: 0x10000,
  /** A RST ends the connection once both FINs are acknowledged (profile `local`, close()). */
  RESET_WHEN_ACKED: 0x20000,
  /** A RST answers the peer's FIN once that is acknowledged (profile `local`, FIN-WAIT-2). */
  RESET_AFTER_ACK: 0x40000,
  /** Only full segments leave. */
  CORKED: 0x80000,
  /** CE was received: every acknowledgement has ECE until the peer's CWR. */
  ECHO_CONGESTION: 0x100000,
  /** The next new data has CWR. */
  CWR_QUEUED: 0x200000,
  /** The packet being built is of new data. */
  SEND_ECT: 0x400000,
  /** A tail loss probe was sent, and no round trip measured since (RFC 8985 7.3). */
  PROBED_SINCE_SAMPLE: 0x800000,
  /** A full segment has arrived, of the size that the path is believed to carry. */
  FULL_SEGMENT_ACKED: 0x1000000,
  /** The stack's tables have it. */
  IN_TABLES: 0x2000000,
  /** It waits for its turn to send. */
  IN_OUTPUT_QUEUE: 0x4000000,
  /** Its owner is to be told something. */
  IN_EVENT_QUEUE: 0x8000000,
  /** Nagle's algorithm is off (RFC 9293 3.7.4). */
  NO_DELAY: 0x10000000,
  /** A silent peer is probed (RFC 9293 3.8.4). */
  KEEP_ALIVE: 0x20000000,
  /** Our SYN had to be sent again before it was acknowledged (RFC 6298 5.7). */
  SYN_RETRANSMITTED: 0x40000000,
} as const;
