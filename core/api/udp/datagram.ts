/**
 * The public interfaces of UDP: sockets that are shaped like `Deno.DatagramConn`, and flows for
 * plugins. Types only.
 *
 * @module
 */
import type { FlowRefusal } from "../../udp/flow.ts";
import type { TcpError } from "../errors.ts";
import type { HandlerContext, NetAddr, SocketAddress } from "../types.ts";

/** The source or destination of a datagram. */
export interface DatagramAddr extends NetAddr {
  /**
   * The stack's address and port: the destination of a received datagram, and the source of a reply
   * to it.
   */
  local?: NetAddr;
}

/** A datagram and its source. */
export type ReceivedDatagram = [data: Uint8Array<ArrayBuffer>, from: DatagramAddr];

/**
 * `Deno.DatagramConn` without its multicast groups: receives all datagrams to the addresses and
 * ports bound.
 */
export interface DatagramConn extends AsyncIterable<ReceivedDatagram>, Disposable, AsyncDisposable {
  /** The address and port bound; `0.0.0.0` for all addresses, and the first of several ports. */
  readonly addr: NetAddr;
  /**
   * The next datagram, truncated if `p` is too small. Rejects with `LISTENER_CLOSED` once closed.
   */
  receive(p?: Uint8Array<ArrayBuffer>): Promise<ReceivedDatagram>;
  /**
   * Sends a copy of `p`, at most 65,507 bytes over IPv4 and 65,527 over IPv6, in fragments if it
   * does not fit into a packet. Resolves with its length; delivery is not guaranteed. A reply to an
   * address returned by {@link receive} is sent from the address and port that the datagram was
   * sent to.
   *
   * Rejects with `MESSAGE_TOO_LONG`, `INVALID_ADDRESS`, `ADDRESS_NOT_AVAILABLE` or
   * `LISTENER_CLOSED`, and with a `TypeError` if `p` is not a `Uint8Array`.
   */
  send(p: Uint8Array, addr: DatagramAddr): Promise<number>;
  /** Sends to an address in text form, or without a transport. */
  send(p: Uint8Array, addr: SocketAddress): Promise<number>;
  /** Closes the socket; unread datagrams are dropped. */
  close(): void;
  /**
   * Ends when the socket is closed. Leaving the loop early does not close the socket, as with
   * `Deno.DatagramConn`.
   */
  [Symbol.asyncIterator](): AsyncIterableIterator<ReceivedDatagram>;
}

/** Options of {@link Stack.listenDatagram}. */
export interface ListenDatagramOptions {
  /** 1 to 65535, `"8000-8999"` or `"*"`; 0: any free port. */
  port: number | string;
  /** One of the stack's addresses, or a network of them. Default: all addresses. */
  hostname?: string;
  /** Closes the socket. */
  signal?: AbortSignal;
  /**
   * Called for ICMP errors about datagrams that were sent: `CONNECTION_REFUSED` or `UNREACHABLE`,
   * with both addresses (RFC 1122 4.1.3.3). The socket stays open.
   */
  onError?: (error: TcpError) => void;
}

/** Counters of one flow. */
export interface FlowStats {
  /** Datagrams that the plugin has received. */
  readonly datagramsIn: number;
  /** The bytes in them. */
  readonly bytesIn: number;
  /** Datagrams sent. */
  readonly datagramsOut: number;
  /** The bytes in them. */
  readonly bytesOut: number;
}

/**
 * The UDP datagrams between one address and port of a peer and one of the stack. A flow ends when
 * neither side has sent anything for the idle timeout, when its handler has finished, or when an
 * ICMP error reports that the peer is unreachable.
 */
export interface DatagramFlow
  extends AsyncIterable<Uint8Array<ArrayBuffer>>, Disposable, AsyncDisposable {
  /** Datagrams until the flow ends. Leaving the loop early leaves the rest for later reads. */
  [Symbol.asyncIterator](): AsyncIterator<Uint8Array<ArrayBuffer>>;
  /** The address and port that the peer sends to. */
  readonly localAddr: NetAddr;
  /** The peer's address and port. */
  readonly remoteAddr: NetAddr;
  /**
   * The next datagram, or `null` at the end of the flow. After an ICMP error, rejects with
   * `CONNECTION_REFUSED` or `UNREACHABLE` once the datagrams received before it have been read.
   */
  receive(): Promise<Uint8Array<ArrayBuffer> | null>;
  /**
   * Sends a copy of `datagram`; see {@link DatagramConn.send}. Works after the flow's end too, for
   * late answers; rejects with `CLOSING` after {@link close}.
   */
  send(datagram: Uint8Array): Promise<number>;
  /**
   * Sets the idle timeout: milliseconds without a datagram in either direction, more than 0.
   * Default 60,000.
   */
  setIdleTimeout(ms: number): void;
  /**
   * Ends the flow and sends the peer an ICMP unreachable error, if the stack's ICMP policy allows
   * it: `"port"` (the default) or `"host"` unreachable, or administratively `"prohibited"` (RFC
   * 1122 4.1.3.1, RFC 4443 3.1). The error quotes the first datagram of the flow. Later datagrams
   * begin a new flow.
   */
  refuse(why?: FlowRefusal): void;
  /** Ends the flow and drops unread datagrams. Later datagrams begin a new flow. */
  close(): void;
  /** A snapshot of the counters. */
  stats(): FlowStats;
}

/** The context of a flow's handler. */
export interface FlowContext extends HandlerContext {
  /** The flow. */
  readonly flow: DatagramFlow;
}

/**
 * Runs once for each flow; `next` runs the rest of the chain. When the outermost handler settles,
 * the flow is closed. If it has received any datagram, those left in the queue begin a new flow.
 */
export type FlowHandler = (c: FlowContext, next: () => Promise<void>) => void | Promise<void>;

export type { FlowRefusal };
