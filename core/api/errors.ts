import type { NetAddr } from "./types.ts";

/** The reason for an error, for programs. */
export type TcpErrorCode =
  | "CONNECTION_REFUSED" // RST in SYN-SENT                         RFC 9293 3.10.7.3
  | "CONNECTION_RESET" // acceptable RST in a synchronized state    RFC 9293 3.5.3
  | "CONNECTION_ABORTED" // abort() by this side                    RFC 9293 3.10.5
  | "TIMED_OUT" // R2 or user timeout                               RFC 9293 3.8.3
  | "UNREACHABLE" // ICMP hard error                                RFC 5461
  | "ADDRESS_IN_USE" // the port is taken
  | "ADDRESS_NOT_AVAILABLE" // not an address of this stack, or no free port
  | "INSUFFICIENT_RESOURCES" // no file descriptor or memory           RFC 9293 3.10.1
  | "INVALID_ADDRESS" // not a possible remote address              RFC 9293 3.9.2.3
  | "MESSAGE_TOO_LONG" // does not fit into a datagram               RFC 768
  | "CONNECTION_MOVED" // the connection was frozen
  | "NOT_MOVABLE" // the connection cannot be frozen now
  | "INVALID_RECORD" // not a frozen connection that this stack can read
  | "CLOSING" // write after closeWrite() or close()                RFC 9293 3.10.2
  | "LISTENER_CLOSED" // accept() on a closed listener, receive() on a closed socket
  | "STACK_CLOSED"; // the stack was closed

const OWN_LIMITS: readonly unknown[] = [
  "INSUFFICIENT_RESOURCES",
  "ADDRESS_NOT_AVAILABLE",
  "ADDRESS_IN_USE",
];

/** Whether the error was caused by a local limit, and so says nothing about the peer. */
export function isOwnLimit(error: unknown): boolean {
  return OWN_LIMITS.includes((error as { code?: unknown } | null)?.code);
}

/**
 * The error of every socket operation. WinterTC: a `SocketError` is a `TypeError` whose message
 * starts with `"SocketError: "`.
 *
 * @example
 * ```ts
 * import { TcpError } from "@berth/berth";
 *
 * const error = new TcpError("CONNECTION_REFUSED", "10.0.0.2:81 refused the connection");
 * if (error.code !== "CONNECTION_REFUSED") throw error;
 * ```
 */
export class TcpError extends TypeError {
  /** Always `"SocketError"`. */
  override readonly name = "SocketError";
  /** The reason, for programs. */
  readonly code: TcpErrorCode;
  /** This side's address, if known. */
  readonly local: NetAddr | undefined;
  /** The peer's address, if known. */
  readonly remote: NetAddr | undefined;

  /** The error's message is `"SocketError: "` followed by `message`. */
  constructor(
    code: TcpErrorCode,
    message: string,
    options?: ErrorOptions & { local?: NetAddr; remote?: NetAddr },
  ) {
    super(`SocketError: ${message}`, options);
    this.code = code;
    this.local = options?.local;
    this.remote = options?.remote;
  }
}

/**
 * The peer violated the protocol above TCP, or closed its side in the middle of an exchange. If a handler throws this
 * error, its connection is reset and the log mentions it at level `debug` only, because the handler is not at fault.
 *
 * @example
 * ```ts
 * import { PeerFaultError, readLines, type Handler } from "@berth/berth";
 *
 * const login: Handler = async ({ socket }, next) => {
 *   const greeting = await readLines(socket).readLine();
 *   if (greeting !== "HELO") throw new PeerFaultError(`expected HELO, got ${greeting}`);
 *   await next();
 * };
 * ```
 */
export class PeerFaultError extends TcpError {
  /** The message says what the peer did; the code is `CONNECTION_RESET`. */
  constructor(message: string, options?: ErrorOptions) {
    super("CONNECTION_RESET", message, options);
  }
}
