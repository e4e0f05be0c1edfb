/**
 * The service: a stack, plugins on its ports, and ports of the host that lead into it.
 *
 * @module
 */
import { type Logger, silentLogger } from "../../core/api/environment.ts";
import type { Metric } from "../../core/api/metrics/metric.ts";
import type { LinkImpairments } from "../links/decorators/impair.ts";
import { linkPair } from "../links/memory.ts";
import type { ConnectionPage, ConnectionRow, Selection } from "./admin/connections.ts";
import type { OpenedStream, StreamSource } from "./inspection/stream_source.ts";
import { checkAddresses, networkOn, openNetwork } from "./links/network.ts";
import { loadPlugins } from "./listen/plugins.ts";
import type { LogLevel } from "./log/logger.ts";
import { processMetrics } from "./metrics/process_metrics.ts";
import type { MoveReport } from "./moves/move_out.ts";
import type { PublishedPort } from "./publish/publish.ts";
import { warnIfUnserved } from "./publish/published_ports.ts";
import type { ServingState } from "./readiness/readiness.ts";
import type { Changes } from "./reload/changes.ts";
import { Serving } from "./serving.ts";
import type { Settings } from "./settings/settings.ts";
import { newIdentity, type StackIdentity } from "./upgrade/identity.ts";
import type { Handover, Inheritance } from "./upgrade/inheritance.ts";

/** A running service. */
export interface Service {
  /** The link that the stack is on, as messages show it. */
  readonly place: string;
  /** The configured addresses that the stack has; those in use by other stations are missing. */
  readonly addresses: readonly string[];
  /** The open ports of the host. */
  readonly published: readonly PublishedPort[];
  /** The settings in use. */
  readonly settings: Settings;
  /** The open connections, of all workers. */
  connections(): Promise<readonly ConnectionRow[]>;
  /** A page of connections, filtered and sorted. */
  select(selection: Selection): Promise<ConnectionPage>;
  /** A connection; `undefined` if there is none with this ID. */
  connection(id: string): Promise<ConnectionRow | undefined>;
  /** Resets a connection; resolves with false if there is none with this ID. */
  reset(id: string): Promise<boolean>;
  /**
   * Opens a stream; `undefined` if its source does not exist.
   *
   * @throws {TypeError} The filter of a capture is not valid.
   */
  open(source: StreamSource): Promise<OpenedStream | undefined>;
  /** Ends a capture; its reader still gets what was captured. Resolves with false if there is none with this ID. */
  stopCapture(id: string): Promise<boolean>;
  /**
   * Changes the impairments of the link to `replacement`, if there is one, and resolves with those in use. Each
   * worker has its own.
   *
   * @throws {RangeError} The impairments are not valid.
   */
  impair(replacement?: LinkImpairments): Promise<LinkImpairments>;
  /** Whether new clients should be sent to this service. */
  readonly state: ServingState;
  /**
   * Stops being ready, and after `lameDuckMs` stops accepting connections; open ones continue until they end. It
   * cannot be undone.
   */
  drain(): Promise<void>;
  /**
   * Drains, and moves the connections that can move to another service, `unix:PATH` or `HOST:PORT`. Packets
   * that still arrive here are passed on until the service stops. Nothing changes if the other service
   * cannot be reached.
   *
   * @throws {UsageError} The setting `moves` is missing, or `to` is not an address.
   * @throws {Error} The other service cannot be reached, or has another secret or version.
   */
  moveTo(to: string): Promise<MoveReport>;
  /**
   * Moves up to `count` of the connections that can move to another instance, and continues to serve. Packets that
   * still arrive here are passed on until the peers send them to that instance.
   *
   * @throws {UsageError} The setting `moves` or `peers` is missing, or `to` is not an address.
   * @throws {Error} The other instance cannot be reached, or has another secret or version.
   */
  rebalance(to: string, count: number): Promise<MoveReport>;
  /** Sets the log level of the workers. Without workers there is nothing to do. */
  setLogLevel(level: LogLevel): void;
  /** Metrics of the stack, its plugins and the process, or the sums of all workers'. */
  metrics(): Promise<readonly Metric[]>;
  /** Counters of the stack, or the sums of all workers'. */
  stats(): Promise<Readonly<Record<string, number>>>;
  /**
   * Applies the differences of another configuration; other connections are not affected. One call
   * at a time.
   *
   * @throws {UsageError} A setting cannot be used, or needs a restart; nothing has changed.
   * @throws {Error} A port is not available, or a listen address cannot be bound.
   */
  reload(settings: Settings): Promise<Changes>;
  /**
   * Stops accepting connections after `lameDuckMs`, lets open ones finish within the grace time, and aborts the rest.
   * Then, once `whenDrained` has resolved, removes everything that was set up.
   */
  stop(whenDrained?: () => Promise<void>): Promise<void>;
  /** How another process takes over. */
  readonly handover: Handover;
  /** Rejects when the link or a worker has failed; resolves when the service has stopped. */
  readonly finished: Promise<void>;
}

/** Which process of a service this one is. */
export interface StartOptions {
  /** Default: the identity of a newly started service. */
  readonly identity?: StackIdentity | undefined;
  /** What this process takes over from the previous one. */
  readonly inheritance?: Inheritance | undefined;
}

/**
 * Starts the service on one stack in this thread. If a step fails, the steps before it are undone. If it follows
 * another process, it receives nothing until that process has handed over.
 *
 * @throws {UsageError} A setting cannot be used.
 * @throws {Error} The device, the link or a port is not available.
 */
export async function startService(
  settings: Settings,
  log: Logger,
  { inheritance, identity = inheritance?.identity ?? newIdentity() }: StartOptions = {},
): Promise<Service> {
  const shard = inheritance?.shards[0];
  const plugins = await loadPlugins(settings);
  const network = await openNetwork(settings, log, identity, shard);
  const serving = await Serving.start(plugins, network, settings, log, shard);
  const { finished } = serving;
  try {
    // The link may fail while its addresses are probed.
    const usable = await Promise.race([network.usableAddresses?.(), finished]);
    return {
      place: network.place,
      addresses: usable ?? settings.addresses,
      get published() {
        return serving.published;
      },
      get settings() {
        return serving.settings;
      },
      get state() {
        return serving.state;
      },
      finished,
      handover: handoverOf(serving, identity),
      connections: () => Promise.resolve(serving.connections()),
      select: (selection) => serving.select(selection),
      connection: (id) => Promise.resolve(serving.connection(id)),
      reset: (id) => Promise.resolve(serving.reset(id)),
      // deno-lint-ignore require-await -- errors are rejections
      open: async (source) => serving.open(source),
      stopCapture: (id) => Promise.resolve(serving.stopCapture(id)),
      // deno-lint-ignore require-await -- errors are rejections
      impair: async (replacement) => serving.impair(replacement),
      drain: () => Promise.resolve(serving.drain()),
      // deno-lint-ignore require-await -- errors are rejections
      moveTo: async (to) => serving.moveTo(to),
      // deno-lint-ignore require-await -- errors are rejections
      rebalance: async (to, count) => serving.rebalance(to, count),
      setLogLevel() {},
      metrics: () => Promise.resolve([...processMetrics(), ...serving.metrics()]),
      stats: () => Promise.resolve(serving.stats()),
      reload: async (next) => await (await serving.prepare(next)).apply(),
      stop: (whenDrained) => serving.stop(whenDrained),
    };
  } catch (error) {
    await serving.abandon();
    throw error;
  }
}

/** Hands over a stack in this thread. */
function handoverOf(serving: Serving, identity: StackIdentity): Handover {
  return {
    identity,
    // With one shard, the seed has no effect.
    seed: [0, 0],
    share: () => Promise.resolve([serving.share()]),
    retire: ([channel]) =>
      Promise.try(() => {
        serving.pause();
        serving.retire(channel);
      }),
    drop: (listeners) => Promise.try(() => serving.drop(listeners)),
    resume: () => Promise.try(() => serving.resume()),
    startMoving: () => Promise.try(() => serving.startMoving()),
    isIdle: () => Promise.resolve(serving.isIdle),
    begin: () => Promise.try(() => serving.begin()),
  };
}

/**
 * Reports what {@link startService} would refuse, without opening a link, a port or a capture file: the plugins run
 * on a stack whose link discards everything. The host is not checked here. Warnings of the start are logged.
 *
 * @throws {UsageError} A setting cannot be used.
 */
export async function checkService(settings: Settings, log: Logger): Promise<void> {
  checkAddresses(settings, log);
  for (const setting of settings.publish) warnIfUnserved(setting, settings, log);
  const plugins = await loadPlugins(settings);
  const { capture: _capture, impair: _impair, ...others } = settings;
  const moves = settings.moves && { secretFile: settings.moves.secretFile };
  const isolated = { ...others, moves, publish: [], graceMs: 0, lameDuckMs: 0 };
  const [link] = linkPair({ mtu: settings.mtu });
  const network = networkOn(link, isolated, silentLogger);
  const serving = await Serving.start(plugins, network, isolated, silentLogger);
  await serving.stop();
}
