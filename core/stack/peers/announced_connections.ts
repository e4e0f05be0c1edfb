/**
 * Which connections other instances have taken over, according to their announcements.
 *
 * @module
 */
import type { IpHeader } from "../../wire/ip.ts";
import type { IpAddress } from "../../wire/address.ts";
import { EndpointTable, type TableEntry } from "../endpoint_table.ts";
import type { AnnouncedConnection } from "./announcement.ts";

/** Maximum number of entries; the least recently announced one is evicted. */
export const MAX_ANNOUNCED = 65_536;
/** Time after which an entry is removed unless it is announced again, in milliseconds. */
export const ANNOUNCED_MS = 60_000;

/** A connection that another instance has taken over. */
class MovedEntry implements TableEntry<MovedEntry>, AnnouncedConnection {
  readonly local: IpAddress;
  readonly localPort: number;
  readonly remote: IpAddress;
  readonly remotePort: number;
  mark: number;
  instance: number;
  at: number;
  hash = 0;
  hashNext: MovedEntry | undefined = undefined;

  constructor(connection: AnnouncedConnection, instance: number, at: number) {
    this.local = connection.local;
    this.localPort = connection.localPort;
    this.remote = connection.remote;
    this.remotePort = connection.remotePort;
    this.mark = connection.mark;
    this.instance = instance;
    this.at = at;
  }
}

/** The connections that other instances have announced. */
export class AnnouncedConnections {
  readonly #table: EndpointTable<MovedEntry>;
  /** All entries, the least recently announced first. */
  readonly #byAge = new Set<MovedEntry>();

  /** `seed` keeps peers from predicting hash collisions. */
  constructor(seed: number) {
    this.#table = new EndpointTable(seed);
  }

  get count(): number {
    return this.#table.count;
  }

  /** Records what `instance` has announced at `now`. */
  learn(connection: AnnouncedConnection, instance: number, now: number): void {
    const { local, localPort, remote, remotePort, mark } = connection;
    let entry = this.#table.get(local, localPort, remote, remotePort);
    if (entry === undefined) {
      if (this.count >= MAX_ANNOUNCED) this.#removeOldest();
      entry = new MovedEntry(connection, instance, now);
      this.#table.add(entry);
    } else {
      entry.mark = mark;
      entry.instance = instance;
      entry.at = now;
      this.#byAge.delete(entry);
    }
    this.#byAge.add(entry);
  }

  /** The connection of a received segment. */
  find(ip: IpHeader, remotePort: number, localPort: number): Readonly<MovedEntry> | undefined {
    return this.count === 0 ? undefined : this.#table.find(ip, remotePort, localPort);
  }

  /** The connection with a 4-tuple. */
  get(
    local: IpAddress,
    localPort: number,
    remote: IpAddress,
    remotePort: number,
  ): Readonly<MovedEntry> | undefined {
    return this.count === 0 ? undefined : this.#table.get(local, localPort, remote, remotePort);
  }

  /** Forgets a connection; returns whether it was known. */
  remove(
    local: IpAddress,
    localPort: number,
    remote: IpAddress,
    remotePort: number,
  ): boolean {
    const entry = this.#table.get(local, localPort, remote, remotePort);
    if (entry !== undefined) this.#remove(entry);
    return entry !== undefined;
  }

  /** Removes the entries that have not been announced for {@link ANNOUNCED_MS}. */
  expire(now: number): void {
    for (const entry of this.#byAge) {
      if (now - entry.at < ANNOUNCED_MS) return;
      this.#remove(entry);
    }
  }

  #removeOldest(): void {
    const [oldest] = this.#byAge;
    this.#remove(oldest!);
  }

  #remove(entry: MovedEntry): void {
    this.#byAge.delete(entry);
    this.#table.remove(entry);
  }
}
