/**
 * Protocol errors of the peer, as values; nothing a peer sends is thrown.
 *
 * @module
 */
import { ERROR, type ErrorCode, errorName } from "./frames.ts";

/** A connection error (RFC 9113 5.4.1). */
export class Http2Fault {
  /** For GOAWAY. */
  readonly code: ErrorCode;
  /** ASCII text for GOAWAY and the log. */
  readonly reason: string;

  /** Creates a connection error. */
  constructor(code: ErrorCode, reason: string) {
    this.code = code;
    this.reason = reason;
  }

  /** The name of the code. */
  get codeName(): string {
    return errorName(this.code);
  }
}

/** A request that is malformed (RFC 9113 8.1.1): a stream error of type PROTOCOL_ERROR. */
export class MalformedRequest {
  /** Distinguishes the type from other refusals. */
  readonly isMalformed = true;
  /** The reason, for the log. */
  readonly reason: string;

  /** Creates a stream error. */
  constructor(reason: string) {
    this.reason = reason;
  }
}

/** PROTOCOL_ERROR, the most common one. */
export function protocolError(reason: string): Http2Fault {
  return new Http2Fault(ERROR.protocolError, reason);
}

/** FRAME_SIZE_ERROR */
export function frameSizeError(reason: string): Http2Fault {
  return new Http2Fault(ERROR.frameSizeError, reason);
}
