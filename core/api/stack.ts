/**
 * The public stack over one core and one link.
 *
 * @module
 */
import type { Link } from "../stack/link.ts";
import { CoreStack, SECRET_LENGTH } from "../stack/stack.ts";
import { IpAddress, Subnet } from "../wire/address.ts";
import { netAddr, parseEndpoint } from "./addresses.ts";
import {
  type IcmpOptions,
  parseStackConfig,
  requireCarried,
  requireOwnable,
  type StackLimits,
  type TcpOptions,
  type UdpOptions,
} from "./config.ts";
import {
  type Clock,
  type Logger,
  type Random,
  silentLogger,
  sleepUntil,
  systemClock,
  systemRandom,
} from "./environment.ts";
import { TcpError } from "./errors.ts";
import { formatHostPort } from "./host_port.ts";
import { bindingOf, parseListenAddress } from "./listen_address.ts";
import { MetricSums } from "./metrics/metric_sums.ts";
import type { Metric } from "./metrics/metric.ts";
import { stackMetrics } from "./metrics/stack_metrics.ts";
import { Moves } from "./moves/moves.ts";
import type {
  FreezeOptions,
  FrozenConnection,
  ReceiveOptions,
  ThawOptions,
} from "./moves/types.ts";
import { connectError } from "./refusal_error.ts";
import { type AcceptorHooks, openAcceptor } from "./runtime/acceptor.ts";
import { Driver } from "./runtime/driver.ts";
import { graceOf } from "./runtime/grace.ts";
import { PluginBindings } from "./runtime/plugin_bindings.ts";
import { logRefusal } from "./runtime/port_host.ts";
import { requireBytes } from "./tcp/bytes.ts";
import { NextEventLogs } from "./tcp/next_event_log.ts";
import { StackListener } from "./tcp/tcp_listener.ts";
import { DescribedConnection } from "./tcp/described_connection.ts";
import { StackSocket } from "./tcp/tcp_socket.ts";
import type {
  CloseOptions,
  ConnectOptions,
  Handler,
  ListenOptions,
  LoggedConnection,
  NetAddr,
  NextEventLogOptions,
  OpenConnection,
  Plugin,
  PluginBinding,
  SocketAddress,
  Stack,
  SynVerdict,
  TcpListener,
  TcpSocket,
} from "./types.ts";
import type { DatagramConn, ListenDatagramOptions } from "./udp/datagram.ts";
import { Datagrams } from "./udp/datagrams.ts";

/** Maximum duration of a move, in milliseconds: no connection survives a longer pause. */
const MAX_ELAPSED_MS = 2 ** 31 - 1;
/** Deno's default backlog. */
const DEFAULT_BACKLOG = 511;

/** Options of {@link createStack}. */
export interface StackOptions extends StackLimits {
  /** The link that carries the packets; it is closed with the stack. */
  link: Link;
  /**
   * Own addresses in CIDR form: `"10.7.0.2/24"`, `"fd00::2/64"`. A network address stands for every
   * address of the network: `"10.90.0.0/16"`, `"fd00:90::/64"`, `"0.0.0.0/0"`. Multicast, reserved
   * and broadcast addresses are never included, loopback addresses only if they are listed and the
   * link is inside a host.
   */
  addresses: readonly string[];
  /**
   * Addresses or networks inside `addresses` that belong to other hosts, such as the host's side of
   * the link: `"10.90.0.1"`, `"10.90.7.0/24"`.
   */
  exceptAddresses?: readonly string[];
  /** Profile and options of all connections. */
  tcp?: TcpOptions;
  /** Limits of UDP: flows and unread datagrams. */
  udp?: UdpOptions;
  /** Which ICMP messages are sent, and how often. Default: all, 1000 times per second. */
  icmp?: IcmpOptions | readonly IcmpOptions[];
  /** Default: the clock of the runtime. */
  clock?: Clock;
  /** Default: the cryptographic random source of the runtime. */
  random?: Random;
  /** Default: no log. */
  log?: Logger;
}

/**
 * Starts a stack on a link; it runs until it is closed.
 *
 * @throws {TypeError} An option is not valid; the message says which and what to write instead.
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
 *
 * await using client = createStack({ link: there, addresses: ["10.0.0.2/24"] });
 * await using socket = client.connect("10.0.0.1:7");
 * await socket.write(new TextEncoder().encode("ahoy"));
 * for await (const chunk of socket) {
 *   if (new TextDecoder().decode(chunk) !== "ahoy") throw new Error("not what was sent");
 *   break;
 * }
 * ```
 */
export function createStack(options: StackOptions): Stack {
  return new HostStack(options);
}

/** @throws {TypeError} `link` is not a link. */
function requireLink(link: unknown): void {
  if (Array.isArray(link)) {
    throw new TypeError(
      "createStack: link: got both ends of linkPair(): give each stack one of them, as in " +
        "const [here, there] = linkPair()",
    );
  }
  const { receive, send, features } = Object(link) as Partial<Link>;
  if (typeof receive === "function" && typeof send === "function" && features !== undefined) return;
  throw new TypeError(
    `createStack: link: expected a link, such as await openTun(...) or one of linkPair(), got ${
      link instanceof Promise
        ? "a promise: await it"
        : typeof link === "function"
        ? "a function: call it"
        : String(link)
    }`,
  );
}

class HostStack implements Stack {
  readonly finished: Promise<void>;
  readonly #core: CoreStack;
  readonly #driver: Driver;
  readonly #link: Link;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #listeners = new Set<TcpListener>();
  readonly #datagrams: Datagrams;
  readonly #nextEventLogs: NextEventLogs;
  readonly #bindings: PluginBindings;
  readonly #moves: Moves;
  #closing: Promise<void> | undefined;

  constructor(options: StackOptions) {
    const { link, clock, random, log, ...rest } = options;
    requireLink(link);
    const config = parseStackConfig(rest);
    requireCarried(config.subnets, link.features, "createStack: addresses");
    this.#link = link;
    this.#clock = clock ?? systemClock;
    this.#log = log ?? silentLogger;
    const secret = new Uint8Array(SECRET_LENGTH);
    (random ?? systemRandom).fill(secret);
    this.#core = new CoreStack({ ...config, features: link.features, secret });
    this.#driver = new Driver(this.#core, link, this.#clock);
    this.#datagrams = new Datagrams(this.#driver, this.#clock);
    this.#moves = new Moves(this.#driver);
    this.#nextEventLogs = new NextEventLogs(this.#driver);
    this.#bindings = new PluginBindings(this.#driver, this.#datagrams, this.#moves, {
      stack: this,
      clock: this.#clock,
      log: this.#log,
    });
    this.finished = this.#run();
    this.finished.catch(() => {});
  }

  async #run(): Promise<void> {
    try {
      await this.#driver.run();
    } finally {
      await this.#end();
    }
  }

  connect(address: SocketAddress, options: ConnectOptions = {}): TcpSocket {
    this.#assertOpen();
    const { address: remote, port: remotePort } = parseEndpoint(address);
    options.signal?.throwIfAborted();
    const local = options.localHostname === undefined ? undefined : parseOwn(options.localHostname);
    const localPort = options.localPort ?? 0;
    requireLocalPort(localPort);
    const tcb = this.#core.tcp.connect(
      { remote, remotePort, local, localPort },
      this.#driver.now(),
    );
    if (typeof tcb === "string") {
      throw connectError(
        tcb,
        formatHostPort(netAddr(remote, remotePort)),
        options.localHostname,
        this.#core.own,
      );
    }
    const socket = new StackSocket(tcb, this.#driver, {
      closesWithPeer: !(options.allowHalfOpen ?? false),
    });
    if (options.signal !== undefined) abortWith(socket, options.signal);
    this.#driver.touch();
    return socket;
  }

  listen(options: ListenOptions): TcpListener {
    this.#assertOpen();
    const { onSyn } = options;
    const binding = bindingOf(options.port, options.hostname);
    const hooks: AcceptorHooks = { ready: () => listener.ready() };
    if (onSyn !== undefined) {
      hooks.decide = async ({ syn }) => {
        try {
          return verdictOf(await onSyn(syn));
        } catch (error) {
          logRefusal(this.#log, syn, error);
          return "refuse";
        }
      };
    }
    const acceptor = openAcceptor(
      this.#driver,
      { binding, backlog: options.tcpBacklog ?? DEFAULT_BACKLOG, decides: onSyn !== undefined },
      hooks,
    );
    const shown = binding.subnet?.network ?? IpAddress.ANY_V4;
    const close = () => listener.close();
    const listener = new StackListener(netAddr(shown, acceptor.listener.firstPort), () => {
      this.#listeners.delete(listener);
      options.signal?.removeEventListener("abort", close);
    });
    listener.attach(acceptor);
    this.#listeners.add(listener);
    options.signal?.addEventListener("abort", close);
    if (options.signal?.aborted) close();
    return listener;
  }

  listenDatagram(options: ListenDatagramOptions): DatagramConn {
    this.#assertOpen();
    return this.#datagrams.listen(options);
  }

  use(
    where: number | string | readonly (number | string)[],
    ...handlers: [Handler | Plugin, ...(Handler | Plugin)[]]
  ): PluginBinding {
    this.#assertOpen();
    const addresses = (typeof where === "object" ? where : [where]).map((one) =>
      parseListenAddress(one, true)
    );
    if (addresses.length === 0) {
      throw new TypeError("use: the list of listen addresses is empty; write a port such as 80");
    }
    return this.#bindings.bind(addresses, handlers, (...more) => this.use(...more));
  }

  get addrs(): readonly NetAddr[] {
    return this.#bindings.addrs;
  }

  addAddress(cidr: string): void {
    const subnet = requireOwnable(cidr);
    requireCarried([subnet], this.#link.features, "addAddress");
    this.#core.addSubnet(subnet);
  }

  removeAddress(address: string): void {
    const subnet = Subnet.parse(address);
    if (subnet === undefined) throw notAnAddress(address);
    this.#core.removeSubnet(subnet);
    this.#driver.touch();
  }

  freeze(
    connection: TcpSocket | OpenConnection,
    { carries = () => false }: FreezeOptions = {},
  ): Promise<FrozenConnection> {
    const socket = connection instanceof StackSocket
      ? connection
      : connection instanceof DescribedConnection
      ? connection.socket as StackSocket
      : undefined;
    if (socket !== undefined) return this.#moves.freeze(socket, carries);
    return Promise.reject(
      new TypeError(
        "freeze: expected a socket of connect() or accept(), or one of connections(); a socket " +
          "that middleware has made cannot be frozen",
      ),
    );
  }

  thaw(record: Uint8Array, { elapsedMs = 0, attachments = [] }: ThawOptions = {}): TcpSocket {
    this.#assertOpen();
    requireBytes("thaw", record);
    if (!(typeof elapsedMs === "number" && elapsedMs >= 0 && elapsedMs <= MAX_ELAPSED_MS)) {
      throw new TypeError(
        `thaw: elapsedMs: ${elapsedMs} is not a time; use milliseconds, 0 to ${MAX_ELAPSED_MS}`,
      );
    }
    return this.#moves.thaw(record, elapsedMs, attachments);
  }

  checkFrozen(record: Uint8Array): void {
    this.#assertOpen();
    requireBytes("checkFrozen", record);
    this.#moves.check(record);
  }

  receive(packet: Uint8Array, { segmentSize = 0 }: ReceiveOptions = {}): void {
    requireBytes("receive", packet);
    if (!(Number.isInteger(segmentSize) && segmentSize >= 0 && segmentSize <= 0xffff)) {
      throw new TypeError(
        `receive: segmentSize: ${segmentSize} is not a size; use bytes, 1 to 65535, or 0 for none`,
      );
    }
    this.#driver.inject(packet, segmentSize);
  }

  connections(): readonly OpenConnection[] {
    const described: OpenConnection[] = [];
    for (const { handle } of this.#core.tcp.connections()) {
      if (handle instanceof StackSocket) described.push(handle.describe());
    }
    return described;
  }

  // deno-lint-ignore require-await -- errors are rejections
  async nextEventLog(options?: NextEventLogOptions): Promise<LoggedConnection> {
    if (this.#closing !== undefined) {
      throw new TcpError("STACK_CLOSED", "The stack has been closed");
    }
    return this.#nextEventLogs.open(options);
  }

  stats(): Readonly<Record<string, number>> {
    return {
      ...this.#core.stats.snapshot(),
      ...withPrefix("link.", this.#link.stats?.() ?? {}),
      connections: this.#core.tcp.connectionCount,
      flows: this.#core.udp.flows.table.count,
      halfOpen: this.#core.tcp.unacceptedCount,
      timers: this.#core.tcp.timerCount,
    };
  }

  metrics(): readonly Metric[] {
    const { counts, pluginMetrics } = this.#bindings;
    const sums = new MetricSums();
    sums.add(stackMetrics(this.#core, this.#link.stats?.() ?? {}, counts));
    sums.add(pluginMetrics);
    return sums.metrics;
  }

  close(options: CloseOptions = {}): Promise<void> {
    if (this.#closing !== undefined) return this.#closing;
    try {
      return this.#closing = this.#close(graceOf("close", options), options.whenDrained);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  async #close(graceMs: number, whenDrained: CloseOptions["whenDrained"]): Promise<void> {
    try {
      await this.#drain(graceMs);
      await whenDrained?.();
    } finally {
      this.#datagrams.close();
      this.#nextEventLogs.close();
      this.#core.shutDown();
      this.#driver.stop();
      await this.#link.close();
      await this.finished.catch(() => {});
    }
  }

  async #drain(graceMs: number): Promise<void> {
    this.#stopListening("The stack is closing");
    const running = this.#core.tcp.connections().map(({ handle }) => handle)
      .filter((handle) => handle instanceof StackSocket);
    const deadline = this.#clock.now() + graceMs;
    if (graceMs > 0 && running.length > 0) await this.#waitFor(running, deadline);
    if (graceMs > 0) await this.#datagrams.finish(deadline);
  }

  #stopListening(why: string): void {
    for (const listener of this.#listeners) listener.close();
    this.#datagrams.stop();
    this.#bindings.close(new TcpError("STACK_CLOSED", why));
  }

  async #waitFor(sockets: readonly StackSocket[], deadline: number): Promise<void> {
    const done = new AbortController();
    let left = sockets.length;
    for (const socket of sockets) {
      // Wait for the peer's FIN too: if it were not acknowledged, the peer would retransmit it.
      socket.onFinished(() => {
        if (--left === 0) done.abort();
      });
    }
    await sleepUntil(this.#clock, deadline, done.signal);
  }

  /** The link was closed, by close() or by itself. */
  async #end(): Promise<void> {
    this.#closing ??= this.finished.catch(() => {});
    this.#stopListening("The stack has closed");
    this.#datagrams.close();
    this.#nextEventLogs.close();
    this.#core.shutDown();
    this.#driver.stop();
    await this.#bindings.dispose();
    await this.#link.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #assertOpen(): void {
    if (this.#closing === undefined) return;
    throw new TcpError("STACK_CLOSED", "The stack has been closed");
  }
}

function withPrefix(
  prefix: string,
  counts: Readonly<Record<string, number>>,
): Record<string, number> {
  return Object.fromEntries(Object.entries(counts).map(([name, n]) => [`${prefix}${name}`, n]));
}

function verdictOf(decision: boolean | SynVerdict): SynVerdict {
  if (typeof decision === "string") return decision;
  return decision ? "accept" : "refuse";
}

function requireLocalPort(port: number): void {
  if (Number.isInteger(port) && port >= 0 && port <= 65535) return;
  throw new TypeError(`localPort: ${port} is not a port; use 1 to 65535, or 0 for any free one`);
}

function parseOwn(hostname: string): IpAddress {
  const address = IpAddress.parse(hostname);
  if (address !== undefined) return address;
  throw notAnAddress(hostname);
}

function notAnAddress(text: string): TcpError {
  return new TcpError("INVALID_ADDRESS", `"${text}" is not an IP address`);
}

function abortWith(socket: StackSocket, signal: AbortSignal): void {
  const abort = () => socket.abort(signal.reason);
  signal.addEventListener("abort", abort);
  socket.onEnd(() => signal.removeEventListener("abort", abort));
}
