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

/** Where a connection or flow has come to a plugin. */
export interface Arrival {
  readonly transport: Transport;
  readonly place: HostPort;
  readonly log: Logger;
}

/** A plugin at one place in a stack has a target that leads to another place. */
interface Way {
  readonly owner: LoopGuard;
  readonly from: string;
  readonly to: string;
  readonly transport: Transport;
  readonly target: HostPort;
}

/** Ways of all plugins that are remembered; beyond that the one longest unused is forgotten. */
const MAX_WAYS = 1024;

/**
 * The ways between the stacks of this process. None of them closes a loop, over however many plugins:
 * the one that would is not taken.
 */
class Ways {
  readonly #leadsBack: LeadsBack;
  /** By both ends. */
  readonly #ways = new Map<string, Way>();

  constructor(leadsBack: LeadsBack) {
    this.#leadsBack = leadsBack;
  }

  /** Takes a way; false: it would close a loop. */
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
        // What was published may lead elsewhere by now.
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

/** All plugins that leave through the same host share its ways. */
const waysOf = new WeakMap<LeadsBack, Ways>();

/**
 * What a plugin sends to a target that leads back to it, directly or through other plugins that have a
 * guard, would be sent there again, and again. One that leads elsewhere into a stack is no loop.
 */
export class LoopGuard {
  readonly #leadsBack: LeadsBack | undefined;
  readonly #ways: Ways | undefined;
  /** Targets that have been warned about, as many as the plugin has at most. */
  readonly #warned = new Set<string>();

  constructor(leadsBack: LeadsBack | undefined) {
    this.#leadsBack = leadsBack;
    if (leadsBack === undefined) return;
    this.#ways = waysOf.get(leadsBack) ?? new Ways(leadsBack);
    waysOf.set(leadsBack, this.#ways);
  }

  /**
   * Has to be called before each attempt to connect for what has arrived.
   *
   * @throws {TcpError} The target leads back to where it has arrived.
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

  /** The plugin is not served any more. */
  dispose(): void {
    this.#ways?.forget(this);
  }
}

function nameOf(transport: Transport, place: HostPort): string {
  return `${transport}/${formatHostPort(place)}`;
}
