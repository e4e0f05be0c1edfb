/**
 * A client of the admin API for the dashboard.
 *
 * @module
 */
/// <reference lib="dom" />
import { readEvents } from "../shared/events.ts";

/** A connection, as `/connections` lists it. */
export interface Row {
  readonly id: string;
  readonly local: string;
  readonly remote: string;
  readonly plugin?: string;
  readonly state: string;
  readonly ageSeconds: number;
  /** What the connection waits for: the peer, the network or the application. */
  readonly waitsFor: string;
  readonly srttMs: number;
  readonly rtoMs: number;
  readonly cwnd: number;
  readonly ssthresh: number;
  readonly unacknowledged: number;
  readonly flightSize: number;
  readonly sendMss: number;
  readonly sendWindow: number;
  readonly receiveWindow: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly segmentsIn: number;
  readonly segmentsOut: number;
  readonly retransmits: number;
  readonly outOfOrder: number;
}

/** An update of `/live`. */
export interface Update {
  /** The time in milliseconds. */
  readonly time: number;
  readonly ready: { readonly ready: boolean; readonly reason?: string };
  readonly stats: Readonly<Record<string, number>>;
  /** Connections that match the filter. */
  readonly total: number;
  readonly connections: readonly Row[];
  readonly watched?: Row | null;
}

/** An address and port. */
export interface Address {
  readonly hostname: string;
  readonly port: number;
}

/** The answer of `/listeners`. */
export interface Listeners {
  readonly listen: readonly { readonly where: string; readonly plugins: readonly string[] }[];
  readonly publish: readonly {
    readonly transport: string;
    readonly address: Address;
    readonly to: Address;
  }[];
}

/** The answer of `/upstreams`. */
export interface Upstreams {
  readonly upstreams: readonly {
    readonly upstream: string;
    readonly up: boolean;
    readonly open: number;
    readonly failures: number;
    readonly connectMs: number | null;
  }[];
}

/** Thrown when the session is not valid or has ended. */
export class SignedOut extends Error {}

const STORED = "berth session";

/** Sends requests with the session's token. The token is stored for this tab only (`sessionStorage`). */
export class Api {
  #session: string | null = sessionStorage.getItem(STORED);

  get hasSession(): boolean {
    return this.#session !== null;
  }

  /** @throws {Error} The text is neither the token nor a valid key. */
  async signIn(tokenOrKey: string): Promise<void> {
    const answer = await fetch("/session", { method: "POST", body: tokenOrKey });
    const { session, error } = await answer.json();
    if (!answer.ok) throw new Error(error);
    this.#session = session;
    sessionStorage.setItem(STORED, session);
  }

  async signOut(): Promise<void> {
    await this.ask("DELETE", "/session").catch(() => {});
    this.forget();
  }

  /** Forgets the session, as after a restart of the service. */
  forget(): void {
    this.#session = null;
    sessionStorage.removeItem(STORED);
  }

  /** @throws {Error} The error of the service, or that it cannot be reached. */
  async ask<T>(method: string, path: string): Promise<T> {
    const answer = await this.send(method, path);
    return await answer.json();
  }

  /** @throws {SignedOut | Error} */
  async send(method: string, path: string, signal?: AbortSignal): Promise<Response> {
    const answer = await fetch(path, {
      method,
      headers: { Authorization: `Bearer ${this.#session}` },
      ...signal && { signal },
    });
    if (answer.status === 401) throw new SignedOut("the session has ended");
    if (!answer.ok) {
      const { error } = await answer.json().catch(() => ({ error: undefined }));
      throw new Error(error ?? `${method} ${path}: status ${answer.status}`);
    }
    return answer;
  }

  /** Passes on each event of a stream until it ends or is aborted. */
  async follow(path: string, signal: AbortSignal, take: (data: unknown) => void): Promise<void> {
    const answer = await this.send("GET", path, signal);
    await readEvents(answer, take);
  }
}
