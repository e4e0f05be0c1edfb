/**
 * Log lines for clients that follow them over the admin API.
 *
 * @module
 */
import type { Logger } from "../../../core/api/environment.ts";

/** A log line. */
export interface LogEvent {
  readonly time: string;
  readonly level: "debug" | "info" | "warn" | "error";
  readonly message: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

/** Maximum number of lines queued for a follower; the oldest are dropped for newer ones. */
export const MAX_WAITING = 1000;
/** Maximum number of followers. */
export const MAX_FOLLOWERS = 16;

/** Passes log lines on to any number of followers. */
export class EventHub {
  readonly #followers = new Set<Follower>();
  readonly #onChange: () => void;

  /** `onChange` is called when {@link isFollowed} has changed. */
  constructor(onChange: () => void = () => {}) {
    this.#onChange = onChange;
  }

  /** A logger that also passes its lines to the followers, whatever the level of `log`. */
  wrap(log: Logger): Logger {
    const at = (level: LogEvent["level"]): Logger["info"] => (message, fields = {}) => {
      log[level](message, fields);
      if (this.#followers.size === 0 || level === "debug") return;
      const event = { time: new Date().toISOString(), level, message, fields };
      for (const follower of this.#followers) follower.push(event);
    };
    return {
      debug: at("debug"),
      info: at("info"),
      warn: at("warn"),
      error: at("error"),
      isEnabled: (level) =>
        (this.isFollowed && level !== "debug") || (log.isEnabled?.(level) ?? true),
    };
  }

  /** Adds a follower; `undefined` if there are {@link MAX_FOLLOWERS} already. */
  follow(): Follower | undefined {
    if (this.#followers.size >= MAX_FOLLOWERS) return undefined;
    const follower = new Follower(() => {
      if (this.#followers.delete(follower) && !this.isFollowed) this.#onChange();
    });
    this.#followers.add(follower);
    if (this.#followers.size === 1) this.#onChange();
    return follower;
  }

  /** Whether there are followers. */
  get isFollowed(): boolean {
    return this.#followers.size > 0;
  }

  /** Number of followers. */
  get followers(): number {
    return this.#followers.size;
  }

  /** Ends all followers. */
  close(): void {
    for (const follower of this.#followers) follower.close();
  }
}

/** A follower. Holds at most {@link MAX_WAITING} lines, however slowly they are read. */
export class Follower {
  readonly #waiting: LogEvent[] = [];
  readonly #onClose: () => void;
  #dropped = 0;
  #wake: (() => void) | undefined;
  #isClosed = false;

  constructor(onClose: () => void) {
    this.#onClose = onClose;
  }

  push(event: LogEvent): void {
    this.#waiting.push(event);
    if (this.#waiting.length > MAX_WAITING) {
      this.#waiting.shift();
      this.#dropped++;
    }
    this.#wake?.();
  }

  /** The next line, with the number of those before it that were dropped; `undefined` at the end. */
  async next(): Promise<{ event: LogEvent; dropped: number } | undefined> {
    while (this.#waiting.length === 0) {
      if (this.#isClosed) return undefined;
      await new Promise<void>((resolve) => this.#wake = resolve);
    }
    const dropped = this.#dropped;
    this.#dropped = 0;
    return { event: this.#waiting.shift()!, dropped };
  }

  /** Number of queued lines. */
  get waiting(): number {
    return this.#waiting.length;
  }

  close(): void {
    this.#isClosed = true;
    this.#onClose();
    this.#wake?.();
  }
}
