/**
 * Readiness of the host's sockets: one epoll set for all of them.
 *
 * @module
 */
import { macrotask } from "../../../core/api/runtime/macrotask.ts";
import type { LibcHost, Poller } from "../../runtime/libc/host.ts";
import {
  type Bytes,
  EPOLL_CTL_ADD,
  EPOLL_CTL_DEL,
  EPOLL_EVENT,
  EPOLLET,
  EPOLLRDHUP,
  O_CLOEXEC,
  POLLIN,
  POLLOUT,
} from "../../runtime/libc/linux.ts";

/**
 * Maximum number of owners called in one turn; the kernel reports the other descriptors next time.
 */
const MAX_EVENTS = 256;
/**
 * How long the set keeps waiting after its last descriptor was removed, in milliseconds; the wait keeps the process
 * alive.
 */
const IDLE_MS = 50;

/** The owner of a descriptor. */
export interface ReadyOwner {
  /**
   * Called once for each change of readiness, because the set is edge-triggered. `events` are bits of poll(2) and
   * EPOLLRDHUP, or 0 after {@link EventSet.again}. Must not throw.
   */
  onReady(events: number): void;
}

/**
 * An edge-triggered epoll set. While a link is attached, its driver waits for the set together with the
 * link's own descriptor, and calls {@link EventSet.dispatch}; otherwise the set waits by itself, while it
 * has descriptors.
 */
export class EventSet {
  /** The epoll descriptor, which is readable while the kernel has events. */
  readonly descriptor: number;
  /** Increases with each {@link EventSet.dispatch}. */
  turn = 0;
  readonly #host: LibcHost;
  readonly #events = new Int32Array(MAX_EVENTS * EPOLL_EVENT.words);
  readonly #eventBytes: Bytes = new Uint8Array(this.#events.buffer);
  readonly #request = new Int32Array(EPOLL_EVENT.words);
  readonly #requestBytes: Bytes = new Uint8Array(this.#request.buffer);
  /** The owners, by descriptor. */
  readonly #owners: (ReadyOwner | undefined)[] = [];
  /** By descriptor, how often the number was used: tells events of an earlier owner from those of the current one. */
  readonly #registrations: number[] = [];
  #again: ReadyOwner[] = [];
  #size = 0;
  #links = 0;
  #waiter: Poller | undefined;
  #isWaiting = false;
  #idleTimer: ReturnType<typeof setTimeout> | undefined;

  private constructor(host: LibcHost, descriptor: number) {
    this.#host = host;
    this.descriptor = descriptor;
  }

  /** Creates a set; `undefined` if there is no descriptor for it. */
  static open(host: LibcHost): EventSet | undefined {
    const descriptor = host.libc.epoll_create1(O_CLOEXEC);
    return descriptor < 0 ? undefined : new EventSet(host, descriptor);
  }

  /** Number of descriptors. */
  get size(): number {
    return this.#size;
  }

  /** Whether owners wait to be called again, so that no wait is necessary. */
  get hasMore(): boolean {
    return this.#again.length > 0;
  }

  /** Adds a descriptor; returns false if the kernel refuses it, with the reason in `errno`. */
  add(fd: number, owner: ReadyOwner): boolean {
    const registration = (this.#registrations[fd] ?? 0) + 1 | 0;
    this.#request[0] = POLLIN | POLLOUT | EPOLLRDHUP | EPOLLET;
    this.#request[EPOLL_EVENT.descriptor] = fd;
    this.#request[EPOLL_EVENT.number] = registration;
    const { libc } = this.#host;
    if (libc.epoll_ctl(this.descriptor, EPOLL_CTL_ADD, fd, this.#requestBytes) < 0) return false;
    this.#registrations[fd] = registration;
    this.#owners[fd] = owner;
    this.#size++;
    this.#waitAlone();
    return true;
  }

  /** Changes the owner of a descriptor. */
  transfer(fd: number, owner: ReadyOwner): void {
    this.#owners[fd] = owner;
  }

  /** Removes a descriptor that stays open, here or in another process. */
  remove(fd: number): void {
    if (this.#owners[fd] === undefined) return;
    this.#host.libc.epoll_ctl(this.descriptor, EPOLL_CTL_DEL, fd, this.#requestBytes);
    this.closed(fd);
  }

  /** Forgets a descriptor that is being closed. Closing removes it from the kernel's set, unless it was duplicated. */
  closed(fd: number): void {
    if (this.#owners[fd] === undefined) return;
    this.#owners[fd] = undefined;
    if (--this.#size === 0) this.#endWaitLater();
  }

  /** Calls `owner` with 0 in the next turn, for work that does not fit into this one. */
  again(owner: ReadyOwner): void {
    this.#again.push(owner);
    // The wait for the set may already have begun.
    if (this.#again.length === 1) void macrotask().then(() => this.hasMore && this.dispatch());
  }

  /** Calls the owners of the descriptors that are ready, without waiting; returns the number of calls. */
  dispatch(): number {
    this.turn = this.turn + 1 | 0;
    const again = this.#again;
    let calls = again.length;
    if (calls > 0) {
      this.#again = [];
      for (const owner of again) owner.onReady(0);
    }
    if (this.#size === 0) return calls;
    const { libc } = this.#host;
    const count = libc.epoll_wait(this.descriptor, this.#eventBytes, MAX_EVENTS, 0);
    for (let i = 0, at = 0; i < count; i++, at += EPOLL_EVENT.words) {
      const fd = this.#events[at + EPOLL_EVENT.descriptor]!;
      const owner = this.#owners[fd];
      if (this.#registrations[fd] !== this.#events[at + EPOLL_EVENT.number]) continue;
      owner?.onReady(this.#events[at]!);
      calls++;
    }
    return calls;
  }

  /** Lets a link wait for the set from now on; returns the function that undoes it. */
  attach(): () => void {
    this.#links++;
    let isAttached = true;
    return () => {
      if (!isAttached) return;
      isAttached = false;
      this.#links--;
      this.#waitAlone();
    };
  }

  #waitAlone(): void {
    if (this.#isWaiting || this.#links > 0 || this.#size === 0) return;
    this.#isWaiting = true;
    this.#waiter ??= this.#host.waiter(this.descriptor);
    void this.#run(this.#waiter).finally(() => {
      this.#isWaiting = false;
      this.#waitAlone();
    });
  }

  async #run(waiter: Poller): Promise<void> {
    while (this.#links === 0 && this.#size > 0 && this.#waiter === waiter) {
      // Let the handlers of the last events run first.
      await macrotask();
      if (this.dispatch() === 0 && !this.hasMore) await waiter.wait();
    }
  }

  /** Ends the wait, which keeps the process alive; with a delay, because another descriptor often follows soon. */
  #endWaitLater(): void {
    if (this.#waiter === undefined || this.#idleTimer !== undefined) return;
    this.#idleTimer = setTimeout(() => {
      this.#idleTimer = undefined;
      if (this.#size > 0) return;
      void this.#waiter?.close();
      this.#waiter = undefined;
    }, IDLE_MS);
  }
}
