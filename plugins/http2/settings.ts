/**
 * Settings (RFC 9113 6.5.2, RFC 8441 3).
 *
 * @module
 */
import { ERROR } from "./frames.ts";
import { Http2Fault } from "./fault.ts";
import { MAX_WINDOW } from "./flow_control.ts";

/** The identifiers. */
export const SETTING = {
  headerTableSize: 0x1,
  enablePush: 0x2,
  maxConcurrentStreams: 0x3,
  initialWindowSize: 0x4,
  maxFrameSize: 0x5,
  maxHeaderListSize: 0x6,
  enableConnectProtocol: 0x8,
} as const;

/** The default of SETTINGS_MAX_FRAME_SIZE (RFC 9113 6.5.2). */
export const DEFAULT_MAX_FRAME_SIZE = 16_384;
const MAX_FRAME_SIZE_LIMIT = 2 ** 24 - 1;

/** The initial flow-control window (RFC 9113 6.9.2). */
export const DEFAULT_WINDOW = 65_535;

/** The settings of the client that a server uses. */
export class PeerSettings {
  /** SETTINGS_HEADER_TABLE_SIZE (RFC 7541 4.2). */
  headerTableSize = 4096;
  /** SETTINGS_INITIAL_WINDOW_SIZE */
  initialWindowSize: number = DEFAULT_WINDOW;
  /** SETTINGS_MAX_FRAME_SIZE */
  maxFrameSize: number = DEFAULT_MAX_FRAME_SIZE;

  /** Applies the payload `bytes[start..end)` of SETTINGS in order; returns the first error. */
  apply(bytes: Uint8Array, start: number, end: number): Http2Fault | undefined {
    for (let at = start; at < end; at += 6) {
      const identifier = bytes[at]! << 8 | bytes[at + 1]!;
      const value = (bytes[at + 2]! << 24 | bytes[at + 3]! << 16 | bytes[at + 4]! << 8 |
        bytes[at + 5]!) >>> 0;
      const fault = this.#set(identifier, value);
      if (fault) return fault;
    }
    return undefined;
  }

  #set(identifier: number, value: number): Http2Fault | undefined {
    switch (identifier) {
      case SETTING.headerTableSize:
        this.headerTableSize = value;
        return;
      case SETTING.initialWindowSize:
        if (value > MAX_WINDOW) {
          return new Http2Fault(
            ERROR.flowControlError,
            "SETTINGS_INITIAL_WINDOW_SIZE is too large",
          );
        }
        this.initialWindowSize = value;
        return;
      case SETTING.maxFrameSize:
        if (value < DEFAULT_MAX_FRAME_SIZE || value > MAX_FRAME_SIZE_LIMIT) {
          return new Http2Fault(ERROR.protocolError, "SETTINGS_MAX_FRAME_SIZE is out of range");
        }
        this.maxFrameSize = value;
        return;
      case SETTING.enablePush:
      case SETTING.enableConnectProtocol:
        // The server does not push.
        if (value > 1) {
          return new Http2Fault(
            ERROR.protocolError,
            "a setting that must be 0 or 1 has another value",
          );
        }
        return;
      default:
        return; // RFC 9113 6.5.2: unknown ones are ignored.
    }
  }
}
