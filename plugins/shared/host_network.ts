/**
 * The network of the host, as plugins see it. `adapters/host` implements it with the host's kernel;
 * tests have their own.
 *
 * @module
 */
import type { HostPort } from "../../core/api/host_port.ts";
import type { Attachment } from "../../core/api/moves/types.ts";
import type { CancelSignal } from "../../core/api/runtime/cancellation.ts";
import type { DatagramFlow } from "../../core/api/udp/datagram.ts";
import type { Duplex } from "./relay.ts";
import type { SharedLimit } from "./shared_limit.ts";

/** Access to the host's network, for plugins that connect to addresses outside of the stack. */
export interface HostNetwork {
  /**
   * The addresses of a name, in the order in which to try them.
   *
   * @throws The name has no address, or cannot be resolved.
   */
  resolve(hostname: string, signal: AbortSignal): Promise<readonly string[]>;
  /** Opens TCP connections, and connections to Unix sockets. */
  readonly dial: Dial;
  /** Opens UDP sockets. */
  readonly dialDatagrams: DialDatagrams;
  /**
   * Finds targets that lead back into a stack of this process. If absent, no such targets are
   * known.
   */
  readonly routeIntoStack?: RouteIntoStack | undefined;
  /** Limits for the sockets of all plugins together. If absent, only each plugin's own limit applies. */
  readonly limits?: HostLimits | undefined;
}

/** The limits that a socket of each kind counts against. */
export interface HostLimits {
  readonly connections: readonly SharedLimit[];
  readonly datagrams: readonly SharedLimit[];
}

/** The part of {@link HostNetwork} that connects, for plugins that resolve no names. */
export type HostDialer = Omit<HostNetwork, "resolve">;

/** A Unix socket. */
export interface UnixAddress {
  /** Its path in the file system. */
  path: string;
}

/**
 * A connection of the host that can move to another process of the same machine. When it is held, its listeners are
 * notified and removed, and a pending write stays as it is.
 */
export interface MovableConnection extends Duplex, Attachment {
  /** Number of bytes that the host has accepted of the pending write. */
  readonly acceptedOfWrite: number;
}

/** What {@link Dial} connects to. */
export type DialTarget = HostPort | UnixAddress;

/** Options of a connection. */
export interface DialOptions {
  /**
   * Idle time before the first keep-alive probe, in milliseconds (RFC 9293 3.8.4); 0: no probes.
   * Default two hours.
   */
  readonly keepAliveMs?: number | undefined;
}

/**
 * Connects to a target; gives up when `signal` is aborted.
 *
 * @throws {TcpError} The connection was refused or cannot be made, or `signal` was aborted.
 */
export type Dial = (
  target: DialTarget,
  signal: CancelSignal,
  options?: DialOptions,
) => Promise<Duplex>;

/**
 * Datagrams to and from one address; every {@link DatagramFlow} is one. `refuse`, if present, tells
 * the sender with an ICMP error that its datagrams are not accepted.
 */
export type DatagramChannel =
  & Pick<DatagramFlow, "receive" | "send" | "close">
  & Partial<Pick<DatagramFlow, "refuse">>;

/**
 * Opens a socket for datagrams to and from one address; gives up when `signal` is aborted.
 *
 * @throws {TcpError} The address is not valid.
 */
export type DialDatagrams = (address: HostPort, signal: AbortSignal) => Promise<DatagramChannel>;

/**
 * The address in a stack of this process at which traffic to `target` would arrive, and be sent out
 * again in an endless loop. `undefined`: the target leads out of this process, as far as is known.
 */
export type RouteIntoStack = (transport: "tcp" | "udp", target: HostPort) => HostPort | undefined;
