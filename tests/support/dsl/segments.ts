/**
 * Segments in tests: those of the peer, and those expected of the stack.
 *
 * @module
 */
import type { TcpOptions } from "./encode.ts";

/** A segment of the peer. */
export interface PeerSegment {
  /** When; default now. */
  at?: number;
  /** Default `"."`. */
  flags?: string;
  /** Default: the next number after the highest that the peer has used. */
  seq?: number;
  /** Default: everything that the stack has sent. */
  ack?: number;
  /** Text, or a number of bytes. */
  data?: string | number;
  /** The window field; default {@link TraceOptions.window}. */
  window?: number;
  /** Default: timestamps if in use. */
  options?: TcpOptions;
  checksumError?: number;
  urgentPointer?: number;
  /** ECN codepoint of the IP header, default 0. */
  ecn?: number;
}

/** An expected segment of the stack. The last four fields are compared only if given. */
export interface ExpectedSegment {
  /** When it is sent; nothing may be sent before. Default now. */
  at?: number;
  /** Default `"."`. */
  flags?: string;
  /** Default: the next number after the highest that the stack has used. */
  seq?: number;
  /** Default: the last acknowledgement number. `undefined` if the segment has no ACK bit. */
  ack?: number;
  /** Length of the text, default 0; it is compared with the data written. */
  length?: number;
  /** The window field. */
  window?: number;
  options?: TcpOptions;
}

/** The two ends, and the peer's settings. */
export interface TraceOptions {
  local?: string;
  localPort?: number;
  remote?: string;
  remotePort?: number;
  /** The peer's initial sequence number; default 1,000,000. */
  irs?: number;
  /** The peer's window field, default 65,535. */
  window?: number;
}
