/**
 * Targets that lead back to the plugin that connects to them.
 *
 * @module
 */
import type { Logger } from "../../core/api/environment.ts";
import { TcpError } from "../../core/api/errors.ts";
import { formatHostPort, type HostPort } from "../../core/api/host_port.ts";
import type { DialTarget, LeadsBack } from "./host_network.ts";

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
interface Way {
  readonly owner: LoopGuard;
  readonly from: string;
  readonly to: string;
  readonly transport: Transport;
  readonly target: HostPort;
}

/**
 * Maximum number of ways remembered, over all plugins; beyond that the least recently used is
 * forgotten.
 */
const MAX_WAYS = 1024;

/**
 * The hops between addresses of this process's stacks. A hop that would close a loop, over any
 * number of plugins, is refused.
 */
class Ways {
  readonly #leadsBack: LeadsBack;
  /** Ways by both ends. */
  readonly #ways = new Map<string, Way>();

  constructor(leadsBack: LeadsBack) {
    this.#leadsBack = leadsBack;
  }

  /** Adds a way; false: it would close a loop. */
  take(way: Way): boolean {
    const key = `${way.from} ${way.to}`;
    if (!this.#ways.delete(key) && this.#leads(way.to, way.from)) return false;
    this.#ways.set(key, way);
    if (this.#ways.size > MAX_WAYS) this.#ways.delete(this.#ways.keys().next().value!);
    return true;
  }

  forget(owner: LoopGuard): void {
    for (const [key, way] of this.#ways) if (way.owner === owner) this.#ways.delete(key);
  }

  #leads(from: string, to: string): boolean {
    const reached = new Set([from]);
    for (const place of reached) {
      if (place === to) return true;
      for (const [key, way] of this.#ways) {
        if (way.from !== place) continue;
        // A published port may lead elsewhere by now.
        if (this.#isOpen(way)) reached.add(way.to);
        else this.#ways.delete(key);
      }
    }
    return false;
  }

  #isOpen({ transport, target, to }: Way): boolean {
    const place = this.#leadsBack(transport, target);
    return place !== undefined && nameOf(transport, place) === to;
  }
}

/** Plugins that connect through the same host share its hops. */
const waysOf = new WeakMap<LeadsBack, Ways>();

/**
 * Refuses targets that lead back to the plugin, directly or through other plugins with a guard,
 * since connecting to them would be an endless loop. A target that leads to another address of a
 * stack is allowed.
 */
export class LoopGuard {
  readonly #leadsBack: LeadsBack | undefined;
  readonly #ways: Ways | undefined;
  /** Targets for which a warning was logged; at most as many as the plugin has. */
  readonly #warned = new Set<string>();

  constructor(leadsBack: LeadsBack | undefined) {
    this.#leadsBack = leadsBack;
    if (leadsBack === undefined) return;
    this.#ways = waysOf.get(leadsBack) ?? new Ways(leadsBack);
    waysOf.set(leadsBack, this.#ways);
  }

  /**
   * Checks a target; to be called before each connection attempt.
   *
   * @throws {TcpError} The target leads back to the address where the connection or flow arrived.
   */
  requireWayOut(
    transport: Transport,
    target: DialTarget,
    { place: at, log, ...from }: Arrival,
  ): void {
    if (this.#leadsBack === undefined || "path" in target) return;
    const place = this.#leadsBack(transport, target);
    if (place === undefined) return;
    const way: Way = {
      owner: this,
      from: nameOf(from.transport, at),
      to: nameOf(transport, place),
      transport,
      target,
    };
    if (this.#ways!.take(way)) return;
    const [text, back] = [formatHostPort(target), formatHostPort(at)];
    const name = `${transport}/${text}`;
    if (!this.#warned.has(name)) {
      log.warn("target leads back to where it is used", { target: name, place: back });
    }
    this.#warned.add(name);
    throw new TcpError("CONNECTION_REFUSED", `${text} leads back to ${back}, where it is used`);
  }

  /** Removes the ways of this plugin. */
  dispose(): void {
    this.#ways?.forget(this);
  }
}

function nameOf(transport: Transport, place: HostPort): string {
  return `${transport}/${formatHostPort(place)}`;
}
