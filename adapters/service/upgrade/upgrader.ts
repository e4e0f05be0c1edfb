/**
 * Replaces this process with a new one that runs the same program, while connections continue.
 *
 * @module
 */
import process from "node:process";
import { type Clock, type Logger, systemClock } from "../../../core/api/environment.ts";
import type { HandedSessions } from "../dashboard/sessions.ts";
import type { Metric } from "../../../core/api/metrics/metric.ts";
import { MAX_GENERATIONS } from "../../../core/stack/sharding/generations.ts";
import { MessageListener } from "../../host/native/message_listener.ts";
import { MessageSocket, messageSocketPair, peerOf } from "../../host/native/message_socket.ts";
import { type NativeSockets, nativeSockets } from "../../host/native/sockets.ts";
import type { LibcHost } from "../../runtime/libc/host.ts";
import { requirePermissions } from "../cli/permissions.ts";
import { messageLine, UsageError } from "../errors.ts";
import { metricsMessages } from "../metrics/earlier_metrics.ts";
import type { Service } from "../service.ts";
import {
  type ControlMessage,
  descriptorsOf,
  type HandedState,
  PROTOCOL,
  readControl,
  sendControl,
  sendDescriptors,
} from "./control_messages.ts";
import { EarlierProcesses, MAX_CONTROL_BYTES } from "./earlier_processes.ts";
import { commonSettings, type ShardInheritance, unshareableReason } from "./inheritance.ts";
import { type NewProcess, PROGRAM, startAgain } from "./new_process.ts";

/** Default time limit for the start of a new process, in milliseconds. */
export const START_LIMIT_MS = 60_000;
/** Time limit for the steps after the start, in milliseconds; they normally take a few milliseconds. */
const SWITCH_LIMIT_MS = 10_000;
/** How long to wait for the last message of a process that has ended, in milliseconds. */
const MESSAGE_MS = 100;
/**
 * How long this process keeps its connections after it has handed over, in milliseconds, so that it can serve again
 * if the new one fails during this time.
 */
const STANDBY_MS = 3000;
/** Interval of the checks for remaining connections, in milliseconds. */
const IDLE_INTERVAL_MS = 200;
/** Number of checks between two reports of the metrics. */
const METRICS_TURNS = 5;

/** The result of an upgrade. */
export interface Upgraded {
  /** The ID of the process that serves now. */
  readonly pid: number;
  /** Number of connections that this process still has. */
  readonly connections: number;
}

/** Options of {@link Upgrader}. */
export interface UpgraderOptions {
  readonly service: Pick<Service, "handover" | "settings" | "state" | "connections">;
  /** Earlier processes, to which the new process needs a channel. */
  readonly earlier: EarlierProcesses;
  readonly log: Logger;
  readonly clock?: Clock;
  /** The metrics of this process, which the new one adds to its own. */
  metrics(): Promise<readonly Metric[]>;
  /** The sessions of the dashboard; `undefined` if there are none. */
  sessions(): HandedSessions | undefined;
  /** Whether a reload is in progress. */
  readonly isReloading: () => boolean;
  /** Starts the new process; default: {@link startAgain}. */
  readonly start?: (host: LibcHost, name: string) => Promise<NewProcess>;
  /** Called when the process `pid` serves. */
  onRetired(pid: number): void | Promise<void>;
  /** Called when the new process has ended and this process serves again. */
  onResumed(): void | Promise<void>;
}

/** Upgrades of this process, one at a time. */
export class Upgrader {
  readonly #options: UpgraderOptions;
  readonly #clock: Clock;
  #state: "serving" | "upgrading" | "retired" = "serving";
  /** Aborted when this process serves again. */
  #retirement = new AbortController();
  readonly #ended = Promise.withResolvers<void>();

  constructor(options: UpgraderOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
  }

  /** Whether another process serves, or is about to. */
  get state(): "serving" | "upgrading" | "retired" {
    return this.#state;
  }

  /** Resolves when this process has handed over and has no more to do. */
  get ended(): Promise<void> {
    return this.#ended.promise;
  }

  /**
   * Starts a new process and hands over to it, within `limitMs`.
   *
   * @throws {UsageError} No upgrade is possible at the moment.
   * @throws {Error} The new process did not start; this one continues.
   */
  async upgrade(limitMs: number = START_LIMIT_MS): Promise<Upgraded> {
    const { log } = this.#options;
    const sockets = this.#requirePossible();
    this.#state = "upgrading";
    log.info("upgrade: starting a new process", { limitMs });
    try {
      const successor = await this.#startSuccessor(sockets, limitMs);
      await this.#handOver(successor);
      this.#state = "retired";
      this.#options.earlier.isRetired = true;
      const { pid } = successor;
      await this.#options.onRetired(pid);
      successor.send({ type: "main" });
      const connections = (await this.#options.service.connections()).length;
      log.info("upgrade: the new process serves", { pid, connections });
      void this.#finish(successor, this.#retirement.signal);
      return { pid, connections };
    } catch (error) {
      this.#state = "serving";
      const lines = messageLine(error);
      log.error("upgrade: the new process cannot serve, this one continues", { reason: lines });
      throw error;
    }
  }

  /** @throws {UsageError} No upgrade is possible at the moment. */
  #requirePossible(): NativeSockets {
    const { service, earlier } = this.#options;
    if (this.#state === "upgrading") {
      throw new UsageError("an upgrade is in progress: try again when it has ended");
    }
    if (this.#state === "retired") {
      throw new UsageError(
        "a newer process is serving: send the request to it, at the same address",
      );
    }
    if (this.#options.isReloading()) {
      throw new UsageError("a reload is in progress: try again when it has ended");
    }
    if (service.state !== "serving") {
      throw new UsageError("the service is draining: restart it");
    }
    const reason = unshareableReason(service.settings);
    if (reason !== undefined) throw new UsageError(reason);
    if (process.pid === 1) throw new UsageError(FIRST_PROCESS);
    requirePermissions(new Map([["run", [{ command: PROGRAM }]]]));
    if (earlier.running.length + 2 > MAX_GENERATIONS) {
      const pids = earlier.running.map(({ pid }) => pid);
      throw new UsageError(
        `${pids.length} earlier processes still have connections: wait, or end some of them ` +
          `(${pids.join(", ")})`,
      );
    }
    const sockets = nativeSockets();
    if (sockets === undefined) throw new UsageError(NO_SOCKETS);
    return sockets;
  }

  async #startSuccessor(sockets: NativeSockets, limitMs: number): Promise<Successor> {
    const { start = startAgain, log } = this.#options;
    const started = Promise.withResolvers<number>();
    const connected = Promise.withResolvers<number>();
    const name = `berth-upgrade-${crypto.randomUUID()}`;
    const close = (descriptor: number) => void sockets.host.libc.close(descriptor);
    const listener = MessageListener.open(sockets, name, (descriptor) => {
      const check = (expected: number) => {
        const { pid } = peerOf(sockets, descriptor);
        if (pid === expected) return connected.resolve(descriptor);
        // Every process of the network namespace can find the name.
        log.warn("upgrade: ignored a process that is not the new one", { pid });
        close(descriptor);
      };
      started.promise.then(check, () => close(descriptor));
    });
    started.promise.catch(() => {});
    try {
      const child = await start(sockets.host, name).catch((error) => {
        started.reject(error);
        throw error;
      });
      started.resolve(child.pid);
      const successor = new Successor(sockets, child, this.#clock);
      try {
        await successor.within(limitMs, async () => {
          successor.connect(await connected.promise);
          await this.#sendState(sockets, successor);
          await successor.next("ready");
        });
        return successor;
      } catch (error) {
        await successor.kill();
        throw error;
      }
    } finally {
      listener.close();
    }
  }

  async #sendState(sockets: NativeSockets, successor: Successor): Promise<void> {
    const { service: { handover, settings }, earlier } = this.#options;
    const { identity, seed } = handover;
    const shards = (await handover.share()).map((shard): ShardInheritance => {
      if (shard.queue === undefined) {
        return { ...shard, channel: undefined, predecessor: identity.number };
      }
      const [own, channel] = messageSocketPair(sockets);
      successor.channels.push(own);
      successor.theirs.push(channel);
      return { ...shard, channel, predecessor: identity.number };
    });
    const processes = earlier.running;
    const descriptors = [
      ...descriptorsOf(shards),
      ...processes.map(({ descriptor }) => descriptor),
    ];
    const state: HandedState = {
      identity: { ...identity, secret: [...identity.secret] },
      seed,
      common: commonSettings(settings),
      shards,
      processes: processes.map(({ number, pid }) => ({ number, pid })),
      descriptors: descriptors.length,
    };
    const sessions = this.#options.sessions();
    successor.send({ type: "state", protocol: PROTOCOL, state, sessions });
    successor.sendDescriptors(descriptors);
  }

  async #handOver(successor: Successor): Promise<void> {
    const { handover } = this.#options.service;
    const channels = successor.channels.splice(0);
    try {
      await handover.retire(channels);
      await successor.within(SWITCH_LIMIT_MS, async () => {
        successor.send({ type: "take-over", sessions: this.#options.sessions() });
        const { dropped } = await successor.next("serving");
        await handover.drop(dropped);
        successor.requireConnected();
      });
    } catch (error) {
      await successor.kill();
      await handover.resume();
      throw error;
    }
    this.#retirement = new AbortController();
    successor.onMessage = (message) => {
      if (message === undefined) void this.#resume(successor.pid);
      else if (message.type === "stop") this.#ended.resolve();
    };
  }

  /**
   * Serves again, because the process that took over has ended, and all later processes too. Each process has
   * channels to all earlier ones, so only the newest of the remaining processes notices the end.
   */
  async #resume(pid: number): Promise<void> {
    const { service, earlier, log, onResumed } = this.#options;
    this.#retirement.abort();
    this.#state = "serving";
    earlier.isRetired = false;
    log.error("the new process has ended, this one serves again", { pid });
    await service.handover.resume();
    await onResumed();
  }

  async #sendMetrics(successor: Successor): Promise<void> {
    for (const message of metricsMessages(await this.#options.metrics())) successor.send(message);
  }

  /** Waits until no connection is left, or the grace time is over. */
  async #finish(successor: Successor, resumed: AbortSignal): Promise<void> {
    const { service, log } = this.#options;
    const { upgradeGraceMs, upgradeMoves } = service.settings;
    let isMoving = !upgradeMoves;
    const now = this.#clock.now();
    const until = upgradeGraceMs === "never" ? Infinity : now + upgradeGraceMs;
    for (let turn = 0; !resumed.aborted; turn++) {
      const isStandby = this.#clock.now() < now + STANDBY_MS;
      if (!isMoving && !isStandby) {
        isMoving = true;
        await service.handover.startMoving();
      }
      const isIdle = !isStandby && await service.handover.isIdle();
      const isOver = this.#clock.now() >= until;
      if (isIdle || isOver || turn % METRICS_TURNS === 0) await this.#sendMetrics(successor);
      if (isOver) {
        log.info("the grace time of the upgrade is over", { upgradeGraceMs });
        return this.#ended.resolve();
      }
      if (isIdle) return this.#ended.resolve();
      await new Promise<void>((wake) =>
        void this.#clock.schedule(this.#clock.now() + IDLE_INTERVAL_MS, wake)
      );
    }
  }
}

/** The new process, seen from this one. */
class Successor {
  /** This process's ends of the channels of the shards, and the other process's. */
  readonly channels: number[] = [];
  readonly theirs: number[] = [];
  onMessage: (message: ControlMessage | undefined) => void = () => {};
  readonly #sockets: NativeSockets;
  readonly #child: NewProcess;
  readonly #clock: Clock;
  readonly #exited = Promise.withResolvers<never>();
  #socket: MessageSocket | undefined;
  #hasClosed = false;

  constructor(sockets: NativeSockets, child: NewProcess, clock: Clock) {
    this.#sockets = sockets;
    this.#child = child;
    this.#clock = clock;
    this.#exited.promise.catch(() => {});
    void child.ended.then((how) => {
      const reject = () => this.#exited.reject(new Error(`it ended with ${how}; ${SEE_LOG}`));
      // A message with the reason may still arrive.
      clock.schedule(clock.now() + MESSAGE_MS, reject);
    });
  }

  get pid(): number {
    return this.#child.pid;
  }

  /** Rejects if the process ends, or if `act` takes longer than `limitMs`. */
  async within(limitMs: number, act: () => Promise<void>): Promise<void> {
    const late = Promise.withResolvers<never>();
    const cancel = this.#clock.schedule(
      this.#clock.now() + limitMs,
      () => late.reject(new Error(`it was not ready within ${limitMs} ms`)),
    );
    try {
      await Promise.race([act(), late.promise, this.#exited.promise]);
    } finally {
      cancel();
    }
  }

  /** Called when the process has connected. */
  connect(descriptor: number): void {
    this.#socket = MessageSocket.open(this.#sockets, descriptor, {
      maxWaiting: MAX_CONTROL_BYTES,
      onMessage: (bytes) => this.onMessage(readControl(bytes)),
      onClose: () => {
        this.#hasClosed = true;
        this.onMessage(undefined);
      },
    });
  }

  /** @throws {Error} The process has closed the connection. */
  requireConnected(): void {
    if (this.#hasClosed) throw new Error(`it has ended; ${SEE_LOG}`);
  }

  /** Waits for a message. */
  next<Type extends ControlMessage["type"]>(
    type: Type,
  ): Promise<ControlMessage & { readonly type: Type }> {
    return new Promise((resolve, reject) => {
      this.onMessage = (message) => {
        if (message?.type === type) resolve(message as ControlMessage & { readonly type: Type });
        else if (message?.type === "failed") reject(new Error(message.message));
      };
    });
  }

  send(message: ControlMessage): void {
    if (this.#socket !== undefined) sendControl(this.#socket, message);
  }

  /** Sends descriptors, and closes those that only the other process needs. */
  sendDescriptors(descriptors: readonly number[]): void {
    const isSent = sendDescriptors(this.#socket!, descriptors);
    for (const each of this.theirs.splice(0)) this.#sockets.host.libc.close(each);
    if (!isSent) throw new Error("its descriptors cannot be passed");
  }

  /** Ends the process, if it has not ended yet. */
  async kill(): Promise<void> {
    this.onMessage = () => {};
    this.#child.kill();
    await this.#child.ended;
    this.#socket?.close();
    for (const each of [...this.channels, ...this.theirs]) this.#sockets.host.libc.close(each);
  }
}

const FIRST_PROCESS =
  "this is process 1, whose end ends the container: start it with an init, such as docker run --init";
const NO_SOCKETS = "an upgrade needs foreign functions and access to the network: on Deno, " +
  "--allow-ffi --allow-net";
const SEE_LOG = "see the log";
