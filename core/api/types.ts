/**
 * The public interfaces of the stack. Types only.
 *
 * A {@link TcpSocket} is an async iterable of bytes, a `Deno.TcpConn` and a WinterTC `Socket`; a
 * {@link TcpListener} is a `Deno.Listener`.
 *
 * @module
 */
import type { SynVerdict } from "../stack/requests.ts";
import type { TcpEvent } from "../tcp/event_log/events.ts";
import type { TcpState } from "../tcp/state.ts";
import type { WaitReason } from "../tcp/wait_reason.ts";
import type { Clock, Logger } from "./environment.ts";
import type { TcpErrorCode } from "./errors.ts";
import type { Metric } from "./metrics/metric.ts";
import type {
  Attachment,
  FreezeOptions,
  FrozenConnection,
  JsonValue,
  ReceiveOptions,
  ThawOptions,
} from "./moves/types.ts";
import type { DatagramConn, FlowHandler, ListenDatagramOptions } from "./udp/datagram.ts";

/** As `Deno.NetAddr`, so that code for Deno and Hono's conninfo helper work unchanged. */
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
  /** The application protocol negotiated by TLS (RFC 7301); `null` without one. */
  readonly alpn: string | null;
}

/** A snapshot of the counters and estimates of one connection. */
export interface TcpStats {
  /** RFC 9293 figure 5, in RFC spelling. */
  readonly state: TcpState;
  /** Smoothed round-trip time in milliseconds (RFC 6298); 0 before the first sample. */
  readonly srttMs: number;
  /** Variation of the round-trip time in milliseconds (RFC 6298). */
  readonly rttvarMs: number;
  /** Retransmission timeout in milliseconds (RFC 6298). */
  readonly rtoMs: number;
  /** Congestion window in bytes. */
  readonly cwnd: number;
  /** Slow start threshold in bytes. */
  readonly ssthresh: number;
  /** Bytes written and not acknowledged yet, whether sent or not. */
  readonly unacknowledged: number;
  /** Bytes sent and not acknowledged yet. */
  readonly flightSize: number;
  /** Effective send MSS: the payload of a full segment, in bytes. */
  readonly sendMss: number;
  /** The peer's window in bytes. */
  readonly sendWindow: number;
  /** The window offered to the peer, in bytes. */
  readonly receiveWindow: number;
  /** Bytes received in order that the application has not read. */
  readonly unread: number;
  /** Bytes received in order. */
  readonly bytesIn: number;
  /** Bytes sent, without retransmissions. */
  readonly bytesOut: number;
  /** Segments received. */
  readonly segmentsIn: number;
  /** Segments sent, retransmissions included. */
  readonly segmentsOut: number;
  /** Retransmitted segments. */
  readonly retransmits: number;
  /** Segments received out of order. */
  readonly outOfOrder: number;
  /** Unread bytes up to the end of the urgent data (RFC 9293 3.8.5). */
  readonly urgentBytes: number;
}

/** Options of {@link TcpSocket.eventLog}. */
export interface EventLogOptions {
  /** Maximum number of unread events; further ones are dropped and counted. Default 10,000. */
  maxEvents?: number;
}

/**
 * The event log of one connection: segments, acknowledgements, losses, congestion control, timers and
 * states, as they happen. It begins with a snapshot, and ends when it is closed or the connection has
 * ended. After dropped events it continues with `tcp:events_dropped` and another snapshot.
 *
 * @example
 * ```ts
 * import { createStack } from "@berth/berth";
 * import { linkPair } from "@berth/berth/links";
 * import { echo } from "@berth/berth/plugins";
 *
 * const [here, there] = linkPair();
 * await using server = createStack({ link: here, addresses: ["10.0.0.1/24"] });
 * server.use(7, echo());
 * await using client = createStack({ link: there, addresses: ["10.0.0.2/24"] });
 * await using socket = client.connect("10.0.0.1:7");
 * using log = socket.eventLog();
 * await socket.write(new TextEncoder().encode("ahoy"));
 * await socket.read(new Uint8Array(4));
 * for (const { time, name, data } of log.take()) console.log(time, name, JSON.stringify(data));
 * ```
 */
export interface TcpEventLog extends AsyncIterable<TcpEvent>, Disposable {
  /** Removes and returns all unread events. */
  take(): TcpEvent[];
  /** Number of events dropped so far. */
  readonly dropped: number;
  /** Ends the log; unread events can still be read. */
  close(): void;
  /** The events in order, as they happen. Leaving the loop early closes the log. */
  [Symbol.asyncIterator](): AsyncIterableIterator<TcpEvent>;
}

/** Options of {@link Stack.nextEventLog}. */
export interface NextEventLogOptions extends EventLogOptions {
  /** The local port; default: any. */
  port?: number;
  /** The peer's address, or a network that it is in; default: any. */
  remote?: string;
  /** Ends the wait; the promise rejects with its reason. */
  signal?: AbortSignal;
}

/** What {@link Stack.nextEventLog} resolves with. */
export interface LoggedConnection {
  /** This side's address and port. */
  readonly localAddr: NetAddr;
  /** The peer's address and port. */
  readonly remoteAddr: NetAddr;
  /** The log, from the SYN on. */
  readonly log: TcpEventLog;
}

/** One connection: a `Deno.TcpConn` and a WinterTC `Socket`. */
export interface TcpSocket
  extends AsyncIterable<Uint8Array<ArrayBuffer>>, Disposable, AsyncDisposable {
  /**
   * Byte stream, with BYOB readers too. The receive window opens as the stream is read. Cancelling
   * it closes the socket, as with `Deno.Conn`; leaving a loop over it and aborting a `pipeTo`
   * cancel it.
   */
  readonly readable: ReadableStream<Uint8Array<ArrayBuffer>>;
  /**
   * A write settles when the send buffer has accepted the bytes, not when the peer has received them. Closing it calls
   * {@link closeWrite}; aborting it, or writing anything but a `Uint8Array`, calls {@link abort}.
   */
  readonly writable: WritableStream<Uint8Array<ArrayBufferLike>>;
  /** Resolves in ESTABLISHED; rejects with the {@link TcpError} that ended the attempt. */
  readonly opened: Promise<SocketInfo>;
  /** Resolves when both halves are done; rejects on reset or timeout. */
  readonly closed: Promise<undefined>;

  /**
   * Iteration without a copy: each chunk is a view of the receive buffer. It is valid until the next one is requested,
   * and its bytes count as read from then on. Do not mix with other ways of reading.
   */
  views(): AsyncIterableIterator<Uint8Array<ArrayBuffer>>;
  /**
   * The next chunks, until the peer's FIN. Leaving the loop early does not close the socket: the next reader gets the
   * rest, so that a handler may read the beginning and pass the socket on. Cancelling `readable` does close it.
   */
  [Symbol.asyncIterator](): AsyncIterator<Uint8Array<ArrayBuffer>>;
  /**
   * Reads into `p`; resolves with the number of bytes, or with `null` after the peer's FIN. If the buffer of `p` was
   * transferred meanwhile, it resolves with 0, and the next read gets the bytes.
   *
   * @throws {TypeError} `p` is not a `Uint8Array`, or its buffer was transferred before.
   */
  read(p: Uint8Array<ArrayBufferLike>): Promise<number | null>;
  /**
   * Resolves with `p.byteLength` once the send buffer has accepted all of it; until then `p` must not be changed. Waits
   * while the peer does not read.
   *
   * @throws {TypeError} `p` is not a `Uint8Array`, as with `Deno.Conn`; or its buffer was
   * transferred or shrunk before all of it was accepted. The message says how many bytes were; the
   * next write continues after them.
   */
  write(p: Uint8Array<ArrayBufferLike>): Promise<number>;
  /**
   * Accepts as much of the beginning of `p` as there is room for, and returns the number of bytes;
   * `p` may be changed at once. Also returns 0 while other writes wait, if middleware does not
   * support it, and after the end of writing: use {@link write} for the rest, which waits or fails
   * with the error.
   *
   * @throws {TypeError} `p` is not a `Uint8Array`.
   */
  tryWrite(p: Uint8Array<ArrayBufferLike>): number;
  /** Sends FIN after all data; reading continues (half-close, RFC 9293 3.6). */
  closeWrite(): Promise<void>;
  /** Ends reading and writing; data already written is still delivered. */
  close(reason?: unknown): Promise<undefined>;
  /** Sends RST and drops all buffers (RFC 9293 3.10.5). */
  abort(reason?: unknown): void;

  /** This side's address and port. */
  readonly localAddr: NetAddr;
  /** The peer's address and port. */
  readonly remoteAddr: NetAddr;
  /** RFC 9293 figure 5, in RFC spelling. */
  readonly state: TcpState;
  /** A snapshot of the statistics. */
  stats(): TcpStats;
  /**
   * Starts an event log; a connection may have several. Without one, nothing is recorded. The log of an accepted
   * connection starts after its handshake; {@link Stack.nextEventLog} starts with the SYN.
   *
   * @throws {TypeError} `maxEvents` is not valid.
   */
  eventLog(options?: EventLogOptions): TcpEventLog;
  /**
   * With `acknowledge: "on-processed"`: acknowledges all data read so far as processed. Iteration
   * does so when it requests the next chunk; after `read()` and with `readable`, the application
   * has to call it.
   */
  acknowledge(): void;
  /**
   * How long data or a keep-alive probe may stay unacknowledged, in milliseconds, before the connection ends with
   * `TIMED_OUT` (RFC 5482, RFC 9293 3.8.3); overrides the number of keep-alive probes.
   */
  setUserTimeout(ms: number): void;
  /**
   * Seconds after close() in which data is still delivered before the connection is reset; 0: reset at once
   * (RFC 9293 3.10.5). Without a number, the default: as long as the peer answers.
   */
  setLinger(seconds?: number): void;
  /** Holds back partial segments, until it is turned off or the socket is closed. */
  setCork(cork?: boolean): void;
  /** Turns Nagle's algorithm off (`true`, the default argument) or on (RFC 9293 3.7.4). */
  setNoDelay(noDelay?: boolean): void;
  /** Turns keep-alive probes on or off (RFC 9293 3.8.4). */
  setKeepAlive(keepAlive?: boolean): void;
  /** For `Deno.Conn`; no effect: the stack keeps the process alive, not the connection. */
  ref(): void;
  /** For `Deno.Conn`; see {@link ref}. */
  unref(): void;
  /** WinterTC: whether middleware has added TLS. */
  readonly upgraded: boolean;
}

/** `Deno.Listener<TcpSocket, NetAddr>`, with a bounded backlog. */
export interface TcpListener extends AsyncIterable<TcpSocket>, Disposable, AsyncDisposable {
  /**
   * The address and port listened on: `0.0.0.0` for every address of the stack; for a network or several ports, the
   * network's address and the first port.
   */
  readonly addr: NetAddr;
  /** The next connection. Rejects with `LISTENER_CLOSED` once closed. */
  accept(): Promise<TcpSocket>;
  /** Stops listening; connections not yet accepted are reset. */
  close(): void;
  /** Ends when the listener is closed; leaving the loop early closes it, as with `Deno.Listener`. */
  [Symbol.asyncIterator](): AsyncIterableIterator<TcpSocket>;
  /** For `Deno.Listener`; no effect. */
  ref(): void;
  /** For `Deno.Listener`; no effect. */
  unref(): void;
}

/** A connection attempt before its SYN is answered. */
export interface Syn {
  /** The destination of the SYN. */
  readonly local: NetAddr;
  /** The client. */
  readonly remote: NetAddr;
  /**
   * Aborted when the peer gives up, a later plugin refuses or ignores the SYN, the connection ends,
   * or the stack closes. Use it to release what was prepared for a handler that may never run.
   */
  readonly signal: AbortSignal;
}

/** Options of {@link Stack.listen}. */
export interface ListenOptions {
  /** 1 to 65535; 0: any free port. Text for several ports: `"8000-8999"`, or `"*"` for all. */
  port: number | string;
  /** One of the stack's addresses, or a network of them (`"10.90.7.0/24"`). Default: all. */
  hostname?: string;
  /**
   * Maximum number of connections in SYN-RECEIVED, and of those waiting for `accept()`; SYNs beyond
   * the first limit are answered with SYN cookies. Default 511.
   */
  tcpBacklog?: number;
  /** Closes the listener. */
  signal?: AbortSignal;
  /**
   * Decides before the SYN is answered; true means `"accept"`, false or an exception `"refuse"`.
   * Called once for each attempt, even if the SYN is retransmitted. Default: accept.
   */
  onSyn?: (syn: Syn) => boolean | SynVerdict | Promise<boolean | SynVerdict>;
}

/** Options of {@link Stack.connect}. */
export interface ConnectOptions {
  /** Cancels the attempt, or aborts the connection. */
  signal?: AbortSignal;
  /** The port to connect from. Default: a free one (RFC 6056). */
  localPort?: number;
  /**
   * The address to connect from. Default: the stack's address in the peer's subnet; if the stack
   * owns a whole network, its first usable address (`10.90.0.2` in `10.90.0.0/16` if `10.90.0.1` is
   * the host's).
   */
  localHostname?: string;
  /**
   * WinterTC, default false: the peer's FIN closes this side too. For accepted sockets, the FIN
   * never closes this side, as with Deno and the kernel.
   */
  allowHalfOpen?: boolean;
}

/** The part of a handler's context that connections and flows share. */
export interface HandlerContext {
  /** Opens the plugin's own connections and sockets through the same stack. */
  readonly stack: Pick<Stack, "connect" | "listenDatagram">;
  /** Adds the plugin's name and the port to each line. */
  readonly log: Logger;
  /** The stack's clock; plugins use it so that tests can run in virtual time. */
  readonly clock: Clock;
  /**
   * Aborted when the stack closes, the handler is asked to finish because it was replaced or removed,
   * or the connection or flow has ended.
   */
  readonly signal: AbortSignal;
  /** A value set by an earlier handler of the chain. */
  get<T>(key: symbol | string): T | undefined;
  /** Sets a value for later handlers of the chain. */
  set<T>(key: symbol | string, value: T): void;
}

/** The context of a connection's handler. */
export interface Context extends HandlerContext {
  /** The connection. */
  readonly socket: TcpSocket;
}

/**
 * Runs the rest of the chain, on the same socket or on another one, such as `deriveSocket` makes.
 * Another socket is closed when the rest has settled, and its data has been written to its base
 * socket when this resolves; if the rest throws, it is aborted.
 */
export type Next = (socket?: TcpSocket) => Promise<void>;

/** When the outermost handler settles, the socket is closed; if it throws, the socket is aborted. */
export type Handler = (c: Context, next: Next) => void | Promise<void>;

/** Result of {@link Plugin.onSyn}. */
export type SynDecision = Handler | "refuse" | "ignore" | undefined | void;

/** The context of {@link Plugin.onSyn}. */
export type SynContext = Pick<Context, "stack" | "log" | "clock">;

/** What {@link Stack.use} binds to a listen address. */
export interface Plugin {
  /** Name, for logs. */
  readonly name: string;
  /** Runs once per accepted connection. */
  readonly handle?: Handler;
  /**
   * Runs before the SYN is answered, once for each attempt, even if the SYN is retransmitted. At
   * most 4096 attempts wait, at most a quarter of them from one IPv4 address or IPv6 /64. Beyond
   * that, the oldest attempt of the source with the most is evicted, and its `syn.signal` is
   * aborted. Returns the handler that runs for this connection instead of `handle`, nothing to
   * accept it, or `"refuse"` or `"ignore"` (see {@link SynVerdict}); an exception refuses it too.
   * The plugins of a chain are called in order; when a later one refuses or ignores the SYN, or the
   * peer gives up, `syn.signal` is aborted.
   */
  readonly onSyn?: (syn: Syn, c: SynContext) => SynDecision | Promise<SynDecision>;
  /**
   * Takes part in moves: returns what {@link thaw} continues from, at most 64 KiB as JSON, or
   * nothing if the connection cannot move now. Called while the handler waits, possibly several
   * times, so it must not change anything. If the connection moves, pending and later reads and writes of
   * its socket are rejected with `CONNECTION_MOVED`. Bytes that were written move with the
   * connection, those of a pending write included; so do bytes that have not been read.
   *
   * `attach` adds something outside of the stack that moves too; it is held once the connection is
   * frozen.
   *
   * @throws {TcpError} `NOT_MOVABLE`: why the connection cannot move.
   */
  readonly freeze?: (c: Context, attach: (attachment: Attachment) => void) => JsonValue | undefined;
  /**
   * Serves a connection that has moved, from the state that {@link freeze} of the plugin with the same
   * name and {@link stateVersion} returned, and with what it attached.
   */
  readonly thaw?: (
    c: Context,
    state: JsonValue,
    next: Next,
    attachments: readonly Attachment[],
  ) => void | Promise<void>;
  /**
   * Version of the state that {@link freeze} returns; connections move only between equal ones. Increase
   * it when {@link thaw} would not understand the state of earlier code. Default 0.
   */
  readonly stateVersion?: number;
  /** Runs once for each flow of datagrams, on `udp/` listen addresses. */
  readonly flow?: FlowHandler;
  /**
   * The plugin forwards to the hosts whose addresses it serves. The stack does not answer `ping`
   * for these addresses unless `icmp` says so.
   */
  readonly transparent?: boolean;
  /**
   * The metrics of the plugin; each point gets the attributes `listen` and `plugin`. Called when the metrics of the
   * stack are read. A plugin whose counting has a cost starts counting at the first call.
   */
  readonly metrics?: () => readonly Metric[];
  /**
   * Runs once: when the stack has closed, or when the plugin has been replaced or removed everywhere
   * and its last handler has finished.
   */
  readonly dispose?: () => void | Promise<void>;
}

/** Options of {@link PluginBinding.remove} and {@link RetiredHandlers.end}. */
export interface EndOptions {
  /**
   * How long connections and flows may take to finish, in milliseconds; `Infinity`: without limit, and their handlers
   * are not asked to finish. Default 0.
   */
  graceMs?: number;
}

/**
 * What {@link Stack.use} returns: the plugins of some listen addresses, which can be replaced and
 * removed while they serve.
 *
 * @example
 * ```ts
 * import { createStack } from "@berth/berth";
 * import { linkPair } from "@berth/berth/links";
 * import { daytime, echo } from "@berth/berth/plugins";
 *
 * const [link] = linkPair();
 * await using stack = createStack({ link, addresses: ["10.0.0.2/24"] });
 * const binding = stack.use(7, echo());
 * const old = binding.replace(daytime()); // new connections get the time, running ones their echo
 * await old.end({ graceMs: 30_000 }); // for 30 seconds
 * await binding.remove(); // the port refuses connections
 * ```
 */
export interface PluginBinding {
  /**
   * Its first listen address, with the port that was chosen for port 0, as `addr` of `Deno.serve`. For a
   * network or several ports, the network's address and the first port; for all addresses, `0.0.0.0`.
   */
  readonly addr: NetAddr;
  /** All of its listen addresses, in order; see {@link addr}. */
  readonly addrs: readonly NetAddr[];
  /**
   * All of its listen addresses as text that {@link Stack.use} and `--listen` accept: `"80"`, `"udp/53"`,
   * `"10.90.7.0/24:8000-8999"`.
   */
  readonly listenAddresses: readonly string[];
  /** The names of its plugins, as {@link OpenConnection.plugin} has them: `"limit, http"`. */
  readonly plugin: string;
  /** Number of its handlers that have not finished, without those that were replaced. */
  readonly running: number;
  /** {@link Stack.use} of its stack, for chaining: `stack.use(7, echo()).use(13, daytime())`. */
  readonly use: Stack["use"];
  /**
   * Serves new connections and flows with other handlers, at once; the port never refuses a connection
   * meanwhile. A connection that is being opened is not reset: it gets the handlers that decided
   * about its SYN or, if none did, the new ones, which may still refuse it. Running connections and
   * flows continue with the handlers that they have; {@link RetiredHandlers.end} bounds their time.
   *
   * @throws {TypeError} A value is not a handler or plugin; see {@link Stack.use}. Nothing has changed then.
   * @throws {TcpError} `LISTENER_CLOSED`: the binding was removed. `STACK_CLOSED`: the stack was closed.
   */
  replace(...handlers: [Handler | Plugin, ...(Handler | Plugin)[]]): RetiredHandlers;
  /**
   * Stops listening: new connections are refused, those being opened reset. Aborts the `signal` of
   * running handlers, and after `graceMs` their connections and flows. Resolves when nothing runs. May
   * be called again with a shorter time.
   *
   * @throws {TypeError} `graceMs` is not valid.
   */
  remove(options?: EndOptions): Promise<void>;
}

/** Handlers that {@link PluginBinding.replace} has replaced. Their plugins are disposed at the end. */
export interface RetiredHandlers {
  /** Number of handlers that have not finished. */
  readonly running: number;
  /** Resolves when no handler runs any more. */
  readonly finished: Promise<void>;
  /**
   * Aborts the `signal` of the running handlers, and after `graceMs` their connections and flows.
   *
   * @throws {TypeError} `graceMs` is not valid.
   */
  end(options?: EndOptions): Promise<void>;
  /**
   * Lets the handlers that have replaced these continue their connections, if the plugins of both take part
   * in moves and have equal names and versions. All other connections continue here. Can be called again.
   */
  move(): Promise<MoveCounts>;
}

/** Result of {@link RetiredHandlers.move}: the connections of handlers that were replaced. */
export interface MoveCounts {
  /** Number of connections that the new handlers serve now. */
  readonly moved: number;
  /** Number of connections that keep their handlers. */
  readonly stayed: number;
}

/** Options of {@link Stack.close}. */
export interface CloseOptions {
  /** How long open connections may take to finish, in milliseconds; `Infinity`: without limit. Default 0. */
  graceMs?: number;
  /**
   * Called when they have finished or the time is over. While its promise is pending, the stack
   * still refuses connections, so that several stacks can end together.
   */
  whenDrained?: () => Promise<void>;
}

/** An open connection, as {@link Stack.connections} lists it. */
export interface OpenConnection {
  /** This side's address and port. */
  readonly localAddr: NetAddr;
  /** The peer's address and port. */
  readonly remoteAddr: NetAddr;
  /** The names of the plugins that serve it; `undefined` for sockets of `connect()` and `accept()`. */
  readonly plugin: string | undefined;
  /** Whole seconds since its socket was created. */
  readonly ageSeconds: number;
  /** What it waits for at present: the peer, the network or the application. */
  readonly waitsFor: WaitReason;
  /** A snapshot of the statistics. */
  stats(): TcpStats;
  /** See {@link TcpSocket.eventLog}. */
  eventLog(options?: EventLogOptions): TcpEventLog;
  /** See {@link TcpSocket.abort}. */
  abort(reason?: unknown): void;
}

/** A TCP/IP stack on one link. */
export interface Stack extends AsyncDisposable {
  /** Returns at once with a socket that is still connecting; wait for `opened` (WinterTC). */
  connect(address: SocketAddress, options?: ConnectOptions): TcpSocket;
  /** A TCP listener, bound when this returns, as in Deno. */
  listen(options: ListenOptions): TcpListener;
  /** A UDP socket, bound when this returns, as in Deno. */
  listenDatagram(options: ListenDatagramOptions): DatagramConn;
  /**
   * Serves a listen address with plugins and handlers, like Hono's `use`: `stack.use(7, echo())`.
   * The handlers run in order; each runs the following ones by calling `next()`.
   *
   * `where` is a port, or text: `[tcp/|udp/][ADDRESS[/LENGTH]:]PORTS`, where PORTS is `80`,
   * `8000-8999` or `*`, and IPv6 is in brackets: `"10.90.7.0/24:8000-8999"`, `"[fd00::/64]:*"`. If
   * several listen addresses match a connection, the most specific one serves it: the one with the
   * longest prefix, and among these the one with the fewest ports.
   *
   * Port 0 stands for any free port, in `"udp/0"` too: `addrs` of the result has the port that was
   * chosen. The result also replaces the handlers, and removes them.
   *
   * @throws {TypeError} `where` is not a listen address, or a value is not a handler or plugin: a factory such as
   * `echo` has to be called.
   * @throws {TcpError} `ADDRESS_IN_USE`: the same listen address is in use.
   * `ADDRESS_NOT_AVAILABLE`: it contains none of the stack's addresses.
   */
  use(
    where: number | string | readonly (number | string)[],
    ...handlers: [Handler | Plugin, ...(Handler | Plugin)[]]
  ): PluginBinding;
  /**
   * The listen addresses of all calls of {@link use}, in order, with the port that was chosen for port 0. For
   * a network or several ports, the network's address and the first port; for all addresses,
   * `0.0.0.0`.
   */
  readonly addrs: readonly NetAddr[];
  /**
   * Adds an address in CIDR form, or every address of a network: `"10.90.0.0/16"`.
   *
   * @throws {TypeError} It is not an address.
   */
  addAddress(cidr: string): void;
  /**
   * Removes an address or a network, which may be part of a larger one. Its connections
   * end with `ADDRESS_NOT_AVAILABLE`, without a RST.
   */
  removeAddress(cidr: string): void;
  /**
   * Stops listening, and gives open connections `graceMs` (default 0) to finish; a connection has
   * finished once its peer has closed too. Then aborts the rest, disposes the plugins and closes the link.
   *
   * @throws {TypeError} `graceMs` is not valid; the stack is still open.
   */
  close(options?: CloseOptions): Promise<void>;
  /** Resolves when the stack has closed; rejects when its link failed. */
  readonly finished: Promise<void>;
  /**
   * Takes an open connection out of this stack, so that another one can {@link thaw} it. Its handler
   * ends, and so does its socket, with `CONNECTION_MOVED`; its peer notices nothing.
   *
   * @throws {TcpError} `NOT_MOVABLE`: it is opening or ending, or its plugins do not take part in
   * moves or are busy with it. In that case it continues here.
   */
  freeze(
    connection: TcpSocket | OpenConnection,
    options?: FreezeOptions,
  ): Promise<FrozenConnection>;
  /**
   * Continues a connection that another stack has frozen. The plugins that served it there serve it
   * here; without plugins, the socket is for the caller.
   *
   * @throws {TcpError} `INVALID_RECORD`: it is not a record that this stack can read, its plugins
   * are not those of its port here, or its attachments are missing. `ADDRESS_NOT_AVAILABLE`, `ADDRESS_IN_USE`,
   * `INSUFFICIENT_RESOURCES`: the stack cannot have the connection.
   */
  thaw(record: Uint8Array, options?: ThawOptions): TcpSocket;
  /**
   * Does nothing if {@link thaw} would succeed, so that a move can be agreed on before the connection is
   * handed over.
   *
   * @throws {TcpError} As {@link thaw}.
   */
  checkFrozen(record: Uint8Array): void;
  /**
   * Processes an IP packet as if the link had received it, such as one that another stack has
   * redirected. Its TCP checksum is not verified. The array may be reused afterwards.
   */
  receive(packet: Uint8Array, options?: ReceiveOptions): void;
  /** The open connections that have a socket, in no particular order. */
  connections(): readonly OpenConnection[];
  /**
   * The event log of the next connection that a peer opens, from its SYN on. Resolves when the SYN has arrived, before
   * the connection is accepted. If the SYN was answered with a SYN cookie and left no state, the log begins with the
   * ACK.
   *
   * @throws {TypeError} An option is not valid.
   * @throws {TcpError} `STACK_CLOSED`: the stack was closed before.
   */
  nextEventLog(options?: NextEventLogOptions): Promise<LoggedConnection>;
  /** Counters of the whole stack; dropped packets by reason under `drop.*`. */
  stats(): Readonly<Record<string, number>>;
  /**
   * The metrics of the stack, of its listen addresses and of their plugins, as plain values:
   * `docs/metrics.md` lists them. Plugins whose counting has a cost start counting at the first call.
   */
  metrics(): readonly Metric[];
}

export type { Clock, Logger, SynVerdict, TcpErrorCode, TcpState, WaitReason };
