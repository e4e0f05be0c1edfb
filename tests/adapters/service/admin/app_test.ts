import { describe, expect, test } from "bun:test";
import { adminApp, type AdminTarget } from "../../../../adapters/service/admin/app.ts";
import { rowOf, selectConnections } from "../../../../adapters/service/admin/connections.ts";
import { EventHub } from "../../../../adapters/service/admin/event_hub.ts";
import { LiveUpdates } from "../../../../adapters/service/dashboard/live.ts";
import { Sessions } from "../../../../adapters/service/dashboard/sessions.ts";
import { UsageError } from "../../../../adapters/service/errors.ts";
import type { Settings } from "../../../../adapters/service/settings/settings.ts";
import { silentLogger, systemClock, systemRandom } from "../../../../core/api/environment.ts";
import { fakeConnection } from "../../../support/fake_connection.ts";

const TOKEN = "0123456789abcdef";

const OPEN = [
  fakeConnection({ port: 1, plugin: "echo", stats: { bytesIn: 5 } }),
  fakeConnection({ port: 2, plugin: "http", stats: { bytesIn: 50 } }),
  fakeConnection({ port: 3, plugin: "echo", stats: { bytesIn: 9 } }),
];

const SETTINGS = {
  listen: [{
    where: "80",
    plugin: "http:./app.ts",
    before: [{ plugin: "limit:5" }],
    options: { users: { me: "a password" } },
  }],
  admin: { listen: { path: "/run/berth.sock" }, token: TOKEN },
} as unknown as Settings;

/** The API for a service that records its calls. */
const pauseMs = { p50: 1, p99: 2, max: 3 };

function admin(options: Parameters<typeof adminApp>[1] = {}) {
  const did: string[] = [];
  const events = new EventHub();
  const changes = { did: "changed" } as unknown as ReturnType<AdminTarget["reload"]>;
  let isReloading = false;
  let hasLogFile = true;
  const target: AdminTarget = {
    service: {
      settings: SETTINGS,
      published: [{
        address: { hostname: "127.0.0.1", port: 8080 },
        to: { hostname: "10.7.0.2", port: 80 },
      }],
      select: (selection) => selectConnections(OPEN, selection),
      connection: (id) => Promise.resolve(OPEN.map(rowOf).find((row) => row.id === id)),
      reset: (id) => Promise.resolve(did.push(`reset ${id}`) > 0 && id === "a b"),
      open: () => Promise.resolve(new ReadableStream()),
      stopCapture: (id) => Promise.resolve(did.push(`stop ${id}`) > 0 && id === "a b"),
      impair: (replacement) => Promise.resolve(replacement ?? {}),
      metrics: () => Promise.resolve([]),
      stats: () => Promise.resolve({ packetsIn: 7 }),
      get state() {
        return did.includes("drain") ? "draining" as const : "serving" as const;
      },
      drain: () => Promise.resolve(void did.push("drain")),
      moveTo(to) {
        did.push(`move to ${to}`);
        return Promise.resolve({ moved: 2, stayed: 1, reasons: { "busy": 1 }, pauseMs, lost: 0 });
      },
      rebalance(to, count) {
        did.push(`move ${count} to ${to}`);
        return Promise.resolve({ moved: 2, stayed: 1, reasons: {}, pauseMs, lost: 0 });
      },
    },
    isReloading: () => isReloading,
    upgradeState: () => did.includes("upgrade") ? "retired" : "serving",
    upgrade(limitMs) {
      if (limitMs === 1) throw new UsageError("the link cannot be shared");
      did.push("upgrade");
      return Promise.resolve({ pid: 7, connections: 3 });
    },
    reload: () => Promise.resolve(changes),
    use(text) {
      if (text.includes("faulty")) throw new UsageError("PUT /config:1:1: faulty");
      did.push(text);
      return Promise.resolve(changes);
    },
    metrics: (names = "berth" as never) => Promise.resolve(`names of ${names}\n`),
    reopen: () => did.push("reopen") > 0 && hasLogFile,
    log: { level: "info" },
    events,
    live: new LiveUpdates(systemClock),
    sessions: new Sessions(systemClock, systemRandom),
  };
  const app = adminApp(target, options);
  const send = async (method: string, path: string, init: RequestInit = {}) => {
    const answer = await app.request(`http://localhost${path}`, { method, ...init });
    return { status: answer.status, body: await answer.json() as Record<string, unknown> };
  };
  return {
    app,
    did,
    events,
    target,
    send,
    reloading: (on: boolean) => isReloading = on,
    logToStderr: () => hasLogFile = false,
  };
}

const JSON_BODY = { "Content-Type": "application/json" };

describe("the admin API", () => {
  // With the setting, the answer is text for Prometheus; without it, the answer says how to turn metrics on.
  test("serves metrics if they are on", async () => {
    const { app, target } = admin();
    const off = await app.request("http://localhost/metrics");
    expect(off.status).toBe(404);
    expect((await off.json() as { error: string }).error).toContain("--metrics on");
    (target.service as { settings: Settings }).settings = { ...SETTINGS, metrics: true };
    const text = await app.request("http://localhost/metrics");
    expect(text.headers.get("content-type")).toBe("text/plain; version=0.0.4; charset=utf-8");
    expect(await text.text()).toBe("names of berth\n");
    const other = await app.request("http://localhost/metrics?names=node_exporter");
    expect(await other.text()).toBe("names of node_exporter\n");
    expect((await app.request("http://localhost/metrics?names=x")).status).toBe(400);
  });

  // The log file is reopened after it was renamed; without a file the answer is 404.
  test("opens the log file again", async () => {
    const { send, did, logToStderr } = admin();
    expect(await send("POST", "/reopen")).toEqual({ status: 200, body: { reopened: true } });
    expect(did).toEqual(["reopen"]);
    logToStderr();
    expect((await send("POST", "/reopen")).status).toBe(404);
  });

  // `moveTo` drains once the other service has answered.
  test("drains to another service", async () => {
    const { send, did } = admin();
    const place = encodeURIComponent("unix:/run/other.sock");
    const { status, body } = await send("POST", `/drain?to=${place}`);
    expect(status).toBe(200);
    expect(body).toMatchObject({ connections: 3, moved: 2, stayed: 1, lost: 0 });
    expect(did).toEqual(["move to unix:/run/other.sock"]);
    expect((await send("POST", "/drain?to=")).status).toBe(400);
    expect((await send("POST", "/drain?for=x")).status).toBe(400);
    expect(did.length).toBe(1);
  });

  // A number, or a share of the three connections, rounded up; nothing is drained.
  test("moves some of the connections to a peer", async () => {
    const { send, did } = admin();
    const ask = (query: string) => send("POST", `/rebalance?to=10.2.0.11:7947${query}`);
    const { status, body } = await ask("&count=2");
    expect(status).toBe(200);
    expect(body).toMatchObject({ connections: 3, moved: 2, stayed: 1, lost: 0 });
    expect((await ask("&share=0.25")).status).toBe(200);
    expect((await ask("&share=1")).status).toBe(200);
    const [one, three] = [1, 3].map((count) => `move ${count} to 10.2.0.11:7947`);
    expect(did).toEqual(["move 2 to 10.2.0.11:7947", one!, three!]);
    for (
      const query of ["", "&count=0", "&count=-1", "&share=0", "&share=1.5", "&count=1&share=1"]
    ) {
      expect((await ask(query)).status).toBe(400);
    }
    expect((await send("POST", "/rebalance?count=1")).status).toBe(400);
    expect(did.length).toBe(3);
  });

  // /livez always answers 200; /readyz does unless the service is reloading or draining.
  test("says whether the service is ready", async () => {
    const { send, reloading, did } = admin();
    expect(await send("GET", "/livez")).toEqual({ status: 200, body: { ok: true } });
    expect(await send("GET", "/readyz")).toEqual({ status: 200, body: { ready: true } });
    reloading(true);
    expect(await send("GET", "/readyz"))
      .toEqual({ status: 503, body: { ready: false, reason: "reloading" } });
    reloading(false);
    expect(await send("POST", "/drain")).toEqual({ status: 200, body: { connections: 3 } });
    expect(did).toEqual(["drain"]);
    expect((await send("GET", "/readyz")).body).toEqual({ ready: false, reason: "draining" });
    expect((await send("GET", "/livez")).status).toBe(200);
  });

  // The options of plugins may contain passwords, and the settings the token.
  test("shows the configuration without secrets", async () => {
    const { app, send } = admin();
    const text = await (await app.request("http://localhost/config")).text();
    expect(text).not.toContain(TOKEN);
    expect(text).not.toContain("a password");
    expect((await send("GET", "/config")).body).toMatchObject({
      listen: [{ where: "80", options: { users: "(hidden)" } }],
      admin: { token: "(hidden)" },
    });
    expect((await send("GET", "/listeners")).body).toEqual({
      listen: [{ where: "80", plugins: ["limit:5", "http:./app.ts"] }],
      publish: [{
        transport: "tcp",
        address: { hostname: "127.0.0.1", port: 8080 },
        to: { hostname: "10.7.0.2", port: 80 },
      }],
    });
  });

  // A body that cannot be used changes nothing, and the answer says what is wrong with it.
  test("changes the configuration", async () => {
    const { send, did } = admin();
    const put = (body: string, headers: Record<string, string> = JSON_BODY) =>
      send("PUT", "/config", { body, headers });
    expect(await put("{}")).toEqual({ status: 200, body: { did: "changed" } });
    expect(await put("faulty"))
      .toEqual({ status: 422, body: { error: "PUT /config:1:1: faulty" } });
    expect((await put("{}", { "Content-Type": "text/plain" })).status).toBe(415);
    expect((await put(" ".repeat(1024 * 1024 + 1))).status).toBe(413);
    expect((await send("POST", "/reload")).status).toBe(200);
    expect(did).toEqual(["{}"]);
  });

  // The time limit is passed on; afterwards another process is ready.
  test("replaces the process", async () => {
    const { send, did } = admin();
    expect((await send("POST", "/upgrade?limitMs=0")).status).toBe(400);
    expect(await send("POST", "/upgrade?limitMs=1"))
      .toEqual({ status: 422, body: { error: "the link cannot be shared" } });
    expect(await send("POST", "/upgrade"))
      .toEqual({ status: 200, body: { pid: 7, connections: 3 } });
    expect(did).toEqual(["upgrade"]);
    expect((await send("GET", "/readyz")).body).toEqual({ ready: false, reason: "retired" });
  });

  test("lists connections: filtered, sorted, in pages", async () => {
    const { send } = admin();
    const ids = async (query: string) => {
      const { body } = await send("GET", `/connections${query}`);
      const rows = body["connections"] as { remote: string }[];
      return [body["total"], ...rows.map(({ remote }) => remote.replace(/^.*:/, ""))];
    };
    expect(await ids("")).toEqual([3, "1", "2", "3"]);
    expect(await ids("?filter=echo")).toEqual([2, "1", "3"]);
    expect(await ids("?sort=-bytesIn")).toEqual([3, "2", "3", "1"]);
    expect(await ids("?sort=bytesIn&limit=1&offset=1")).toEqual([3, "3"]);
    expect(await send("GET", "/connections?limit=x&page=2")).toMatchObject({ status: 400 });
  });

  // The ID is part of the path, encoded.
  test("resets a connection", async () => {
    const { send } = admin();
    expect(await send("DELETE", "/connections/a%20b"))
      .toEqual({ status: 200, body: { reset: "a b" } });
    expect((await send("DELETE", "/connections/c")).status).toBe(404);
  });

  test("shows a connection", async () => {
    const { send } = admin();
    const id = "10.0.0.1:80-10.0.0.2:2";
    const { body } = await send("GET", `/connections/${id}`);
    expect(body).toMatchObject({ id, plugin: "http", bytesIn: 50, state: "ESTABLISHED" });
    expect((await send("GET", "/connections/c")).status).toBe(404);
  });

  test("shows and changes the level of the log", async () => {
    const { send, target } = admin();
    const put = (body: string) => send("PUT", "/log-level", { body, headers: JSON_BODY });
    expect((await put(`{"level":"debug"}${" ".repeat(20_000)}`)).status).toBe(413);
    expect((await put('{"level":"debug"}')).status).toBe(200);
    expect([target.log.level, (await send("GET", "/log-level")).body])
      .toEqual(["debug", { level: "debug" }]);
    expect((await put('{"level":"loud"}')).status).toBe(400);
    expect((await send("GET", "/stats")).body).toEqual({ packetsIn: 7 });
  });

  // The document has every route, and no route that does not exist.
  test("describes itself", async () => {
    const { app, send, target } = admin();
    (target.service as { settings: Settings }).settings = { ...SETTINGS, metrics: true };
    const { body } = await send("GET", "/openapi.json");
    const paths = body["paths"] as Record<string, Record<string, unknown>>;
    expect(Object.keys(paths)).toEqual(
      ("/livez /readyz /config /reload /upgrade /listeners /connections /live /upstreams /connections/{id} " +
        "/connections/next/events /connections/{id}/events /capture /capture/{id} /impair /stats /metrics /drain /rebalance /reopen /log-level " +
        "/events")
        .split(" "),
    );
    for (const [path, methods] of Object.entries(paths)) {
      for (const method of Object.keys(methods)) {
        const id = method === "get" ? "10.0.0.1:80-10.0.0.2:2" : "a%20b";
        const url = `http://localhost${path.replace("{id}", id)}`;
        const answer = await app.request(url, { method: method.toUpperCase() });
        expect([path, answer.status]).not.toEqual([path, 404]);
        await answer.body?.cancel();
      }
    }
    expect((await send("GET", "/nothing")).body["error"]).toContain("/openapi.json");
  });
});

describe("/events", () => {
  // The lines of the log as server-sent events, while the client reads.
  test("streams log lines", async () => {
    const { app, events } = admin();
    const log = events.wrap(silentLogger);
    log.info("before");
    const { body } = await app.request("http://localhost/events");
    const reader = body!.pipeThrough(new TextDecoderStream()).getReader();
    expect((await reader.read()).value).toBe(": the log from now on\n\n");
    log.info("connection", { port: 80, token: TOKEN, reason: "a\x9b2J" });
    const { value } = await reader.read();
    expect(value).toContain("a\\u009b2J");
    expect(value).toMatch(/^event: log\ndata: \{.*"message":"connection","fields":\{"port":80,/);
    expect(value).not.toContain(TOKEN);
    await reader.cancel();
    expect(events.followers).toBe(0);
  });

  // A viewer that stops reading holds at most 1,000 lines; it is told how many it has missed.
  test("holds a bounded number of lines for a client that does not read", async () => {
    const events = new EventHub();
    const log = events.wrap(silentLogger);
    const follower = events.follow()!;
    for (let i = 0; i < 5000; i++) log.info(`line ${i}`);
    expect(follower.waiting).toBe(1000);
    expect(await follower.next()).toMatchObject({ event: { message: "line 4000" }, dropped: 4000 });
    expect(await follower.next()).toMatchObject({ event: { message: "line 4001" }, dropped: 0 });
  });

  test("has a bounded number of clients", async () => {
    const { app, events } = admin();
    const answers = [];
    for (let i = 0; i < 17; i++) answers.push(await app.request("http://localhost/events"));
    expect(answers.map(({ status }) => status)).toEqual([...Array(16).fill(200), 503]);
    events.close();
  });
});

describe("requests of web pages", () => {
  // Requests that a browser sends for a page of another origin, for a form, and after DNS rebinding.
  const requests: readonly [string, string, Record<string, string>][] = [
    ["of another origin", "/livez", { Origin: "https://evil.test" }],
    ["of a sandboxed page", "/livez", { Origin: "null" }],
    ["without Origin, such as images", "/config", { "Sec-Fetch-Site": "cross-site" }],
    ["of a page that a name was rebound for", "/livez", { Host: "evil.test" }],
    ["with a port behind such a name", "/livez", { Host: "evil.test:9000" }],
    ["to another address", "/livez", { Host: "192.0.2.1" }],
  ];
  test.each(requests)("%s are refused", async (_, path, headers) => {
    const { send, did } = admin({ hosts: ["admin.example.com"] });
    expect((await send("GET", path, { headers })).status).toBe(403);
    expect((await send("POST", "/drain", { headers })).status).toBe(403);
    expect(did).toEqual([]);
  });

  // Rebinding needs a name, so any address is accepted if the token is required, and so are listed names.
  test.each([
    ["192.0.2.1", 200],
    ["192.0.2.1:9000", 200],
    ["[2001:db8::1]:9000", 200],
    ["Admin.example.com:9000", 200],
    ["localhost:9000", 200],
    ["evil.test:9000", 403],
    ["192.0.2.1.evil.test", 403],
    ["admin.example.com.evil.test", 403],
    ["1.2.3", 403],
    ["[2001:db8::1", 403],
    ["", 403],
  ])("are told from others by the Host %j", async (host, status) => {
    const { send } = admin({ token: TOKEN, hosts: ["admin.example.com"] });
    const headers = { Host: host, Authorization: `Bearer ${TOKEN}` };
    const answer = await send("GET", "/livez", { headers });
    expect(answer.status).toBe(status);
    if (status === 403) expect(answer.body["error"]).toContain('admin: { "hosts": ["NAME"] }');
    const without = await send("GET", "/livez", { headers: { Host: host } });
    expect(without.status).toBe(status === 200 ? 401 : 403);
  });

  // A preflight gets no permission, so that a page cannot send JSON or DELETE either.
  test("are given no permission by a preflight", async () => {
    const { app } = admin();
    const answer = await app.request("http://localhost/config", {
      method: "OPTIONS",
      headers: { "Origin": "https://evil.test", "Access-Control-Request-Method": "PUT" },
    });
    expect(answer.status).toBe(403);
    expect([...answer.headers.keys()].filter((name) => name.startsWith("access-control")))
      .toEqual([]);
  });
});

describe("the token", () => {
  // Every path requires it, even /livez and a path that does not exist.
  test("is required", async () => {
    const { send } = admin({ token: TOKEN });
    const get = async (path: string, authorization?: string) => {
      const headers = authorization === undefined ? {} : { Authorization: authorization };
      return (await send("GET", path, { headers })).status;
    };
    for (const path of ["/livez", "/config", "/openapi.json", "/nothing"]) {
      expect(await get(path)).toBe(401);
      expect(await get(path, "Bearer 0123456789abcdeX")).toBe(401);
      expect(await get(path, TOKEN)).toBe(401);
    }
    expect(await get("/livez", `Bearer ${TOKEN}`)).toBe(200);
  });
});
