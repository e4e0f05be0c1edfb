/**
 * The sessions of pages that have signed in to the dashboard.
 *
 * @module
 */
import { createHash } from "node:crypto";
import type { Clock, Random } from "../../../core/api/environment.ts";

/** Maximum number of sessions; the one that has been idle longest ends for a new one. */
export const MAX_SESSIONS = 64;
/** A session ends after this time without a request, in milliseconds. */
export const SESSION_IDLE_MS: number = 12 * 3_600_000;
/** Maximum number of keys that have not been used; the oldest is forgotten for a new one. */
export const MAX_KEYS = 16;
/** How long a key is valid, in milliseconds. */
export const KEY_MS = 120_000;

/** The sessions of a process that another one replaces. */
export interface HandedSessions {
  /** The digest of the admin API's token. */
  readonly tokenDigest: string;
  /** Each token with the milliseconds until its session ends, the one idle longest first. */
  readonly sessions: readonly (readonly [text: string, forMs: number])[];
}

/**
 * Keys for signing in, each for one use, and the tokens of sessions. A key is part of a URL, so it may stay in the
 * history of a shell or browser, where it is no longer valid.
 */
export class Sessions {
  readonly #clock: Clock;
  readonly #random: Random;
  /** The time at which each key expires, the earliest first. */
  readonly #keys = new Map<string, number>();
  /** The same for the tokens of sessions. */
  readonly #sessions = new Map<string, number>();

  constructor(clock: Clock, random: Random) {
    this.#clock = clock;
    this.#random = random;
  }

  /** A key for one {@link start}. */
  issueKey(): string {
    return this.#issue(this.#keys, KEY_MS, MAX_KEYS);
  }

  /** Whether a key is valid; this call makes it invalid. */
  useKey(key: string): boolean {
    return this.#isValid(this.#keys, key) && this.#keys.delete(key);
  }

  /** Starts a session; returns its token. */
  start(): string {
    return this.#issue(this.#sessions, SESSION_IDLE_MS, MAX_SESSIONS);
  }

  /** Whether a token belongs to a session; if so, restarts the session's idle time. */
  renew(token: string): boolean {
    if (!this.#isValid(this.#sessions, token)) return false;
    this.#sessions.delete(token);
    this.#sessions.set(token, this.#clock.now() + SESSION_IDLE_MS);
    return true;
  }

  /** Ends a session. */
  end(token: string): void {
    this.#sessions.delete(token);
  }

  /** The sessions for the process that takes over. It accepts them only if it has the same token of the admin API. */
  handOver(token: string): HandedSessions {
    const now = this.#clock.now();
    return {
      tokenDigest: digestOf(token),
      sessions: [...this.#sessions].map(([text, until]) => [text, until - now]),
    };
  }

  /** Takes over the sessions of the previous process, unless the token was changed, which is meant to end them. */
  takeOver({ tokenDigest, sessions }: HandedSessions, token: string): void {
    if (tokenDigest !== digestOf(token)) return;
    const now = this.#clock.now();
    for (const [text, forMs] of sessions.slice(-MAX_SESSIONS)) {
      if (forMs > 0) this.#sessions.set(text, now + Math.min(forMs, SESSION_IDLE_MS));
    }
    while (this.#sessions.size > MAX_SESSIONS) {
      this.#sessions.delete(this.#sessions.keys().next().value!);
    }
  }

  #issue(all: Map<string, number>, forMs: number, most: number): string {
    const bytes = new Uint8Array(24);
    this.#random.fill(bytes);
    const text = bytes.toBase64({ alphabet: "base64url" });
    all.set(text, this.#clock.now() + forMs);
    if (all.size > most) all.delete(all.keys().next().value!);
    return text;
  }

  #isValid(all: Map<string, number>, text: string): boolean {
    const until = all.get(text);
    if (until === undefined) return false;
    if (this.#clock.now() <= until) return true;
    all.delete(text);
    return false;
  }
}

function digestOf(token: string): string {
  return createHash("sha256").update(token).digest("hex");
}
