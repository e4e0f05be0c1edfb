/**
 * A dashboard whose service is two stacks with traffic between them, or a list of connections.
 *
 * @module
 */
import { adminApp, type AdminTarget } from "../../adapters/service/admin/app.ts";
import { rowOf, selectConnections } from "../../adapters/service/admin/connections.ts";
import { EventHub } from "../../adapters/service/admin/event_hub.ts";
import { listenForAdmin } from "../../adapters/service/admin/listen.ts";
import { LiveUpdates } from "../../adapters/service/dashboard/live.ts";
import { Sessions } from "../../adapters/service/dashboard/sessions.ts";
import type { Settings } from "../../adapters/service/settings/settings.ts";
import { type Clock, systemClock, systemRandom } from "../../core/api/environment.ts";
import type { OpenConnection } from "../../core/api/types.ts";

/** The token of the API. */
export const DASHBOARD_TOKEN = "a token for the tests";

/** The stacks or connections of the service of a {@link TestDashboard}. */
export interface DashboardSource {
  connections(): readonly OpenConnection[];
  stats(): Readonly<Record<string, number>>;
}

/** Options of a {@link TestDashboard}. */
export interface DashboardOptions {
  /** The clock for updates. */
  readonly clock?: Clock;
  /** A Unix socket instead of a port; without a port there is no page. */
  readonly socket?: string;
}

/** A dashboard at a port of the loopback. */
export class TestDashboard implements AsyncDisposable {
  /** The origin of the page, without a path. */
  readonly origin: string;
  /** The requests that the service has received. */
  readonly did: readonly string[];
  readonly live: LiveUpdates;
  /** Followers of the log. */
  readonly events: EventHub;
  readonly #close: () => Promise<void>;

  private constructor(
    origin: string,
    did: readonly string[],
    live: LiveUpdates,
    events: EventHub,
    close: () => Promise<void>,
  ) {
    this.origin = origin;
    this.did = did;
    this.live = live;
    this.events = events;
    this.#close = close;
  }

  /** Serves a dashboard. */
  static async open(
    { connections, stats }: DashboardSource,
    { clock = systemClock, socket }: DashboardOptions = {},
  ): Promise<TestDashboard> {
    const did: string[] = [];
    const live = new LiveUpdates(clock);
    const events = new EventHub();
    let state: "serving" | "draining" = "serving";
    const settings = {
      listen: [
        { where: "80", plugin: "http:./app.ts", before: [{ plugin: "limit:100" }] },
        { where: "7", plugin: "echo" },
        { where: "udp/53", plugin: "dns" },
        { where: "10.7.1.0/24:8000-8999", plugin: "forward:127.0.0.1:3000" },
      ],
    } as unknown as Settings;
    const nothing = { added: [], removed: [], changed: [] };
    const changes = { listen: { ...nothing, changed: ["80"] }, publish: nothing };
    const target: AdminTarget = {
      sessions: new Sessions(systemClock, systemRandom),
      upgradeState: () => "serving",
      upgrade: () => Promise.resolve({ pid: 1, connections: 0 }),
      service: {
        settings,
        get state() {
          return state;
        },
        published: [{
          address: { hostname: "127.0.0.1", port: 8080 },
          to: { hostname: "10.7.0.2", port: 80 },
        }],
        select: (selection) => selectConnections(connections(), selection),
        connection(id) {
          const found = connections().map(rowOf).find((row) => row.id === id);
          return Promise.resolve(found);
        },
        metrics: () => Promise.resolve([]),
        reset: (id) => Promise.resolve(did.push(`reset ${id}`) > 0),
        open: () => Promise.resolve(undefined),
        stopCapture: () => Promise.resolve(false),
        impair: () => Promise.resolve({}),
        stats: () => Promise.resolve(stats()),
        moveTo: () => Promise.reject(new Error("not here")),
        rebalance: () => Promise.reject(new Error("not here")),
        drain() {
          did.push("drain");
          state = "draining";
          return Promise.resolve();
        },
      },
      metrics: () => Promise.resolve(""),
      reopen: () => false,
      isReloading: () => false,
      reload: () => Promise.resolve((did.push("reload"), changes as never)),
      use: () => Promise.reject(new Error("no configuration")),
      log: { level: "info" },
      events,
      live,
    };
    const app = adminApp(target, { token: DASHBOARD_TOKEN });
    const where = socket === undefined ? { hostname: "127.0.0.1", port: 0 } : { path: socket };
    const { close, port } = await listenForAdmin(where, app.fetch);
    const origin = port === undefined ? "http://localhost" : `http://127.0.0.1:${port}`;
    return new TestDashboard(origin, did, live, events, close);
  }

  /** A URL that signs in. */
  async url(): Promise<string> {
    const answer = await fetch(`${this.origin}/session/key`, {
      method: "POST",
      headers: { Authorization: `Bearer ${DASHBOARD_TOKEN}` },
    });
    const { key } = await answer.json();
    return `${this.origin}/#key=${key}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.live.close();
    await this.#close();
  }
}
