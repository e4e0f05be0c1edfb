/**
 * Writing straight into the send buffer, without an array in between.
 *
 * @module
 */
import type { TcpSocket } from "../types.ts";

/** Implemented by a stack's own sockets, not by those derived from them. */
export interface DirectWriter {
  /** Bytes that {@link tryFill} would accept now. */
  readonly room: number;
  /**
   * Calls `fill` with a contiguous part of the send buffer, at most `max` bytes, and sends what it writes there. `fill`
   * returns the number of bytes, and so does this method. If nothing can be accepted now, it returns 0 without a call
   * of `fill`. There may be room for more after a call.
   *
   * `fill` must neither keep the array nor use the stack. If it throws, nothing is sent.
   */
  tryFill(max: number, fill: (room: Uint8Array<ArrayBuffer>) => number): number;
  /**
   * Resolves when the send buffer has room for `bytes` bytes, or is empty.
   *
   * @throws {TcpError} The connection ended, or was closed for writing.
   */
  whenRoom(bytes: number): Promise<void>;
}

/** `socket` if it is a {@link DirectWriter}. */
export function directWriterOf(socket: TcpSocket): DirectWriter | undefined {
  return "tryFill" in socket ? socket as TcpSocket & DirectWriter : undefined;
}
