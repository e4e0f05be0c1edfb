/**
 * A stack with plugins and published ports, which can change while they serve.
 *
 * @module
 */
import { type Logger, systemClock } from "../../core/api/environment.ts";
import type { Metric } from "../../core/api/metrics/metric.ts";
import type { EndOptions } from "../../core/api/types.ts";
import type { LinkImpairments } from "../links/decorators/impair.ts";
import { nativeSockets } from "../host/native/sockets.ts";
import { ThreadMetrics } from "./metrics/process_metrics.ts";
import type { ConnectionPage, ConnectionRow, Selection } from "./admin/connections.ts";
import { setServed } from "./demo/places.ts";
import { messageLine, UsageError } from "./errors.ts";
import { Captures } from "./inspection/captures.ts";
import { OpenConnections } from "./inspection/open_connections.ts";
import { streamNextEventLog } from "./inspection/event_log.ts";
import type { OpenedStream, StreamSource } from "./inspection/stream_source.ts";
import { checkAddresses, type Network } from "./links/network.ts";
import type { MoveReport } from "./moves/move_out.ts";
import { ServiceMoves } from "./moves/service_moves.ts";
import { Readiness, type ServingState, setReadiness } from "./readiness/readiness.ts";
import { BoundPlugins } from "./listen/bound_plugins.ts";
import { disposePlugins, type LoadedPlugin } from "./listen/plugin_loader.ts";
import { type LoadedPlugins, loadPlugins } from "./listen/plugins.ts";
import type { PublishedPort } from "./publish/publish.ts";
import { closePorts, type Published, PublishedPorts } from "./publish/published_ports.ts";
import { type Changes, differenceOf, otherChanges, requireChangeable } from "./reload/changes.ts";
import { GraceTimes } from "./reload/grace_times.ts";
import { HandlerMoves } from "./reload/handler_moves.ts";
import { GenerationMoves } from "./upgrade/generation_moves.ts";
import type { ShardInheritance, SharedShard } from "./upgrade/inheritance.ts";
import type { Settings } from "./settings/settings.ts";

/**
 * A new configuration that is ready for use: its plugins are loaded and its ports are open. The caller calls one of
 * the methods.
 */
export interface PreparedChanges {
  /**
   * Applies the differences at once; resolves when connections have moved to the plugins that have replaced theirs.
   *
   * @throws {Error} A listen address cannot be bound; nothing has changed, and what was prepared is released.
   */
  apply(): Promise<Changes>;
  /** Releases what was prepared. */
  discard(): Promise<void>;
}

/** A stack with plugins and published ports. */
export class Serving {
  readonly #network: Network;
  readonly #captures: Captures | undefined;
  readonly #log: Logger;
  readonly #threadMetrics = new ThreadMetrics();
  #settings: Settings;
  readonly #readiness: Readiness;
  readonly #connections: OpenConnections;
  readonly #plugins: BoundPlugins;
  readonly #ports: PublishedPorts;
  readonly #graceTimes = new GraceTimes();
  readonly #handlerMoves: HandlerMoves;
  #hasStarted = false;
  /** Whether another process serves. */
  #isRetired = false;
  #moves: ServiceMoves | undefined;
  /** Moves between the processes of an upgrade; `undefined` if they do not share a device. */
  readonly #generationMoves: GenerationMoves | undefined;

  private constructor(network: Network, settings: Settings, log: Logger) {
    this.#network = network;
    this.#captures = network.controls && new Captures(network.controls.captured);
    this.#settings = settings;
    this.#log = log;
    this.#connections = new OpenConnections(() => network.stack.connections());
    this.#plugins = new BoundPlugins(network.stack, log);
    this.#ports = new PublishedPorts(network, log);
    this.#handlerMoves = new HandlerMoves(log);
    const { shared, stack } = network;
    this.#generationMoves = shared && new GenerationMoves(shared, stack, nativeSockets()!, log);
    this.#readiness = new Readiness(
      systemClock,
      (state) => this.#onState(state),
      () => network.peers?.hasJoined() ?? true,
    );
    setReadiness(network.stack, this.#readiness);
    // Without its link the service can accept nothing more.
    network.stack.finished.finally(() => this.#readiness.skipLameDuck()).catch(() => {});
    setServed(network.stack, this);
  }

  /**
   * Puts plugins on a network and publishes ports. If a step fails, everything is removed. If it follows another
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
      serving.#plugins.add(plugins);
      await serving.#ports.start(settings, listeners);
      if (inheritance !== undefined) serving.#ports.pause();
      if (settings.moves !== undefined) {
        const peers = network.peers?.group;
        serving.#moves = new ServiceMoves(network.stack, settings.moves, log, peers);
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
    return this.#ports.ports;
  }

  /** Resolves when the stack has closed; rejects when its link has failed. */
  get finished(): Promise<void> {
    return this.#network.stack.finished;
  }

  /** The open connections. */
  connections(): ConnectionRow[] {
    return this.#connections.rows();
  }

  /** A page of connections, filtered and sorted. */
  select(selection: Selection): Promise<ConnectionPage> {
    return this.#connections.select(selection);
  }

  /** A connection; `undefined` if there is none with this ID. */
  connection(id: string): ConnectionRow | undefined {
    return this.#connections.row(id);
  }

  /** Resets a connection; returns false if there is none with this ID. */
  reset(id: string): boolean {
    return this.#connections.reset(id);
  }

  /** Opens a stream; `undefined` if its source does not exist. */
  open(source: StreamSource): OpenedStream | undefined {
    switch (source.type) {
      case "capture":
        return this.#captures?.open(source);
      case "event-log":
        return this.#connections.openEventLog(source);
      case "next-event-log":
        return streamNextEventLog(this.#network.stack, source, systemClock);
    }
  }

  /** Ends a capture; returns false if there is none with this ID. */
  stopCapture(id: string): boolean {
    return this.#captures?.stop(id) ?? false;
  }

  /**
   * Changes the impairments of the link to `replacement`, if there is one, and returns those in use.
   *
   * @throws {RangeError} The impairments are not valid.
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

  /** Stops being ready, and after `lameDuckMs` stops accepting connections; open ones continue until they end. */
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
    return this.#requireMoves().moveTo(to, () => this.drain());
  }

  /**
   * Moves up to `count` of the connections that can move to another instance.
   *
   * @throws {UsageError} The setting `moves` or `peers` is missing, or `to` is not an address.
   * @throws {Error} The other instance cannot be reached, or has another secret or version.
   */
  rebalance(to: string, count: number): Promise<MoveReport> {
    if (this.#network.peers !== undefined) {
      return this.#requireMoves().moveTo(to, () => {}, count);
    }
    throw new UsageError(
      "peers: without peers all packets of the connections would go through this instance for as long as " +
        "they live: set peers, or move all connections with drain --to",
    );
  }

  #requireMoves(): ServiceMoves {
    if (this.#moves !== undefined) return this.#moves;
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
    this.#ports.stopListening();
    this.#plugins.stopAccepting();
  }

  /** Metrics of the stack, its plugins and the thread. */
  metrics(): readonly Metric[] {
    return [...this.#network.stack.metrics(), ...this.#threadMetrics.metrics];
  }

  /** What another process needs in order to take over. */
  share(): SharedShard {
    const { shared } = this.#network;
    const peers = this.#network.peers?.socket.descriptor;
    return {
      queue: shared?.device,
      peers,
      earlier: shared?.earlier ?? [],
      listeners: this.#ports.descriptors(),
    };
  }

  /** Stops receiving packets of the device and accepting clients of published ports, so that another process can. */
  pause(): void {
    this.#network.shared?.pause();
    this.#network.peers?.pause();
    this.#ports.pause();
    this.#moves?.stopListening();
  }

  /**
   * Hands over to the process at the other end of `channel`, which is `undefined` without a device.
   *
   * @throws {Error} The descriptor cannot be used.
   */
  retire(channel: number | undefined): void {
    if (channel !== undefined) this.#network.shared?.retire(channel);
    this.#readiness.skipLameDuck();
    this.#isRetired = true;
  }

  /** Moves connections to the process that has taken over, from now on. */
  startMoving(): void {
    this.#generationMoves?.start();
  }

  /** Closes published ports, by the name that {@link share} gives them. */
  drop(listeners: readonly string[]): void {
    this.#ports.drop(listeners);
  }

  /** Resumes everything that {@link pause} has stopped. */
  resume(): void {
    this.#isRetired = false;
    this.#network.shared?.resume();
    this.begin();
  }

  /** Accepts clients at published ports, connections of other services and messages of other instances. */
  begin(): void {
    this.#network.peers?.resume();
    this.#ports.resume();
    this.#moves?.listen().catch((error) => {
      this.#log.warn("connections of other services are not received", {
        reason: messageLine(error),
      });
    });
  }

  /** Whether this process has no connection or flow left, and none is moving to another process. */
  get isIdle(): boolean {
    const { flows = 0, halfOpen = 0 } = this.stats();
    return flows === 0 && halfOpen === 0 && this.#network.stack.connections().length === 0 &&
      this.#ports.isIdle && this.#generationMoves?.isMoving !== true;
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
    const running = this.#plugins.loaded;
    const plugins = await loadPlugins(next, running);
    const kept = pluginsOf(running);
    const fresh = pluginsOf(plugins);
    let opened: Published[];
    try {
      opened = await this.#ports.openNew(next);
    } catch (error) {
      await disposePlugins(fresh, kept);
      throw error;
    }
    const discard = async (used: readonly LoadedPlugin[] = []) => {
      closePorts(opened);
      await disposePlugins(fresh, [...kept, ...used]);
    };
    return {
      apply: async () => {
        // The stack disposes the plugins that were passed to it.
        const used: LoadedPlugin[] = [];
        try {
          return await this.#apply(next, plugins, opened, used);
        } catch (error) {
          void discard(used);
          throw error;
        }
      },
      discard,
    };
  }

  async #apply(
    next: Settings,
    plugins: LoadedPlugins,
    opened: readonly Published[],
    used: LoadedPlugin[],
  ): Promise<Changes> {
    const before = this.#settings;
    const listening = differenceOf(
      this.#plugins.loaded.map(([where]) => where),
      plugins.map(([where]) => where),
    );
    const addresses = differenceOf(before.addresses, next.addresses);
    if (addresses.added.length > 0) {
      const all = [...new Set([...before.addresses, ...next.addresses])];
      this.#network.update({ ...next, addresses: all });
    }
    try {
      this.#plugins.add(plugins.filter(([where]) => listening.added.includes(where)), used);
    } catch (error) {
      if (addresses.added.length > 0) this.#network.update(before);
      throw error;
    }
    this.#settings = next;
    const limit = (end: (options: EndOptions) => Promise<void>, finished: Promise<void>) =>
      this.#graceTimes.limit(next, end, finished);
    const { changed, replaced, running } = this.#plugins.change(plugins, listening, limit);
    const publish = this.#ports.change(next.publish, opened, limit);
    this.#network.update(next);
    const moved = next.reloadMoves
      ? await Promise.all(replaced.map((each) => this.#handlerMoves.follow(each)))
      : [];
    return {
      listen: { ...listening, changed },
      publish,
      addresses,
      settings: otherChanges(before, next),
      running: moved.reduce((rest, count) => rest - count, running),
      reloadGraceMs: next.reloadGraceMs,
    };
  }

  /** Closes everything at once, because the start has failed. */
  abandon(): Promise<void> {
    this.#readiness.skipLameDuck();
    return this.stop();
  }

  /** Stops accepting connections after `lameDuckMs`, and closes everything; see `CloseOptions` for `whenDrained`. */
  async stop(whenDrained?: () => Promise<void>): Promise<void> {
    this.#generationMoves?.stop();
    await this.#readiness.withdraw(this.#settings.lameDuckMs);
    const { stack, close } = this.#network;
    const { graceMs } = this.#settings;
    this.#graceTimes.cancel();
    this.#handlerMoves.stop();
    this.#captures?.close();
    this.#ports.stopListening();
    await Promise.all([
      this.#moves?.stopListening(),
      stack.close(whenDrained === undefined ? { graceMs } : { graceMs, whenDrained }),
      this.#ports.finish(graceMs),
    ]);
    this.#moves?.close();
    await close();
  }
}

function pluginsOf(loaded: LoadedPlugins): LoadedPlugin[] {
  return loaded.flatMap(([, { plugins }]) => plugins);
}
