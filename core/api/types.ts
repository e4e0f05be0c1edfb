/**
 * The public contract: what a program or a plugin sees of the stack. Types only.
 *
 * A {@link TcpSocket} is at once an async iterable of bytes, a `Deno.TcpConn` and a WinterTC
 * `Socket`; a {@link TcpListener} is a `Deno.Listener`.
 *
 * @module
 */
import type { SynVerdict } from "../stack/requests.ts";
import type { TcpState } from "../tcp/state.ts";
import type { Clock, Logger } from "./environment.ts";
import type { TcpErrorCode } from "./errors.ts";
import type { DatagramConn, FlowHandler, ListenDatagramOptions } from "./udp/datagram.ts";

/** The shape of `Deno.NetAddr`, so that code and Hono's conninfo helper read it unchanged. */
export interface NetAddr {
  /** `"tcp"` for a {@link TcpSocket}, `"udp"` for datagrams. */
  transport: "tcp" | "udp";
  /** An IPv4 or IPv6 address in text form, IPv6 without brackets (RFC 5952). */
  hostname: string;
  /** 1 to 65535. */
  port: number;
}

/** WinterTC `AnySocketAddress`: `"10.0.0.2:80"`, `"[fd00::2]:80"` or the object form. */
export type SocketAddress = string | { hostname: string; port: number };

/** WinterTC `SocketInfo`. */
export interface SocketInfo {
  /** `"10.0.0.2:80"` or `"[fd00::2]:80"`. */
  readonly remoteAddress: string;
  /** `"10.0.0.1:50000"` or `"[fd00::1]:50000"`. */
  readonly localAddress: string;
  /** The application protocol that a TLS handshake has agreed on (RFC 7301); `null` without one. */
  readonly alpn: string | null;
}

/** A copy of one connection's counters and estimates, taken when it was asked for. */
export interface TcpStats {
  /** RFC 9293 figure 5, in RFC spelling. */
  readonly state: TcpState;
  /** Smoothed round-trip time in milliseconds (RFC 6298); 0 before the first sample. */
  readonly srttMs: number;
  /** Retransmission timeout in milliseconds (RFC 6298). */
  readonly rtoMs: number;
  /** Congestion window in bytes. */
  readonly cwnd: number;
  /** Slow start threshold in bytes. */
  readonly ssthresh: number;
  /** Bytes written and not acknowledged yet, sent or not. */
  readonly unacknowledged: number;
  /** Bytes sent and not acknowledged yet. */
  readonly flightSize: number;
  /** Largest segment sent, in bytes of payload. */
  readonly sendMss: number;
  /** The peer's window in bytes. */
  readonly sendWindow: number;
  /** The window offered to the peer, in bytes. */
  readonly receiveWindow: number;
  /** Bytes received in order. */
  readonly bytesIn: number;
  /** Bytes sent, each counted once. */
  readonly bytesOut: number;
  /** Segments received. */
  readonly segmentsIn: number;
  /** Segments sent, retransmissions included. */
  readonly segmentsOut: number;
  /** Segments sent more than once. */
  readonly retransmits: number;
  /** Segments that arrived ahead of a hole. */
  readonly outOfOrder: number;
  /** Bytes up to the end of what the peer called urgent, not read yet (RFC 9293 3.8.5). */
  readonly urgentBytes: number;
}

/** One connection. At once a `Deno.TcpConn` and a WinterTC `Socket`. */
export interface TcpSocket
  extends AsyncIterable<Uint8Array<ArrayBuffer>>, Disposable, AsyncDisposable {
  /**
   * Byte stream (BYOB readers work). Pulling opens the receive window, not pulling closes it.
   * Cancelling it, as leaving a loop over it and an aborted `pipeTo` do, closes the socket, as with
   * `Deno.Conn`.
   */
  readonly readable: ReadableStream<Uint8Array<ArrayBuffer>>;
  /**
   * A write settles when the send buffer took the bytes, not when the peer did. Closing it is
   * {@link closeWrite}; aborting it, or writing what is no `Uint8Array`, is {@link abort}.
   */
  readonly writable: WritableStream<Uint8Array<ArrayBufferLike>>;
  /** Resolves in ESTABLISHED; rejects with the {@link TcpError} that ended the attempt. */
  readonly opened: Promise<SocketInfo>;
  /** Resolves when both halves are done; rejects on reset or timeout. */
  readonly closed: Promise<undefined>;

  /**
   * Iteration without a copy: each chunk is a view of the receive buffer, valid until the next one
   * is asked for; then its bytes count as read. Not to be mixed with other ways of reading.
   */
  views(): AsyncIterableIterator<Uint8Array<ArrayBuffer>>;
  /**
   * The next chunks, until the peer's FIN. Leaving the loop early closes nothing: whoever reads next
   * has the rest, so that a handler may read a beginning and hand the socket on. `readable` closes.
   */
  [Symbol.asyncIterator](): AsyncIterator<Uint8Array<ArrayBuffer>>;
  /**
   * Fills `p`; resolves with the byte count, or with `null` after the peer's FIN. Where the buffer of
   * `p` was transferred meanwhile it is 0, and the bytes are left to the next read.
   *
   * @throws {TypeError} `p` is no `Uint8Array`, or its buffer was transferred before.
   */
  read(p: Uint8Array<ArrayBufferLike>): Promise<number | null>;
  /**
   * Resolves with `p.byteLength` once the send buffer took all of it; until then `p` must not be
   * changed. Waits while the peer does not read.
   *
   * @throws {TypeError} `p` is no `Uint8Array`, as of `Deno.Conn`; or its buffer was transferred or
   * made smaller before all was taken: the message says how much was, and what is written next goes
   * behind it.
   */
  write(p: Uint8Array<ArrayBufferLike>): Promise<number>;
  /**
   * Takes as much of the beginning of `p` as can be taken without waiting, and returns how many bytes
   * that was; `p` may be changed at once. 0 also where others wait to write, where middleware stands
   * in between, and where writing has ended: {@link write} the rest to wait, or to learn why.
   *
   * @throws {TypeError} `p` is no `Uint8Array`.
   */
  tryWrite(p: Uint8Array<ArrayBufferLike>): number;
  /** FIN after everything written; reading goes on (RFC 9293 3.6, half-close). */
  closeWrite(): Promise<void>;
  /** No more reading and no more writing; what was written is still delivered. */
  close(reason?: unknown): Promise<undefined>;
  /** RST now; every buffer is dropped (RFC 9293 3.10.5). */
  abort(reason?: unknown): void;

  /** This side's address and port. */
  readonly localAddr: NetAddr;
  /** The peer's address and port. */
  readonly remoteAddr: NetAddr;
  /** RFC 9293 figure 5, in RFC spelling. */
  readonly state: TcpState;
  /** A copy, taken now. */
  stats(): TcpStats;
  /**
   * With `acknowledge: "on-processed"`: everything that was handed out so far has been dealt with,
   * so the peer may know. Iteration does this itself when it asks for the next chunk; `read()` and
   * `readable` leave it to the application.
   */
  acknowledge(): void;
  /**
   * Milliseconds that the peer may say nothing before the connection is given up with `TIMED_OUT`
   * (RFC 5482, RFC 9293 3.8.3); it overrides the number of keep-alive probes.
   */
  setUserTimeout(ms: number): void;
  /**
   * Seconds that close() lets the peer take what was written before it resets the connection; 0:
   * at once (RFC 9293 3.10.5). Without a number, the default: as long as the peer answers.
   */
  setLinger(seconds?: number): void;
  /** Holds back what does not fill a segment, until it is turned off or the socket is closed. */
  setCork(cork?: boolean): void;
  /** Turns Nagle's algorithm off (the default) or on (RFC 9293 3.7.4). */
  setNoDelay(noDelay?: boolean): void;
  /** Turns keep-alive probes on or off (RFC 9293 3.8.4). */
  setKeepAlive(keepAlive?: boolean): void;
  /** Kept for `Deno.Conn`; a connection never keeps the process alive by itself, its stack does. */
  ref(): void;
  /** Kept for `Deno.Conn`; see {@link ref}. */
  unref(): void;
  /** WinterTC: true where middleware has put TLS around the connection. */
  readonly upgraded: boolean;
}

/** `Deno.Listener<TcpSocket, NetAddr>`, with a bounded backlog. */
export interface TcpListener extends AsyncIterable<TcpSocket>, Disposable, AsyncDisposable {
  /**
   * The address and port listened on; `0.0.0.0` when it is every address of the stack, the
   * network's address and the first port when it is several.
   */
  readonly addr: NetAddr;
  /** The next connection. Rejects with `LISTENER_CLOSED` once closed. */
  accept(): Promise<TcpSocket>;
  /** Stops listening; connections not yet accepted are reset. */
  close(): void;
  /** Ends when the listener is closed; leaving the loop early closes it, as with `Deno.Listener`. */
  [Symbol.asyncIterator](): AsyncIterableIterator<TcpSocket>;
  /** Kept for `Deno.Listener`. */
  ref(): void;
  /** Kept for `Deno.Listener`. */
  unref(): void;
}

/** A connection attempt, seen before it is answered. */
export interface Syn {
  /** The address and port that were asked for. */
  readonly local: NetAddr;
  /** Who asks. */
  readonly remote: NetAddr;
  /**
   * Aborted when the peer gives up, the SYN is refused or ignored after all, the connection has
   * ended, or the stack closes: who has prepared something for a handler that never ran lets it go.
   */
  readonly signal: AbortSignal;
}

/** What {@link Stack.listen} takes. */
export interface ListenOptions {
  /** 1 to 65535; 0: any free port. Several as text: `"8000-8999"`, or `"*"` for all of them. */
  port: number | string;
  /** One of the stack's addresses, or a network of them (`"10.90.7.0/24"`); default every one. */
  hostname?: string;
  /**
   * Connections in SYN-RECEIVED or waiting for `accept()`, at most; once that many are, others may
   * come by SYN cookies until that many wait for `accept()`. Default 511.
   */
  tcpBacklog?: number;
  /** Closes the listener. */
  signal?: AbortSignal;
  /**
   * Decides before the SYN is answered; true is `"accept"`, false and a throw are `"refuse"`. It is
   * asked once for an attempt, however often the SYN comes again meanwhile. Default: accept.
   */
  onSyn?: (syn: Syn) => boolean | SynVerdict | Promise<boolean | SynVerdict>;
}

/** What {@link Stack.connect} takes. */
export interface ConnectOptions {
  /** Gives the attempt up, or aborts the connection. */
  signal?: AbortSignal;
  /** The port to connect from; default a free one (RFC 6056). */
  localPort?: number;
  /**
   * The address to connect from; default the stack's own address in the peer's subnet, of a whole
   * network its first (`10.90.0.2` of `10.90.0.0/16` where `10.90.0.1` is the host's).
   */
  localHostname?: string;
  /**
   * WinterTC, default false: the peer's FIN closes this side too. Accepted sockets always stay
   * half-open, as Deno's and the kernel's do.
   */
  allowHalfOpen?: boolean;
}

/** What handlers get, of a connection or of a flow. */
export interface HandlerContext {
  /** For connections and sockets of the plugin's own through the same stack. */
  readonly stack: Pick<Stack, "connect" | "listenDatagram">;
  /** Lines carry the plugin's name and port. */
  readonly log: Logger;
  /** The stack's clock: plugins take time from here, so that tests run in virtual time. */
  readonly clock: Clock;
  /** Aborted when the stack closes, or when the connection or flow has ended. */
  readonly signal: AbortSignal;
  /** A value that an earlier handler of the chain has set. */
  get<T>(key: symbol | string): T | undefined;
  /** Hands a value to the later handlers of the chain. */
  set<T>(key: symbol | string, value: T): void;
}

/** What a handler gets of its connection. */
export interface Context extends HandlerContext {
  /** The connection. */
  readonly socket: TcpSocket;
}

/**
 * Runs the rest of the chain, on the same socket or on another one, such as `deriveSocket` makes.
 * That one is closed when the rest has settled, and what was written to it has reached the socket
 * below when this resolves; when the rest throws it is aborted.
 */
export type Next = (socket?: TcpSocket) => Promise<void>;

/** When the outermost handler settles the socket is closed; when it throws the socket is aborted. */
export type Handler = (c: Context, next: Next) => void | Promise<void>;

/** What {@link Plugin.onSyn} decides. */
export type SynDecision = Handler | "refuse" | "ignore" | undefined | void;

/** What a plugin sees of a connection attempt. */
export type SynContext = Pick<Context, "stack" | "log" | "clock">;

/** What {@link Stack.use} puts on a port. */
export interface Plugin {
  /** Shown in logs. */
  readonly name: string;
  /** Runs once per accepted connection. */
  readonly handle?: Handler;
  /**
   * Runs before the SYN is answered, once for an attempt, however often the SYN comes again. At most
   * 4096 attempts wait, a quarter of them of one address (of IPv6 64 bits of it): then the oldest of
   * the source that has the most makes room, and its `syn.signal` is aborted. Returns the handler that
   * runs for this connection instead of `handle`, nothing when it has no objection, or `"refuse"` or
   * `"ignore"` (see {@link SynVerdict}); a throw refuses as well. The plugins of a chain are asked in
   * order; when a later one refuses or ignores, or the peer gives up, `syn.signal` is aborted.
   */
  readonly onSyn?: (syn: Syn, c: SynContext) => SynDecision | Promise<SynDecision>;
  /** Runs once for each flow of datagrams; for plugins on `udp/` places. */
  readonly flow?: FlowHandler;
  /**
   * It leads on to the hosts whose addresses it serves. The stack does not answer `ping` for these
   * unless `icmp` says so.
   */
  readonly transparent?: boolean;
  /** Runs once when the stack has closed. */
  readonly dispose?: () => void | Promise<void>;
}

/** What {@link Stack.close} takes. */
export interface CloseOptions {
  /** How long running connections may take to finish, in milliseconds. Default 0. */
  graceMs?: number;
  /**
   * Called once they have finished or the time is over; while its promise is pending the stack goes
   * on refusing connections. For several stacks that have to end together.
   */
  whenDrained?: () => Promise<void>;
}

/** A TCP/IP stack on one link. */
export interface Stack extends AsyncDisposable {
  /** Returns at once, pending; wait on `.opened` (WinterTC). */
  connect(address: SocketAddress, options?: ConnectOptions): TcpSocket;
  /** The port is taken when this returns (Deno). */
  listen(options: ListenOptions): TcpListener;
  /** A UDP socket; its place is taken when this returns (Deno). */
  listenDatagram(options: ListenDatagramOptions): DatagramConn;
  /**
   * `stack.use(7, echo())` (Hono). Handlers run in order, each calls `next()` for the following one.
   *
   * `where` is a port, or text: `[tcp/|udp/][ADDRESS[/LENGTH]:]PORTS`, where PORTS is `80`,
   * `8000-8999` or `*`, and IPv6 is in brackets: `"10.90.7.0/24:8000-8999"`, `"[fd00::/64]:*"`. Of
   * several places that a connection asks for the most specific one serves it: the one with the
   * longest prefix, among these the one with the fewest ports.
   *
   * Port 0 is any free one, also as `"udp/0"`: {@link addrs} tells which.
   *
   * @throws {TypeError} `where` or a handler is none; a factory such as `echo` has to be called.
   * @throws {TcpError} `ADDRESS_IN_USE`: that very place is taken. `ADDRESS_NOT_AVAILABLE`: no
   * address in it is the stack's.
   */
  use(
    where: number | string | readonly (number | string)[],
    ...handlers: [Handler | Plugin, ...(Handler | Plugin)[]]
  ): this;
  /**
   * Where {@link use} has put handlers, in order, with the port that was taken where any free one was
   * asked for: `stack.use(0, echo()).addrs.at(-1)!.port`. Of a network and of several ports it is the
   * network's address and the first port, of every address `0.0.0.0`.
   */
  readonly addrs: readonly NetAddr[];
  /**
   * Takes one more own address in CIDR form, or every address of a network: `"10.90.0.0/16"`.
   *
   * @throws {TypeError} It is not an address.
   */
  addAddress(cidr: string): void;
  /**
   * Gives an own address up, or every one of a network, also inside of a greater network that is
   * own: their connections end with `ADDRESS_NOT_AVAILABLE`, without a word.
   */
  removeAddress(cidr: string): void;
  /**
   * Stops listening, lets running connections finish for `graceMs` (default 0), which includes that
   * their peers close as well, aborts the rest, disposes the plugins and closes the link.
   */
  close(options?: CloseOptions): Promise<void>;
  /** Resolves when the stack has closed; rejects when its link failed. */
  readonly finished: Promise<void>;
  /** Counters of the whole stack; dropped packets by reason under `drop.*`. */
  stats(): Readonly<Record<string, number>>;
}

export type { Clock, Logger, SynVerdict, TcpErrorCode, TcpState };
