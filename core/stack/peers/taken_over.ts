/**
 * The connections that this instance has taken over, and when each has been announced to the others.
 *
 * @module
 */
import type { AnnouncedConnection } from "./announcement.ts";

/** Maximum number of connections; further ones cannot move here. */
export const MAX_TAKEN_OVER = 65_536;
/** Interval at which a connection is announced, in milliseconds. */
export const ANNOUNCE_MS = 10_000;
/** Connections announced at a time. */
export const ANNOUNCED_AT_ONCE = 1024;
/** Minimum interval at which everything is announced again on request, in milliseconds. */
const REPEAT_MS = 1000;

type Key = object;

/** Connections by their record in the core. */
export class TakenOverConnections {
  /** Connections that were never announced, or have to be announced again. */
  #fresh = new Map<Key, AnnouncedConnection>();
  /** Connections that were announced, the least recently announced first. */
  readonly #announced = new Map<Key, { readonly connection: AnnouncedConnection; at: number }>();
  #repeatedAt = -Infinity;

  get count(): number {
    return this.#fresh.size + this.#announced.size;
  }

  /** Whether connections wait to be announced for the first time. */
  get hasFresh(): boolean {
    return this.#fresh.size > 0;
  }

  /** The instance that segments of the connection identify; `undefined`: it was not taken over. */
  markOf(key: Key): number | undefined {
    return (this.#fresh.get(key) ?? this.#announced.get(key)?.connection)?.mark;
  }

  add(key: Key, connection: AnnouncedConnection): void {
    this.#fresh.set(key, connection);
  }

  /** The connection has ended, or moved to another instance. */
  remove(key: Key): void {
    this.#fresh.delete(key);
    this.#announced.delete(key);
  }

  /** Announces everything again, because another instance has asked for it; at most once in {@link REPEAT_MS}. */
  repeat(now: number): void {
    if (now - this.#repeatedAt < REPEAT_MS) return;
    this.#repeatedAt = now;
    for (const [key, { connection }] of this.#announced) this.#fresh.set(key, connection);
    this.#announced.clear();
  }

  /** Removes the next connections to announce at `now` from the queue, at most {@link ANNOUNCED_AT_ONCE}. */
  take(now: number): AnnouncedConnection[] {
    const taken: [Key, AnnouncedConnection][] = [];
    for (const entry of this.#fresh) {
      if (taken.push(entry) >= ANNOUNCED_AT_ONCE) break;
    }
    for (const [key, { connection, at }] of this.#announced) {
      if (taken.length >= ANNOUNCED_AT_ONCE || now - at < ANNOUNCE_MS) break;
      taken.push([key, connection]);
    }
    for (const [key, connection] of taken) {
      this.remove(key);
      this.#announced.set(key, { connection, at: now });
    }
    return taken.map(([, connection]) => connection);
  }
}
