/**
 * The bindings of a stack's plugins: `use()` and the methods of its result.
 *
 * @module
 */
import type { IcmpPolicy } from "../../stack/icmp/icmp_policy.ts";
import { IpAddress } from "../../wire/address.ts";
import { netAddr } from "../addresses.ts";
import { sleepUntil, withFields } from "../environment.ts";
import { messageOf, stackOf } from "../error_text.ts";
import { TcpError } from "../errors.ts";
import { formatListenAddress, type ListenAddress } from "../listen_address.ts";
import { BindingCountsTable } from "../metrics/binding_counts.ts";
import type { Metric } from "../metrics/metric.ts";
import { PluginMetrics } from "../metrics/plugin_metrics.ts";
import type { Moves } from "../moves/moves.ts";
import { compose } from "../plugin.ts";
import { StackSocket } from "../tcp/tcp_socket.ts";
import type {
  EndOptions,
  Handler,
  MoveCounts,
  NetAddr,
  Plugin,
  PluginBinding,
  RetiredHandlers,
  Stack,
} from "../types.ts";
import { StackFlow } from "../udp/datagram_flow.ts";
import type { Datagrams } from "../udp/datagrams.ts";
import { composeFlows } from "../udp/flow_chain.ts";
import type { FlowHost } from "../udp/flow_host.ts";
import { type Acceptor, openAcceptor } from "./acceptor.ts";
import type { Driver } from "./driver.ts";
import { type ComposedHandlers, HandlerSet } from "./handler_set.ts";
import { graceOf } from "./grace.ts";
import type { HandlerEnvironment, StackEnvironment } from "./handler_context.ts";
import { PortHost } from "./port_host.ts";

/** Maximum number of connections that get other handlers in one turn. */
const MOVED_AT_ONCE = 64;
/** Ports with plugins accept at once, so their backlog is larger than that of `listen()`. */
const BACKLOG = 4096;

type Handlers = readonly (Handler | Plugin)[];

/** All bindings of a stack, and the plugins in use. */
export class PluginBindings {
  readonly #driver: Driver;
  readonly #datagrams: Datagrams;
  readonly #moves: Moves;
  readonly #environment: StackEnvironment;
  readonly #bindings = new Set<Binding>();
  /** Handler sets whose handlers serve new connections, or still run. */
  readonly #handlerSets = new Set<HandlerSet>();
  /** Number of handler sets that contain a plugin. */
  readonly #uses = new Map<Plugin, number>();
  /** For the metrics. */
  readonly counts: BindingCountsTable = new BindingCountsTable();
  readonly #pluginMetrics = new PluginMetrics();

  constructor(
    driver: Driver,
    datagrams: Datagrams,
    moves: Moves,
    environment: StackEnvironment,
  ) {
    this.#driver = driver;
    this.#datagrams = datagrams;
    this.#moves = moves;
    this.#environment = environment;
  }

  /** The listen addresses of all bindings, in order. */
  get addrs(): readonly NetAddr[] {
    return [...this.#bindings].flatMap(({ addrs }) => addrs);
  }

  /** `use` is the method of the stack, which documents the exceptions. */
  bind(addresses: readonly ListenAddress[], given: Handlers, use: Stack["use"]): PluginBinding {
    const handlerSet = new HandlerSet(composeFor(addresses, given));
    const ports: Port[] = [];
    try {
      for (const address of addresses) ports.push(this.#open(address, handlerSet));
    } catch (error) {
      // Either all of the listen addresses are bound or none.
      for (const port of ports) port.close();
      throw error;
    }
    const binding = new Binding(this, ports, handlerSet, use);
    this.#bindings.add(binding);
    this.#enter(handlerSet, ports);
    return binding;
  }

  #open(address: ListenAddress, handlerSet: HandlerSet): Port {
    const environment = this.#environmentFor(address, handlerSet);
    if (address.transport === "udp") {
      const host = this.#datagrams.serve(address, environment);
      return new Port(address, host, host.binding);
    }
    const host = new PortHost(environment);
    const acceptor = openAcceptor(
      this.#driver,
      {
        binding: address,
        backlog: BACKLOG,
        decides: handlerSet.handlers.chain!.onSyn !== undefined,
      },
      {
        ready: () => host.ready(),
        decide: (attempt) => host.decide(attempt),
        thaw: (state) => host.thaw(state),
      },
    );
    host.attach(acceptor);
    return new Port(address, host, acceptor.binding, acceptor);
  }

  #environmentFor(address: ListenAddress, handlerSet: HandlerSet): HandlerEnvironment {
    const { name: plugin } = handlerSet;
    const fields = address.transport === "udp"
      ? { port: formatListenAddress(address), plugin }
      : { plugin };
    return {
      ...this.#environment,
      log: withFields(this.#environment.log, fields),
      handlerSet,
      counts: this.counts.of(formatListenAddress(address), plugin),
    };
  }

  /** Serves new connections and flows of `ports` with other handlers; `old` is retired. */
  replace(ports: readonly Port[], old: HandlerSet, given: Handlers): HandlerSet {
    const addresses = ports.map(({ address }) => address);
    const handlerSet = new HandlerSet(composeFor(addresses, given));
    for (const { address, host } of ports) host.replace(this.#environmentFor(address, handlerSet));
    this.#enter(handlerSet, ports);
    this.#retire(old, ports);
    return handlerSet;
  }

  /** Stops listening on `ports`. */
  remove(binding: Binding, ports: readonly Port[], old: HandlerSet): void {
    this.#bindings.delete(binding);
    for (const port of ports) port.close();
    this.#retire(old, ports);
  }

  #enter(handlerSet: HandlerSet, ports: readonly Port[]): void {
    this.#handlerSets.add(handlerSet);
    const listen = ports.map(({ address }) => formatListenAddress(address)).join(" ");
    for (const plugin of new Set(handlerSet.plugins)) {
      this.#pluginMetrics.add(plugin, listen);
      this.#uses.set(plugin, (this.#uses.get(plugin) ?? 0) + 1);
    }
    if (!isTransparent(handlerSet)) return;
    for (const { address: { subnet } } of ports) this.#icmpPolicy.disableEcho(subnet);
  }

  #retire(handlerSet: HandlerSet, ports: readonly Port[]): void {
    if (isTransparent(handlerSet)) {
      for (const { address: { subnet } } of ports) this.#icmpPolicy.enableEcho(subnet);
    }
    void handlerSet.finished.then(() => this.#leave(handlerSet));
    handlerSet.retire();
  }

  async #leave(handlerSet: HandlerSet): Promise<void> {
    this.#handlerSets.delete(handlerSet);
    for (const plugin of new Set(handlerSet.plugins)) {
      // The stack disposes all plugins when it closes.
      const uses = this.#uses.get(plugin);
      if (uses === undefined) continue;
      if (uses > 1) this.#uses.set(plugin, uses - 1);
      else await this.#dispose(plugin);
    }
  }

  get #icmpPolicy(): IcmpPolicy {
    return this.#driver.core.icmpPolicy;
  }

  /** Asks the handlers of a retired handler set to finish, and aborts what remains after `graceMs`. */
  async end(handlerSet: HandlerSet, graceMs: number): Promise<void> {
    if (graceMs === Infinity) return await handlerSet.finished;
    handlerSet.abort(
      new TcpError("CONNECTION_ABORTED", "The handler has been replaced or removed"),
    );
    const { clock } = this.#environment;
    const done = new AbortController();
    void handlerSet.finished.then(() => done.abort());
    if (graceMs > 0) await sleepUntil(clock, clock.now() + graceMs, done.signal);
    this.#abort(handlerSet);
    handlerSet.abandon();
  }

  #abort(handlerSet: HandlerSet): void {
    const { udp } = this.#driver.core;
    const reason = new TcpError("CONNECTION_ABORTED", "The grace period has expired");
    for (const socket of this.#servedBy(handlerSet)) socket.abort(reason);
    for (const { handle } of udp.flows.table.all()) {
      if (!(handle instanceof StackFlow)) continue;
      if (handle.environment?.handlerSet === handlerSet) handle.close();
    }
  }

  #servedBy(handlerSet: HandlerSet): StackSocket[] {
    return [...this.#driver.core.tcp.connections()].flatMap(({ handle }) =>
      handle instanceof StackSocket && handle.environment?.handlerSet === handlerSet ? handle : []
    );
  }

  /** Lets the handlers that have replaced a handler set continue its connections. */
  async move(handlerSet: HandlerSet): Promise<MoveCounts> {
    const sockets = this.#servedBy(handlerSet);
    let moved = 0;
    for (let at = 0; at < sockets.length; at += MOVED_AT_ONCE) {
      await Promise.all(
        sockets.slice(at, at + MOVED_AT_ONCE).map((socket) =>
          this.#moves.replaceHandlers(socket).then(() => moved++, (error: unknown) => {
            const reason = messageOf(error);
            this.#environment.log.debug("a connection keeps its handler", { reason });
          })
        ),
      );
    }
    return { moved, stayed: sockets.length - moved };
  }

  /** The metrics of the plugins. */
  get pluginMetrics(): readonly Metric[] {
    return this.#pluginMetrics.metrics;
  }

  /** Stops listening on all ports; running handlers are asked to finish. */
  close(reason: TcpError): void {
    for (const binding of this.#bindings) binding.stopListening();
    for (const handlerSet of this.#handlerSets) handlerSet.abort(reason);
  }

  /** Disposes all plugins. */
  async dispose(): Promise<void> {
    for (const plugin of this.#uses.keys()) await this.#dispose(plugin);
    for (const handlerSet of this.#handlerSets) handlerSet.abandon();
    this.#handlerSets.clear();
  }

  async #dispose(plugin: Plugin): Promise<void> {
    this.#uses.delete(plugin);
    this.#pluginMetrics.remove(plugin);
    try {
      await plugin.dispose?.();
    } catch (error) {
      this.#environment.log.error("plugin failed to dispose", {
        plugin: plugin.name,
        error: messageOf(error),
        stack: stackOf(error),
      });
    }
  }
}

/** A listen address that is bound. */
class Port {
  readonly address: ListenAddress;
  readonly host: PortHost | FlowHost;
  readonly addr: NetAddr;
  /** As {@link Stack.use} accepts it. */
  readonly listenAddress: string;
  readonly #listener: Acceptor | FlowHost;

  /** `bound`: the address with the port that was chosen. */
  constructor(
    address: ListenAddress,
    host: PortHost | FlowHost,
    bound: Omit<ListenAddress, "transport">,
    acceptor?: Acceptor,
  ) {
    this.address = address;
    this.host = host;
    this.addr = netAddr(
      bound.subnet?.network ?? IpAddress.ANY_V4,
      bound.firstPort,
      address.transport,
    );
    this.listenAddress = formatListenAddress({ ...bound, transport: address.transport });
    this.#listener = acceptor ?? host as FlowHost;
  }

  close(): void {
    this.#listener.close();
  }
}

class Binding implements PluginBinding {
  readonly addr: NetAddr;
  readonly listenAddresses: readonly string[];
  readonly addrs: readonly NetAddr[];
  readonly use: Stack["use"];
  readonly #all: PluginBindings;
  readonly #ports: readonly Port[];
  #handlerSet: HandlerSet;
  #state: "serving" | "removed" | "stack closed" = "serving";

  constructor(
    all: PluginBindings,
    ports: readonly Port[],
    handlerSet: HandlerSet,
    use: Stack["use"],
  ) {
    this.use = use;
    this.#all = all;
    this.#ports = ports;
    this.#handlerSet = handlerSet;
    this.addrs = ports.map(({ addr }) => addr);
    this.addr = this.addrs[0]!;
    this.listenAddresses = ports.map(({ listenAddress }) => listenAddress);
  }

  get plugin(): string {
    return this.#handlerSet.name;
  }

  get running(): number {
    return this.#handlerSet.running;
  }

  replace(...given: [Handler | Plugin, ...(Handler | Plugin)[]]): RetiredHandlers {
    if (this.#state === "removed") {
      throw new TcpError("LISTENER_CLOSED", "The binding has been removed: call use() again");
    }
    if (this.#state === "stack closed") {
      throw new TcpError("STACK_CLOSED", "The stack has been closed");
    }
    const old = this.#handlerSet;
    this.#handlerSet = this.#all.replace(this.#ports, old, given);
    return new Retired(this.#all, old);
  }

  async remove(options: EndOptions = {}): Promise<void> {
    const graceMs = graceOf("remove", options);
    if (this.#state === "serving") {
      this.#state = "removed";
      this.#all.remove(this, this.#ports, this.#handlerSet);
    }
    await this.#all.end(this.#handlerSet, graceMs);
  }

  /** The stack is closing. */
  stopListening(): void {
    this.#state = "stack closed";
    for (const port of this.#ports) port.close();
  }
}

class Retired implements RetiredHandlers {
  readonly #all: PluginBindings;
  readonly #handlerSet: HandlerSet;

  constructor(all: PluginBindings, handlerSet: HandlerSet) {
    this.#all = all;
    this.#handlerSet = handlerSet;
  }

  get running(): number {
    return this.#handlerSet.running;
  }

  get finished(): Promise<void> {
    return this.#handlerSet.finished;
  }

  async end(options: EndOptions = {}): Promise<void> {
    await this.#all.end(this.#handlerSet, graceOf("end", options));
  }

  move(): Promise<MoveCounts> {
    return this.#all.move(this.#handlerSet);
  }
}

function composeFor(addresses: readonly ListenAddress[], given: Handlers): ComposedHandlers {
  const takes = (transport: ListenAddress["transport"]) =>
    addresses.some((address) => address.transport === transport);
  return {
    chain: takes("tcp") ? compose(given) : undefined,
    flows: takes("udp") ? composeFlows(given) : undefined,
    given,
  };
}

function isTransparent({ plugins }: HandlerSet): boolean {
  return plugins.some(({ transparent }) => transparent === true);
}
