/**
 * Notifies sockets, listeners, event logs and flows of their events in the core.
 *
 * Each notification may wake a handler that computes for milliseconds, and hundreds can come with
 * one burst of packets. So only some owners are notified in a turn, and connections, listeners, event logs and
 * UDP take turns: new connections are accepted even if the others are busy.
 *
 * @module
 */
/** Maximum number of owners notified in one turn. */
export const MAX_OWNERS = 64;
/**
 * Target duration of one turn, in milliseconds. After a longer turn, fewer owners are notified, but
 * at least one.
 */
export const TURN_MS = 8;

/** The owner of a connection, a listener, an event log, a flow or a UDP socket in the core. */
export interface Owner {
  /** Events are pending; the owner looks them up in the core. */
  onEvent(): void;
}

/** An object of the core that has an event for its owner. */
export interface Owned {
  /** An {@link Owner}; opaque to the core. */
  handle: unknown;
}

/** Where events come from: a `CoreStack`. */
export interface EventSource {
  readonly tcp: {
    pollConnection(): Owned | undefined;
    pollListener(): Owned | undefined;
    pollEventLog(): Owned | undefined;
  };
  readonly udp: { pollEvent(): Owned | undefined };
}

/** Notifies the owners of one core, some at a time. */
export class OwnerNotifier {
  /** Further owners wait for the next {@link notify}. */
  hasMore = false;
  readonly #core: EventSource;
  #limit = MAX_OWNERS;

  constructor(core: EventSource) {
    this.#core = core;
  }

  /** Notifies as many owners as one turn allows. */
  notify(): void {
    const { tcp, udp } = this.#core;
    let notified = 0;
    while (notified < this.#limit) {
      const before = notified;
      notified += notifyOwner(tcp.pollConnection()) + notifyOwner(tcp.pollListener()) +
        notifyOwner(tcp.pollEventLog()) + notifyOwner(udp.pollEvent());
      if (notified > before) continue;
      this.hasMore = false;
      return;
    }
    this.hasMore = true;
  }

  /** Notifies all owners, before the stack ends. */
  notifyAll(): void {
    do this.notify(); while (this.hasMore);
  }

  /** Adapts the number of owners to how long the handlers of a turn have run. */
  turnTook(ms: number): void {
    if (ms > TURN_MS) this.#limit = Math.max(1, Math.floor(this.#limit * TURN_MS / ms));
    else if (ms < TURN_MS / 2) this.#limit = Math.min(MAX_OWNERS, this.#limit * 2);
  }
}

/** Returns the number of owners notified. */
function notifyOwner(owned: Owned | undefined): 0 | 1 {
  if (owned === undefined) return 0;
  (owned.handle as Owner | undefined)?.onEvent();
  return 1;
}
