import type { Tcb } from "../../tcp/tcb.ts";
import { netAddr } from "../addresses.ts";
import type {
  EventLogOptions,
  NetAddr,
  OpenConnection,
  TcpEventLog,
  TcpStats,
  WaitReason,
} from "../types.ts";
import { tcpStats } from "./socket_stats.ts";

/** The part of a socket that a description uses. */
export type DescribedSocket = Pick<
  OpenConnection,
  "plugin" | "ageSeconds" | "waitsFor" | "eventLog" | "abort"
>;

/**
 * A connection as `stack.connections()` shows it, without creating properties of the socket. Everything is read
 * when it is asked for: a list may have 100,000 connections, of which few are shown.
 */
export class DescribedConnection<Socket extends DescribedSocket = DescribedSocket>
  implements OpenConnection {
  readonly #tcb: Tcb;
  /** The socket that is described. */
  readonly socket: Socket;

  constructor(tcb: Tcb, socket: Socket) {
    this.#tcb = tcb;
    this.socket = socket;
  }

  get localAddr(): NetAddr {
    return netAddr(this.#tcb.local, this.#tcb.localPort);
  }

  get remoteAddr(): NetAddr {
    return netAddr(this.#tcb.remote, this.#tcb.remotePort);
  }

  get plugin(): string | undefined {
    return this.socket.plugin;
  }

  get ageSeconds(): number {
    return this.socket.ageSeconds;
  }

  get waitsFor(): WaitReason {
    return this.socket.waitsFor;
  }

  stats(): TcpStats {
    return tcpStats(this.#tcb);
  }

  eventLog(options?: EventLogOptions): TcpEventLog {
    return this.socket.eventLog(options);
  }

  abort(reason?: unknown): void {
    this.socket.abort(reason);
  }
}
