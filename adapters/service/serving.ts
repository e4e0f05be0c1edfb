/**
 * A stack with plugins and published ports, and changing them while they serve.
 *
 * @module
 */
import { type Logger, systemClock } from "../../core/api/environment.ts";
import { TcpError } from "../../core/api/errors.ts";
import { formatHostPort } from "../../core/api/host_port.ts";
import { parseListenAddress } from "../../core/api/listen_address.ts";
import type { Metric } from "../../core/api/metrics/metric.ts";
import type { EndOptions, OpenConnection, Plugin, PluginBinding } from "../../core/api/types.ts";
import { IpAddress } from "../../core/wire/address.ts";
import { logConnection, logFlow } from "../../plugins/shared/connection_log.ts";
import type { LinkImpairments } from "../links/decorators/impair.ts";
import { connectionSpans } from "../telemetry/connection_spans.ts";
import { registeredTracer } from "../telemetry/tracer.ts";
import { nativeSockets } from "../host/native/sockets.ts";
import { limitLines } from "./log/flow_log.ts";
import { ThreadMetrics } from "./metrics/process_metrics.ts";
import {
  type ConnectionPage,
  type ConnectionRow,
  idOf,
  rowOf,
  selectConnections,
  type Selection,
} from "./admin/connections.ts";
import { setServed } from "./demo/places.ts";
import { messageLine, UsageError } from "./errors.ts";
import { Captures } from "./inspection/captures.ts";
import { streamEventLog } from "./inspection/event_log.ts";
import type { OpenedStream, StreamSource } from "./inspection/stream_source.ts";
import { checkAddresses, type Network } from "./links/network.ts";
import { ownAddresses } from "./links/own_addresses.ts";
import type { MoveReport } from "./moves/move_out.ts";
import { ServiceMoves } from "./moves/service_moves.ts";
import { Readiness, type ServingState, setReadiness } from "./readiness/readiness.ts";
import { disposePlugins, type LoadedChain, type LoadedPlugin } from "./listen/plugin_loader.ts";
import { type LoadedPlugins, loadPlugins } from "./listen/plugins.ts";
import { type Publication, publish, type PublishedPort } from "./publish/publish.ts";
import { publishDatagrams } from "./publish/publish_datagrams.ts";
import { type Changes, differenceOf, otherChanges, requireChangeable } from "./reload/changes.ts";
import type { ListenSetting } from "./settings/listen_setting.ts";
import type { PublishSetting } from "./settings/publish_setting.ts";
import type { ShardInheritance, SharedShard } from "./upgrade/inheritance.ts";
import type { Settings } from "./settings/settings.ts";

/** A new configuration that can be used: loaded, with its ports open. One of the methods is called. */
export interface PreparedChanges {
  /**
   * Applies the differences at once.
   *
   * @throws {Error} A listen address cannot be bound; nothing has changed then, and what was prepared
   * is released.
   */
  apply(): Changes;
  /** Releases what was prepared. */
  discard(): Promise<void>;
}

/** The plugins in use at a listen address. */
interface Place {
  readonly chain: LoadedChain;
  readonly binding: PluginBinding;
}

/** A published port, and the setting that it was opened for. */
interface Published {
  readonly setting: PublishSetting;
  readonly publication: Publication;
}

/** Flows have no spans. */
const SPANS = connectionSpans();
const CONNECTION_SPANS: Plugin = {
  ...SPANS,
  freeze: () => null,
  thaw: (c, _state, next) => SPANS.handle!(c, next),
  flow: (_c, next) => next(),
};

/** A stack with plugins and published ports. */
export class Serving {
  readonly #network: Network;
  readonly #captures: Captures | undefined;
  readonly #log: Logger;
  readonly #flowLog: Logger;
  readonly #threadMetrics = new ThreadMetrics();
  #settings: Settings;
  readonly #readiness: Readiness;
  readonly #places = new Map<string, Place>();
  #hasStarted = false;
  /** Another process serves. */
  #isRetired = false;
  #published: readonly Published[] = [];
  /** Closed publications with connections that continue. */
  readonly #closing = new Set<Publication>();
  /** Functions that cancel the grace times of replaced plugins and publications. */
  readonly #graces = new Set<() => void>();
  /** The connection that was found last; a page requests one several times a second. */
  #found: { readonly id: string; readonly connection: OpenConnection } | undefined;
  #moves: ServiceMoves | undefined;

  private constructor(network: Network, settings: Settings, log: Logger) {
    this.#network = network;
    this.#captures = network.controls && new Captures(network.controls.captured);
    this.#settings = settings;
    this.#log = log;
    this.#flowLog = limitLines(log);
    this.#readiness = new Readiness(
      systemClock,
      (state) => this.#onState(state),
      () => network.peers?.hasJoined() ?? true,
    );
    setReadiness(network.stack, this.#readiness);
    // Without its link nothing more can be accepted.
    network.stack.finished.finally(() => this.#readiness.skipLameDuck()).catch(() => {});
    setServed(network.stack, this);
  }

  /**
   * Puts plugins on a network and publishes ports. If a step fails, everything is removed. After another
   * process, clients of published ports are accepted from {@link resume} on.
   *
   * @throws {Error} A port is not available.
   */
  static async start(
    plugins: LoadedPlugins,
    network: Network,
    settings: Settings,
    log: Logger,
    inheritance?: ShardInheritance,
  ): Promise<Serving> {
    const serving = new Serving(network, settings, log);
    const listeners = new Map(inheritance?.listeners);
    log.debug("host sockets", { by: nativeSockets() ? "foreign functions" : "node:net" });
    try {
      for (const [where, chain] of plugins) serving.#use(where, chain);
      serving.#published = await serving.#openPorts(settings.publish, settings, listeners);
      if (inheritance !== undefined) serving.#pausePublishing();
      if (settings.moves !== undefined) {
        serving.#moves = new ServiceMoves(network.stack, settings.moves, log);
        if (inheritance === undefined) await serving.#moves.listen();
      }
    } catch (error) {
      await serving.abandon();
      throw error;
    }
    serving.#hasStarted = true;
    return serving;
  }

  /** The settings in use. */
  get settings(): Settings {
    return this.#settings;
  }

  /** The open ports of the host. */
  get published(): readonly PublishedPort[] {
    return this.#published.map(({ publication }) => publication);
  }

  /** Resolves when the stack has closed; rejects when its link has failed. */
  get finished(): Promise<void> {
    return this.#network.stack.finished;
  }

  /** The open connections. */
  connections(): ConnectionRow[] {
    return this.#network.stack.connections().map(rowOf);
  }

  /** Some of them, in an order. */
  select(selection: Selection): Promise<ConnectionPage> {
    return selectConnections(this.#network.stack.connections(), selection);
  }

  /** One of them; `undefined` if there is none with this ID. */
  connection(id: string): ConnectionRow | undefined {
    const found = this.#find(id);
    return found && rowOf(found);
  }

  /** Finds a connection; without a search if it is the one that was found last. */
  #find(id: string): OpenConnection | undefined {
    if (this.#found?.id !== id || this.#found.connection.stats().state === "CLOSED") {
      const connection = this.#network.stack.connections().find((one) => idOf(one) === id);
      this.#found = connection && { id, connection };
    }
    return this.#found?.connection;
  }

  /** Resets a connection; false if there is none with this ID. */
  reset(id: string): boolean {
    const found = this.#find(id);
    found?.abort(new TcpError("CONNECTION_ABORTED", "Reset by the administrator"));
    return found !== undefined;
  }

  /** Opens a stream; `undefined` if it is not there. */
  open(source: StreamSource): OpenedStream | undefined {
    if (source.type === "capture") return this.#captures?.open(source);
    const connection = this.#find(source.id);
    return connection && streamEventLog(connection, source, systemClock);
  }

  /** Ends a capture; false if there is none with this ID. */
  stopCapture(id: string): boolean {
    return this.#captures?.stop(id) ?? false;
  }

  /**
   * The impairments of the link, after changing them to `replacement` if there is one.
   *
   * @throws {RangeError} They are not valid.
   */
  impair(replacement: LinkImpairments | undefined): LinkImpairments {
    const impaired = this.#network.controls?.impaired;
    if (replacement !== undefined) impaired?.replace(replacement);
    return impaired?.impairments ?? {};
  }

  /** Whether new clients should be sent here. */
  get state(): ServingState {
    return this.#readiness.state;
  }

  /**
   * Is no longer ready, and accepts no new connections after `lameDuckMs`; running ones continue until they end.
   */
  drain(): void {
    void this.#readiness.withdraw(this.#settings.lameDuckMs);
  }

  /**
   * Drains, and moves the connections that can move to another service, `unix:PATH` or `HOST:PORT`. Nothing
   * changes if that cannot be reached.
   *
   * @throws {UsageError} The setting `moves` is missing, or `to` is not an address.
   * @throws {Error} The other service cannot be reached, or has another secret or version.
   */
  moveTo(to: string): Promise<MoveReport> {
    if (this.#moves !== undefined) return this.#moves.moveTo(to, () => this.drain());
    throw new UsageError(
      'moves: connections can move only with a shared secret: set { "secretFile": FILE }',
    );
  }

  #onState(state: ServingState): void {
    if (state === "lame duck") {
      const { lameDuckMs } = this.#settings;
      this.#log.info("not ready: new connections are still accepted", { ms: lameDuckMs });
      return;
    }
    this.#network.peers?.refuseNew();
    if (this.#hasStarted && !this.#isRetired) {
      this.#log.info("draining: new connections are refused");
    }
    for (const { publication } of this.#published) publication.stopListening();
    for (const { binding } of this.#places.values()) void binding.remove({ graceMs: Infinity });
  }

  /** Metrics of the stack, its plugins and the thread. */
  metrics(): readonly Metric[] {
    return [...this.#network.stack.metrics(), ...this.#threadMetrics.metrics];
  }

  /** What another process needs in order to take over. */
  share(): SharedShard {
    const { shared } = this.#network;
    const listeners = this.#published.flatMap(({ setting, publication: { descriptor } }) =>
      descriptor === undefined ? [] : [[keyOf(setting), descriptor] as const]
    );
    const peers = this.#network.peers?.socket.descriptor;
    return { queue: shared?.device, peers, earlier: shared?.earlier ?? [], listeners };
  }

  /** Leaves the device's packets and the clients of published ports to another process. */
  pause(): void {
    this.#network.shared?.pause();
    this.#network.peers?.pause();
    this.#pausePublishing();
    this.#moves?.stopListening();
  }

  /**
   * Hands over to the process at the other end of `channel`; absent: there is no device.
   *
   * @throws {Error} The descriptor cannot be used.
   */
  retire(channel: number | undefined): void {
    if (channel !== undefined) this.#network.shared?.retire(channel);
    this.#readiness.skipLameDuck();
    this.#isRetired = true;
  }

  /** Closes published ports, by the name that {@link share} gives them. */
  drop(listeners: readonly string[]): void {
    const isDropped = ({ setting }: Published) => listeners.includes(keyOf(setting));
    for (const one of this.#published.filter(isDropped)) {
      one.publication.stopListening();
      this.#closing.add(one.publication);
    }
    this.#published = this.#published.filter((one) => !isDropped(one));
  }

  /** Resumes everything that was left to another process. */
  resume(): void {
    this.#isRetired = false;
    this.#network.shared?.resume();
    this.begin();
  }

  /** Accepts clients at published ports, connections of other services and messages of other instances. */
  begin(): void {
    this.#network.peers?.resume();
    for (const { publication } of this.#published) publication.resume();
    this.#moves?.listen().catch((error) => {
      this.#log.warn("connections of other services are not received", {
        reason: messageLine(error),
      });
    });
  }

  /** Whether no connection or flow is left. */
  get isIdle(): boolean {
    const { flows = 0, halfOpen = 0 } = this.stats();
    const publications = [...this.#published.map(({ publication }) => publication)];
    return flows === 0 && halfOpen === 0 && this.#network.stack.connections().length === 0 &&
      [...publications, ...this.#closing].every(({ running }) => running === 0);
  }

  #pausePublishing(): void {
    for (const { publication } of this.#published) publication.pause();
  }

  /** Counters of the stack. */
  stats(): Readonly<Record<string, number>> {
    return this.#network.stack.stats();
  }

  /**
   * Loads the plugins of another configuration and opens its ports, without changing the running
   * service.
   *
   * @throws {UsageError} A setting cannot be used, or needs a restart.
   * @throws {Error} A port is not available.
   */
  async prepare(next: Settings): Promise<PreparedChanges> {
    if (this.state === "lame duck" || this.state === "draining") {
      throw new UsageError("the service is draining: restart it");
    }
    requireChangeable(this.#settings, next);
    checkAddresses(next, this.#log);
    const now = this.#published;
    const plugins = await loadPlugins(
      next,
      [...this.#places].map(([where, { chain }]) => [where, chain]),
    );
    const kept = this.#loadedPlugins();
    const fresh = plugins.flatMap(([, { plugins }]) => plugins);
    let opened: Published[];
    try {
      opened = await this.#openPorts(next.publish.filter((one) => !find(now, one)), next);
    } catch (error) {
      await disposePlugins(fresh, kept);
      throw error;
    }
    const discard = async (used: readonly LoadedPlugin[] = []) => {
      for (const { publication } of opened) publication.stopListening();
      await disposePlugins(fresh, [...kept, ...used]);
    };
    return {
      apply: () => {
        // The stack disposes the plugins that were passed to it.
        const used: LoadedPlugin[] = [];
        try {
          return this.#apply(next, plugins, opened, used);
        } catch (error) {
          void discard(used);
          throw error;
        }
      },
      discard,
    };
  }

  #loadedPlugins(): LoadedPlugin[] {
    return [...this.#places.values()].flatMap(({ chain }) => chain.plugins);
  }

  #apply(
    next: Settings,
    plugins: LoadedPlugins,
    opened: readonly Published[],
    used: LoadedPlugin[],
  ): Changes {
    const before = this.#settings;
    const listening = differenceOf([...this.#places.keys()], plugins.map(([where]) => where));
    const addresses = differenceOf(before.addresses, next.addresses);
    this.#network.update({
      ...next,
      addresses: [...new Set([...before.addresses, ...next.addresses])],
    });
    const added = plugins.filter(([where]) => listening.added.includes(where));
    try {
      for (const [where, chain] of added) {
        this.#use(where, chain);
        used.push(...chain.plugins);
      }
    } catch (error) {
      for (const where of listening.added) void this.#remove(where)?.remove();
      this.#network.update(before);
      throw error;
    }
    this.#settings = next;
    let running = 0;
    const changed: string[] = [];
    for (const [where, chain] of plugins) {
      const { binding, chain: old } = this.#places.get(where)!;
      if (isSame(old, chain)) continue;
      changed.push(where);
      const retired = binding.replace(...this.#outermost(chain.name), ...chain.handlers);
      running += retired.running;
      this.#places.set(where, { binding, chain });
      this.#limit((options) => retired.end(options), retired.finished);
    }
    for (const where of listening.removed) {
      const binding = this.#remove(where)!;
      running += binding.running;
      this.#limit((options) => binding.remove(options), binding.remove({ graceMs: Infinity }));
    }
    const publish = this.#changePorts(next.publish, opened);
    this.#network.update(next);
    return {
      listen: { ...listening, changed },
      publish,
      addresses,
      settings: otherChanges(before, next),
      running,
    };
  }

  #changePorts(next: readonly PublishSetting[], opened: readonly Published[]): Changes["publish"] {
    const now = this.#published;
    const changed: string[] = [];
    this.#published = next.map((setting) => {
      const found = find(now, setting) ?? find(opened, setting)!;
      const { publication } = found;
      if (formatHostPort(publication.to) !== formatHostPort(setting.to)) {
        publication.redirect(setting.to);
        changed.push(nameOf(setting));
      }
      return { setting, publication };
    });
    const closed = now.filter(({ setting }) => !find(this.#published, setting));
    for (const { publication } of closed) {
      publication.stopListening();
      this.#closing.add(publication);
      const finished = publication.finish(Infinity);
      void finished.then(() => this.#closing.delete(publication));
      this.#limit(({ graceMs = 0 }) => publication.finish(graceMs), finished);
    }
    const names = (list: readonly Published[]) => list.map(({ setting }) => nameOf(setting));
    return { added: names(opened), removed: names(closed), changed };
  }

  /** Ends replaced handlers and publications when the grace time of reloads is over. */
  #limit(end: (options: EndOptions) => Promise<void>, finished: Promise<void>): void {
    const { reloadGraceMs, graceMs } = this.#settings;
    if (reloadGraceMs === "never") return;
    const cancel = systemClock.schedule(systemClock.now() + reloadGraceMs, () => {
      this.#graces.delete(cancel);
      void end({ graceMs });
    });
    this.#graces.add(cancel);
    void finished.then(() => {
      this.#graces.delete(cancel);
      cancel();
    });
  }

  #use(where: string, chain: LoadedChain): void {
    const { name, handlers } = chain;
    const binding = this.#network.stack.use(where, ...this.#outermost(name), ...handlers);
    this.#places.set(where, { chain, binding });
  }

  /** Middleware in front of a port's plugins. */
  #outermost(name: string): [Plugin, ...Plugin[]] {
    const log = this.#connectionLog(name);
    return registeredTracer() === undefined ? [log] : [log, CONNECTION_SPANS];
  }

  /** Logs a line for each connection and flow that has ended. */
  #connectionLog(plugin: string): Plugin {
    return {
      // Other log lines name the port's plugin alone.
      name: "",
      handle: (c, next) => logConnection(c, next, this.#log, "info", { plugin }),
      freeze: () => null,
      thaw: (c, _state, next) => logConnection(c, next, this.#log, "info", { plugin }),
      flow: (c, next) => logFlow(c, next, this.#flowLog, "info", { plugin }),
    };
  }

  #remove(where: string): PluginBinding | undefined {
    const place = this.#places.get(where);
    this.#places.delete(where);
    return place?.binding;
  }

  /** Opens all ports or none; those in `listeners` are open already. */
  async #openPorts(
    list: readonly PublishSetting[],
    settings: Settings,
    listeners: ReadonlyMap<string, number> = new Map(),
  ): Promise<Published[]> {
    const opened: Published[] = [];
    try {
      for (const setting of list) {
        warnIfUnserved(setting, settings, this.#log);
        opened.push({
          setting,
          publication: await this.#openPort(setting, listeners.get(keyOf(setting))),
        });
      }
    } catch (error) {
      for (const { publication } of opened) publication.stopListening();
      throw error;
    }
    return opened;
  }

  #openPort(setting: PublishSetting, descriptor?: number): Promise<Publication> {
    const { connect, dialDatagrams } = this.#network;
    const { keepAliveMs } = this.#settings;
    return setting.transport === "udp"
      ? publishDatagrams(setting, dialDatagrams, this.#log, { descriptor })
      : publish(setting, connect, this.#log, { keepAliveMs, descriptor });
  }

  /** Ends at once because the start has failed. */
  abandon(): Promise<void> {
    this.#readiness.skipLameDuck();
    return this.stop();
  }

  /**
   * Accepts no new connections after the time as a lame duck, and ends; see `CloseOptions` for `whenDrained`.
   */
  async stop(whenDrained?: () => Promise<void>): Promise<void> {
    await this.#readiness.withdraw(this.#settings.lameDuckMs);
    const { stack, close } = this.#network;
    const { graceMs } = this.#settings;
    for (const cancel of this.#graces) cancel();
    this.#captures?.close();
    const publications = [
      ...this.#published.map(({ publication }) => publication),
      ...this.#closing,
    ];
    for (const publication of publications) publication.stopListening();
    await Promise.all([
      this.#moves?.stopListening(),
      stack.close(whenDrained === undefined ? { graceMs } : { graceMs, whenDrained }),
      ...publications.map((publication) => publication.finish(graceMs)),
    ]);
    this.#moves?.close();
    await close();
  }
}

function isSame(one: LoadedChain, other: LoadedChain): boolean {
  return one.plugins.length === other.plugins.length &&
    one.plugins.every((plugin, index) => plugin === other.plugins[index]);
}

/** The publication of the same port of the host. */
function find(among: readonly Published[], setting: PublishSetting): Published | undefined {
  return among.find((one) => keyOf(one.setting) === keyOf(setting));
}

/** Port 0 stands for any free port, and identifies none. */
function keyOf(setting: PublishSetting): string {
  return setting.port === 0 ? `${nameOf(setting)}=${formatHostPort(setting.to)}` : nameOf(setting);
}

function nameOf(setting: PublishSetting): string {
  const port = formatHostPort(setting);
  return setting.transport === "udp" ? `udp/${port}` : port;
}

/** Warns about published ports without a listener. Not an error, since a plugin may open ports itself. */
export function warnIfUnserved(
  { transport, to }: PublishSetting,
  settings: Settings,
  log: Logger,
): void {
  const address = IpAddress.parse(to.hostname);
  if (address === undefined || !ownAddresses(settings).has(address)) return;
  const serves = ({ where }: ListenSetting) => {
    const { transport: its, subnet, firstPort, lastPort } = parseListenAddress(where);
    return its === (transport ?? "tcp") && (subnet?.contains(address) ?? true) &&
      firstPort <= to.port && to.port <= lastPort;
  };
  if (settings.listen.some(serves)) return;
  const listen = `${transport === "udp" ? "udp/" : ""}${to.port}=PLUGIN`;
  log.warn("no plugin listens on the target of --publish", {
    to: formatHostPort(to),
    hint: `--listen ${listen}`,
  });
}
