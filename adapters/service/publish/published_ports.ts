/**
 * The published ports of a service, which can change while it serves.
 *
 * @module
 */
import type { Logger } from "../../../core/api/environment.ts";
import { formatHostPort } from "../../../core/api/host_port.ts";
import { parseListenAddress } from "../../../core/api/listen_address.ts";
import type { EndOptions } from "../../../core/api/types.ts";
import { IpAddress } from "../../../core/wire/address.ts";
import type { Network } from "../links/network.ts";
import { ownAddresses } from "../links/own_addresses.ts";
import type { Changes } from "../reload/changes.ts";
import type { ListenSetting } from "../settings/listen_setting.ts";
import type { PublishSetting } from "../settings/publish_setting.ts";
import type { Settings } from "../settings/settings.ts";
import { type Publication, publish, type PublishedPort } from "./publish.ts";
import { publishDatagrams } from "./publish_datagrams.ts";

/** A published port, and the setting that it was opened for. */
export interface Published {
  readonly setting: PublishSetting;
  readonly publication: Publication;
}

/** The published ports, and closed ports whose connections continue. */
export class PublishedPorts {
  readonly #network: Pick<Network, "connect" | "dialDatagrams">;
  readonly #log: Logger;
  #open: readonly Published[] = [];
  /** Closed publications whose connections continue. */
  readonly #closing = new Set<Publication>();

  constructor(network: Pick<Network, "connect" | "dialDatagrams">, log: Logger) {
    this.#network = network;
    this.#log = log;
  }

  /** The open ports of the host. */
  get ports(): readonly PublishedPort[] {
    return this.#open.map(({ publication }) => publication);
  }

  /** Whether no client is left, those of closed ports included. */
  get isIdle(): boolean {
    return this.#all().every(({ running }) => running === 0);
  }

  /** The sockets that can be passed to another process, by name. */
  descriptors(): [name: string, descriptor: number][] {
    return this.#open.flatMap(({ setting, publication: { descriptor } }) =>
      descriptor === undefined ? [] : [[keyOf(setting), descriptor] as [string, number]]
    );
  }

  /**
   * Opens the ports of a new service; the ports in `listeners` are already open.
   *
   * @throws {Error} A port is not available; all are closed again.
   */
  async start(settings: Settings, listeners: ReadonlyMap<string, number>): Promise<void> {
    this.#open = await this.#openAll(settings.publish, settings, listeners);
  }

  /**
   * Opens the ports of another configuration that are not open yet, for {@link change}.
   *
   * @throws {Error} A port is not available; the others are closed again.
   */
  openNew(next: Settings): Promise<Published[]> {
    return this.#openAll(next.publish.filter((one) => !find(this.#open, one)), next);
  }

  /**
   * Changes to the ports of another configuration, those in `opened` included. `limit` is called for each closed port
   * whose clients continue.
   */
  change(
    next: readonly PublishSetting[],
    opened: readonly Published[],
    limit: (end: (options: EndOptions) => Promise<void>, finished: Promise<void>) => void,
  ): Changes["publish"] {
    const now = this.#open;
    const changed: string[] = [];
    this.#open = next.map((setting) => {
      const found = find(now, setting) ?? find(opened, setting)!;
      const { publication } = found;
      if (formatHostPort(publication.to) !== formatHostPort(setting.to)) {
        publication.redirect(setting.to);
        changed.push(nameOf(setting));
      }
      return { setting, publication };
    });
    const closed = now.filter(({ setting }) => !find(this.#open, setting));
    for (const { publication } of closed) {
      publication.stopListening();
      this.#closing.add(publication);
      const finished = publication.finish(Infinity);
      void finished.then(() => this.#closing.delete(publication));
      limit(({ graceMs = 0 }) => publication.finish(graceMs), finished);
    }
    const names = (list: readonly Published[]) => list.map(({ setting }) => nameOf(setting));
    return { added: names(opened), removed: names(closed), changed };
  }

  /** Stops accepting clients, so that another process accepts them. */
  pause(): void {
    for (const { publication } of this.#open) publication.pause();
  }

  /** Accepts clients again. */
  resume(): void {
    for (const { publication } of this.#open) publication.resume();
  }

  /** Closes ports, by the names that {@link descriptors} gives them. */
  drop(names: readonly string[]): void {
    const isDropped = ({ setting }: Published) => names.includes(keyOf(setting));
    for (const { publication } of this.#open.filter(isDropped)) {
      publication.stopListening();
      this.#closing.add(publication);
    }
    this.#open = this.#open.filter((one) => !isDropped(one));
  }

  /** Stops accepting clients. */
  stopListening(): void {
    for (const publication of this.#all()) publication.stopListening();
  }

  /** Waits for all clients, for at most `graceMs` milliseconds, and aborts the rest. */
  async finish(graceMs: number): Promise<void> {
    await Promise.all(this.#all().map((publication) => publication.finish(graceMs)));
  }

  #all(): Publication[] {
    return [...this.#open.map(({ publication }) => publication), ...this.#closing];
  }

  /** Opens all ports or none; the ports in `listeners` are already open. */
  async #openAll(
    list: readonly PublishSetting[],
    settings: Settings,
    listeners: ReadonlyMap<string, number> = new Map(),
  ): Promise<Published[]> {
    const opened: Published[] = [];
    try {
      for (const setting of list) {
        warnIfUnserved(setting, settings, this.#log);
        const descriptor = listeners.get(keyOf(setting));
        opened.push({ setting, publication: await this.#openOne(setting, settings, descriptor) });
      }
    } catch (error) {
      closePorts(opened);
      throw error;
    }
    return opened;
  }

  #openOne(
    setting: PublishSetting,
    { keepAliveMs }: Settings,
    descriptor: number | undefined,
  ): Promise<Publication> {
    const { connect, dialDatagrams } = this.#network;
    return setting.transport === "udp"
      ? publishDatagrams(setting, dialDatagrams, this.#log, { descriptor })
      : publish(setting, connect, this.#log, { keepAliveMs, descriptor });
  }
}

/** Closes ports that were opened for a change which is not made. */
export function closePorts(opened: readonly Published[]): void {
  for (const { publication } of opened) publication.stopListening();
}

/** Finds the publication of the same port of the host. */
function find(among: readonly Published[], setting: PublishSetting): Published | undefined {
  return among.find((one) => keyOf(one.setting) === keyOf(setting));
}

/**
 * A key that is equal for the same port of the host. Port 0 stands for any free port, so its key has the destination
 * too.
 */
function keyOf(setting: PublishSetting): string {
  return setting.port === 0 ? `${nameOf(setting)}=${formatHostPort(setting.to)}` : nameOf(setting);
}

function nameOf(setting: PublishSetting): string {
  const port = formatHostPort(setting);
  return setting.transport === "udp" ? `udp/${port}` : port;
}

/** Warns about published ports without a listener. This is no error, because a plugin may open ports itself. */
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
