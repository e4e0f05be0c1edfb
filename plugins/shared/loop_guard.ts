/**
 * Targets that lead back to the plugin that connects to them.
 *
 * @module
 */
import type { Logger } from "../../core/api/environment.ts";
import { TcpError } from "../../core/api/errors.ts";
import { formatHostPort, type HostPort } from "../../core/api/host_port.ts";
import type { DialTarget, RouteIntoStack } from "./host_network.ts";

type Transport = "tcp" | "udp";

/** The listen address where a connection or flow arrived. */
export interface Arrival {
  readonly transport: Transport;
  readonly place: HostPort;
  readonly log: Logger;
}

/**
 * A hop of a possible loop: a plugin at one address of a stack has a target that leads to another
 * address of a stack.
 */
interface Hop {
  readonly owner: LoopGuard;
  readonly from: string;
  readonly to: string;
  readonly transport: Transport;
  readonly target: HostPort;
}

/**
 * Maximum number of hops remembered, over all plugins; beyond that the least recently used is
 * forgotten.
 */
const MAX_HOPS = 1024;

/**
 * The hops between addresses of this process's stacks. A hop that would close a loop, over any
 * number of plugins, is refused.
 */
class HopTable {
  readonly #routeIntoStack: RouteIntoStack;
  /** The hops by both of their ends. */
  readonly #hops = new Map<string, Hop>();

  constructor(routeIntoStack: RouteIntoStack) {
    this.#routeIntoStack = routeIntoStack;
  }

  /** Adds a hop; false: it would close a loop. */
  add(hop: Hop): boolean {
    const key = `${hop.from} ${hop.to}`;
    if (!this.#hops.delete(key) && this.#isReachable(hop.to, hop.from)) return false;
    this.#hops.set(key, hop);
    if (this.#hops.size > MAX_HOPS) this.#hops.delete(this.#hops.keys().next().value!);
    return true;
  }

  forget(owner: LoopGuard): void {
    for (const [key, hop] of this.#hops) if (hop.owner === owner) this.#hops.delete(key);
  }

  #isReachable(from: string, to: string): boolean {
    const reached = new Set([from]);
    for (const place of reached) {
      if (place === to) return true;
      for (const [key, hop] of this.#hops) {
        if (hop.from !== place) continue;
        // A published port may lead elsewhere by now.
        if (this.#isOpen(hop)) reached.add(hop.to);
        else this.#hops.delete(key);
      }
    }
    return false;
  }

  #isOpen({ transport, target, to }: Hop): boolean {
    const place = this.#routeIntoStack(transport, target);
    return place !== undefined && nameOf(transport, place) === to;
  }
}

/** Plugins that connect through the same host share its hops. */
const hopTables = new WeakMap<RouteIntoStack, HopTable>();

/**
 * Refuses targets that lead back to the plugin, directly or through other plugins with a guard,
 * since connecting to them would be an endless loop. A target that leads to another address of a
 * stack is allowed.
 */
export class LoopGuard {
  readonly #routeIntoStack: RouteIntoStack | undefined;
  readonly #hops: HopTable | undefined;
  /** Targets for which a warning was logged; at most as many as the plugin has. */
  readonly #warned = new Set<string>();

  constructor(routeIntoStack: RouteIntoStack | undefined) {
    this.#routeIntoStack = routeIntoStack;
    if (routeIntoStack === undefined) return;
    this.#hops = hopTables.get(routeIntoStack) ?? new HopTable(routeIntoStack);
    hopTables.set(routeIntoStack, this.#hops);
  }

  /**
   * Checks a target; to be called before each connection attempt.
   *
   * @throws {TcpError} The target leads back to the address where the connection or flow arrived.
   */
  requireNoLoop(
    transport: Transport,
    target: DialTarget,
    { place: at, log, ...from }: Arrival,
  ): void {
    if (this.#routeIntoStack === undefined || "path" in target) return;
    const place = this.#routeIntoStack(transport, target);
    if (place === undefined) return;
    const hop: Hop = {
      owner: this,
      from: nameOf(from.transport, at),
      to: nameOf(transport, place),
      transport,
      target,
    };
    if (this.#hops!.add(hop)) return;
    const [text, back] = [formatHostPort(target), formatHostPort(at)];
    const name = `${transport}/${text}`;
    if (!this.#warned.has(name)) {
      log.warn("target leads back to the address that forwards to it", {
        target: name,
        place: back,
      });
    }
    this.#warned.add(name);
    throw new TcpError("CONNECTION_REFUSED", `${text} leads back to ${back}, which forwards to it`);
  }

  /** Removes the hops of this plugin. */
  dispose(): void {
    this.#hops?.forget(this);
  }
}

function nameOf(transport: Transport, place: HostPort): string {
  return `${transport}/${formatHostPort(place)}`;
}
