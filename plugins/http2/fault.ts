/**
 * What is wrong with what a peer sends: a value, never thrown.
 *
 * @module
 */
import { ERROR, type ErrorCode, errorName } from "./frames.ts";

/** A connection error (RFC 9113 5.4.1). */
export class Http2Fault {
  /** For GOAWAY. */
  readonly code: ErrorCode;
  /** For people, in ASCII: it goes into GOAWAY and into the log. */
  readonly reason: string;

  /** Makes the error that ends a connection. */
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
  /** Tells it from other refusals. */
  readonly isMalformed = true;
  /** For people. */
  readonly reason: string;

  /** Makes the error that ends a stream. */
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
