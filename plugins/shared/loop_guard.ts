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

/** A target that leads into a stack of this process. */
interface WayBack {
  readonly transport: Transport;
  /** Where it comes in. */
  readonly place: HostPort;
  /** The plugin is served there. */
  isLoop: boolean;
}

/**
 * What a plugin sends to a target that leads back to it would be sent there again, and again. One that
 * leads elsewhere into the stack is no loop, nor is it if there is another plugin at its end. Where
 * several targets lead to several places of the plugin each is found out when it comes in.
 */
export class LoopGuard {
  readonly #leadsBack: LeadsBack | undefined;
  /** By transport and target, as many as the plugin has of them at most. */
  readonly #ways = new Map<string, WayBack>();
  /** Who came last. */
  #last: { transport: Transport; place: HostPort; log: Logger } | undefined;

  constructor(leadsBack: LeadsBack | undefined) {
    this.#leadsBack = leadsBack;
  }

  /** Somebody has come to the plugin at this place. */
  arrived(transport: Transport, place: HostPort, log: Logger): void {
    this.#last = { transport, place, log };
    for (const [target, way] of this.#ways) this.#look(target, way);
  }

  /**
   * Has to be called before each attempt to connect.
   *
   * @throws {TcpError} The target leads back to the plugin.
   */
  requireWayOut(transport: Transport, target: DialTarget): void {
    if (this.#leadsBack === undefined || "path" in target) return;
    const place = this.#leadsBack(transport, target);
    const name = `${transport}/${formatHostPort(target)}`;
    if (place === undefined) {
      if (this.#ways.size > 0) this.#ways.delete(name);
      return;
    }
    const known = this.#ways.get(name);
    const way = known && isSame(known.place, place) ? known : { transport, place, isLoop: false };
    this.#ways.set(name, way);
    this.#look(name, way);
    if (!way.isLoop) return;
    const [text, back] = [formatHostPort(target), formatHostPort(place)];
    throw new TcpError("CONNECTION_REFUSED", `${text} leads back to ${back}, where it is used`);
  }

  #look(target: string, way: WayBack): void {
    const last = this.#last;
    if (way.isLoop || last?.transport !== way.transport || !isSame(last.place, way.place)) return;
    way.isLoop = true;
    last.log.warn("target leads back to where it is used", {
      target,
      place: formatHostPort(way.place),
    });
  }
}

function isSame(a: HostPort, b: HostPort): boolean {
  return a.port === b.port && a.hostname === b.hostname;
}
