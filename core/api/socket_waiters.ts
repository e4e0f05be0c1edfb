/**
 * Who waits on a socket.
 *
 * @module
 */
import type { TcpError } from "./errors.ts";

/** Somebody waits for bytes: in an array of its own, for a chunk, or for a view of what has come. */
export interface Reader {
  readonly target: Uint8Array | "chunk" | "view";
  resolve(count: number | null, chunk: Uint8Array<ArrayBuffer> | undefined): void;
  reject(error: TcpError): void;
  /** Who waits behind it: there is nearly always one, and an array would be more to keep. */
  next: Reader | undefined;
}

/** Somebody waits for room. */
export interface Writer {
  readonly bytes: Uint8Array;
  at: number;
  resolve(count: number): void;
  reject(error: TcpError): void;
}
