/**
 * The public contract of UDP: sockets that are shaped like `Deno.DatagramConn`, and flows for
 * plugins. Types only.
 *
 * @module
 */
import type { FlowRefusal } from "../../udp/flow.ts";
import type { TcpError } from "../errors.ts";
import type { HandlerContext, NetAddr, SocketAddress } from "../types.ts";

/** Who has sent a datagram, or whom one is for. */
export interface DatagramAddr extends NetAddr {
  /**
   * The stack's address and port: what the datagram was sent to, and where an answer to this
   * address comes from.
   */
  local?: NetAddr;
}

/** A datagram and who has sent it. */
export type ReceivedDatagram = [data: Uint8Array<ArrayBuffer>, from: DatagramAddr];

/** `Deno.DatagramConn` without its multicast groups: every datagram of a place. */
export interface DatagramConn extends AsyncIterable<ReceivedDatagram>, Disposable, AsyncDisposable {
  /** The address bound; `0.0.0.0` where it is every one, the first port where there are several. */
  readonly addr: NetAddr;
  /**
   * The next datagram; one that `p` is too small for is cut. Rejects with `LISTENER_CLOSED` once
   * closed.
   */
  receive(p?: Uint8Array<ArrayBuffer>): Promise<ReceivedDatagram>;
  /**
   * Sends a copy of `p`, at most 65,507 bytes over IPv4 and 65,527 over IPv6, in fragments where it
   * does not fit into a packet. Resolves with its length; whether it arrives nobody knows. An
   * answer to an address that {@link receive} has returned comes from where it was sent to.
   *
   * Rejects with `MESSAGE_TOO_LONG`, `INVALID_ADDRESS`, `ADDRESS_NOT_AVAILABLE` or
   * `LISTENER_CLOSED`, and with a `TypeError` where `p` is no `Uint8Array`.
   */
  send(p: Uint8Array, addr: DatagramAddr): Promise<number>;
  /** The same to an address in text form, or without a transport. */
  send(p: Uint8Array, addr: SocketAddress): Promise<number>;
  /** Takes no more datagrams; those that nobody has received are dropped. */
  close(): void;
  /**
   * Ends when the socket is closed. Leaving the loop early closes nothing, as with
   * `Deno.DatagramConn`: no peer waits for who receives next.
   */
  [Symbol.asyncIterator](): AsyncIterableIterator<ReceivedDatagram>;
}

/** What {@link Stack.listenDatagram} takes. */
export interface ListenDatagramOptions {
  /** 1 to 65535, `"8000-8999"` or `"*"`; 0: any free port. */
  port: number | string;
  /** An address or network of the stack's; default every address. */
  hostname?: string;
  /** Closes the socket. */
  signal?: AbortSignal;
  /**
   * Told what the network says about datagrams that were sent: `CONNECTION_REFUSED` or
   * `UNREACHABLE`, with both addresses (RFC 1122 4.1.3.3). The socket goes on.
   */
  onError?: (error: TcpError) => void;
}

/** Counts of one flow. */
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
 * What one peer's address and port and one of the stack's say to each other over UDP. It ends when
 * neither has sent anything for the idle timeout, when its handler has finished, or when an ICMP
 * error says that the peer is not there.
 */
export interface DatagramFlow
  extends AsyncIterable<Uint8Array<ArrayBuffer>>, Disposable, AsyncDisposable {
  /** Datagrams until the flow ends. Leaving the loop early leaves the rest to who receives next. */
  [Symbol.asyncIterator](): AsyncIterator<Uint8Array<ArrayBuffer>>;
  /** The address and port that the peer sends to. */
  readonly localAddr: NetAddr;
  /** The peer's address and port. */
  readonly remoteAddr: NetAddr;
  /**
   * The next datagram, `null` at the flow's end. Rejects with `CONNECTION_REFUSED` or `UNREACHABLE`
   * when the network says so, after what came before.
   */
  receive(): Promise<Uint8Array<ArrayBuffer> | null>;
  /**
   * Sends a copy of `datagram`; see {@link DatagramConn.send}. Works after the flow's end too, for
   * answers that took long; rejects with `CLOSING` after {@link close}.
   */
  send(datagram: Uint8Array): Promise<number>;
  /** Milliseconds without a datagram, either way, after which it ends; more than 0. Default 60 000. */
  setIdleTimeout(ms: number): void;
  /**
   * Ends it, and says with an ICMP error to the peer, as often as the stack's ICMP policy allows,
   * that nobody is there: no such `"port"` (the default), no way to the `"host"`, or that it is
   * `"prohibited"` (RFC 1122 4.1.3.1, RFC 4443 3.1). The error quotes the datagram that the flow
   * began with. What comes later begins a new flow.
   */
  refuse(why?: FlowRefusal): void;
  /** Ends it; what was not received is dropped. What comes later begins a new flow. */
  close(): void;
  /** A copy, taken now. */
  stats(): FlowStats;
}

/** What a handler gets of its flow. */
export interface FlowContext extends HandlerContext {
  /** The flow. */
  readonly flow: DatagramFlow;
}

/**
 * Runs once for each flow; `next` runs the rest of the chain. When the outermost handler settles
 * the flow is closed; datagrams that it left in the queue begin a new one if it has received any.
 */
export type FlowHandler = (c: FlowContext, next: () => Promise<void>) => void | Promise<void>;

export type { FlowRefusal };
