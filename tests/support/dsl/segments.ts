/**
 * What a test writes down: segments of the peer's, and what it expects of the stack's.
 *
 * @module
 */
import type { TcpOptions } from "./encode.ts";

/** A segment of the peer's. */
export interface PeerSegment {
  /** When; default now. */
  at?: number;
  /** Default `"."`. */
  flags?: string;
  /** Default: what follows the highest number that the peer has used. */
  seq?: number;
  /** Default: all that the stack has sent. */
  ack?: number;
  /** Text, or how many bytes of it. */
  data?: string | number;
  /** The header's field, default {@link TraceOptions.window}. */
  window?: number;
  /** Default: timestamps where they are in use. */
  options?: TcpOptions;
  checksumError?: number;
  urgentPointer?: number;
  /** ECN codepoint of the IP header, default 0. */
  ecn?: number;
}

/** What a segment of the stack has to be. What is left out of the last four is not compared. */
export interface ExpectedSegment {
  /** When it has to be sent: nothing may be sent before; default now. */
  at?: number;
  /** Default `"."`. */
  flags?: string;
  /** Default: what follows the highest number that the stack has used. */
  seq?: number;
  /** Default: what the stack has acknowledged before. `undefined` stands for no ACK bit. */
  ack?: number;
  /** Bytes of text, default 0; they are compared with what was written. */
  length?: number;
  /** The header's field. */
  window?: number;
  options?: TcpOptions;
}

/** The two ends, and how the peer is. */
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
