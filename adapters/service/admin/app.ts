/**
 * The admin API as an application.
 *
 * @module
 */
import { Hono } from "hono";
import { z } from "zod";
import { LOG_LEVELS, type LogLevel } from "../log/logger.ts";
import { messageLine, UsageError } from "../errors.ts";
import type { Changes } from "../reload/changes.ts";
import type { LiveUpdates } from "../dashboard/live.ts";
import type { Sessions } from "../dashboard/sessions.ts";
import { liveRoute } from "../dashboard/live_route.ts";
import { dashboardRoutes } from "../dashboard/routes.ts";
import { upstreamsRoute } from "../dashboard/upstreams.ts";
import { printableJson } from "../printable.ts";
import type { Service } from "../service.ts";
import { selectionSchema } from "./connections.ts";
import { captureRoutes } from "./capture_routes.ts";
import { eventLogRoutes } from "./event_log_route.ts";
import type { Upgraded, Upgrader } from "../upgrade/upgrader.ts";
import type { EventHub, Follower } from "./event_hub.ts";
import { guard, type GuardOptions } from "./guard.ts";
import { impairRoutes } from "./impair_routes.ts";
import { openApi } from "./open_api.ts";
import { redact } from "./redact.ts";
import * as answers from "./answers.ts";
import { bodyOf, EVENT_STREAM, jsonOf, queryOf, type Route } from "./route.ts";

/** The parts of the service that the API uses. */
export interface AdminTarget {
  readonly service: Pick<
    Service,
    | "settings"
    | "published"
    | "select"
    | "connection"
    | "reset"
    | "open"
    | "stopCapture"
    | "metrics"
    | "impair"
    | "stats"
    | "state"
    | "drain"
    | "moveTo"
    | "rebalance"
  >;
  /** Whether a reload is in progress. */
  readonly isReloading: () => boolean;
  /** Whether an upgrade is in progress, or another process serves after one. */
  readonly upgradeState: () => Upgrader["state"];
  /** Reads the configuration file again. */
  reload(): Promise<Changes>;
  /** Replaces the process with a new one, within a time limit in milliseconds. */
  upgrade(limitMs?: number): Promise<Upgraded>;
  /** Changes to the configuration in `text`, which has the syntax of the configuration file. */
  use(text: string): Promise<Changes>;
  /** The metrics as text, with the names of berth or of node_exporter. */
  metrics(names?: "node_exporter"): Promise<string>;
  /** Opens the log file again; returns false if there is none. */
  reopen(): boolean;
  readonly log: { level: LogLevel };
  readonly events: EventHub;
  readonly live: LiveUpdates;
  /** The sessions of dashboard pages that have signed in. */
  readonly sessions: Sessions;
}

/** Maximum size of a configuration for `PUT /config`, in bytes. */
const MAX_CONFIG = 1024 * 1024;
/** Maximum time limit for the start of a new process, in milliseconds. */
const MAX_START_MS = 600_000;
/** Maximum number of rows in an answer of `/connections`. */
const MAX_ROWS = 10_000;

const selection = selectionSchema(MAX_ROWS, 100);
const limit = z.string().regex(/^\d{1,6}$/).transform(Number)
  .refine((ms) => ms >= 1 && ms <= MAX_START_MS).optional();
const drainQuery = z.strictObject({ to: z.string().min(1).optional() });
const rebalanceQuery = z.strictObject({
  to: z.string().min(1),
  count: z.string().regex(/^\d{1,7}$/).transform(Number).refine((count) => count > 0).optional(),
  share: z.string().regex(/^(0?\.\d{1,6}|1(\.0{1,6})?)$/).transform(Number)
    .refine((share) => share > 0).optional(),
}).refine(({ count, share }) => (count === undefined) !== (share === undefined), {
  error: "expected either count or share",
});

/** Creates the application. Responses are JSON; an error is `{ "error": MESSAGE }`. */
export function adminApp(
  target: AdminTarget,
  options: Omit<GuardOptions, "dashboard"> = {},
): Hono {
  const app = new Hono();
  const dashboard = options.token === undefined
    ? undefined
    : dashboardRoutes(options.token, target.sessions);
  app.use(guard({ ...options, dashboard: dashboard?.access }));
  if (dashboard !== undefined) app.route("/", dashboard.routes);
  const routes = routesOf(target);
  let document: object | undefined;
  app.get("/openapi.json", (c) => c.json(document ??= openApi(routes)));
  for (const { method, path, handle } of routes) {
    app.on(method, path.replace("{id}", ":id"), handle);
  }
  app.notFound((c) =>
    c.json({ error: `there is no ${c.req.method} ${c.req.path}; see /openapi.json` }, 404)
  );
  app.onError((error, c) => {
    if (error instanceof UsageError) return c.json({ error: error.message }, 422);
    return c.json({ error: messageLine(error) }, 500);
  });
  return app;
}

function routesOf(target: AdminTarget): Route[] {
  const { service, events, log } = target;
  const readiness = () => {
    const reason = service.state !== "serving"
      ? service.state
      : target.upgradeState() === "retired"
      ? "retired"
      : target.isReloading()
      ? "reloading"
      : "serving";
    return reason === "serving" ? { ready: true } : { ready: false, reason };
  };
  return [
    {
      method: "GET",
      path: "/livez",
      answers: { 200: answers.livez },
      summary: "Answers as long as the process is running",
      handle: (c) => c.json({ ok: true }),
    },
    {
      method: "GET",
      path: "/readyz",
      answers: { 200: answers.ready, 503: answers.notReady },
      summary:
        "503 while the service is joining its peers, a lame duck, draining, reloading or replaced by a newer process",
      handle(c) {
        const answer = readiness();
        return c.json(answer, answer.ready ? 200 : 503);
      },
    },
    {
      method: "GET",
      path: "/config",
      answers: { 200: answers.config },
      summary: "The settings in use, without secrets",
      handle: (c) => c.json(redact(service.settings) as object),
    },
    {
      method: "PUT",
      path: "/config",
      answers: { 200: answers.changes },
      summary:
        "Changes to the configuration in the body, with the syntax of the file; 422 if it cannot be used",
      body: "application/json",
      async handle(c) {
        if (!/^application\/json\b/i.test(c.req.header("content-type") ?? "")) {
          return c.json({ error: "expected Content-Type: application/json" }, 415);
        }
        const text = await bodyOf(c, MAX_CONFIG);
        if (text instanceof Response) return text;
        return c.json(await target.use(text));
      },
    },
    {
      method: "POST",
      path: "/reload",
      answers: { 200: answers.changes },
      summary: "Reads the configuration file again; 422 if it cannot be used",
      handle: async (c) => c.json(await target.reload()),
    },
    {
      method: "POST",
      path: "/upgrade",
      answers: { 200: answers.upgraded },
      summary:
        "Replaces the process with a new one with the same arguments, which reads code and configuration again; connections continue in the old one. 422 if that is not possible",
      query: {
        limitMs: "milliseconds that the new process has to start, 60000 if absent",
      },
      async handle(c) {
        const checked = limit.safeParse(c.req.query("limitMs"));
        if (checked.success) return c.json(await target.upgrade(checked.data));
        return c.json({ error: "limitMs: expected milliseconds, 1 to 600000" }, 400);
      },
    },
    {
      method: "GET",
      path: "/listeners",
      answers: { 200: answers.listeners },
      summary: "Listen addresses with their plugins, and published ports",
      handle: (c) =>
        c.json({
          listen: service.settings.listen.map(({ where, plugin, before = [] }) => ({
            where,
            plugins: [...before.map((each) => each.plugin), plugin].map((name) => redact(name)),
          })),
          publish: service.published.map(({ address, to, transport = "tcp" }) => ({
            transport,
            address,
            to,
          })),
        }),
    },
    {
      method: "GET",
      path: "/connections",
      answers: { 200: answers.connections },
      summary: "Open connections with their statistics",
      query: {
        filter: "text that occurs in a field",
        sort: "a field; with - in front the largest come first",
        limit: `number of connections, 100 if absent, at most ${MAX_ROWS}`,
        offset: "number of connections before them",
      },
      async handle(c) {
        const checked = queryOf(c, selection);
        return checked instanceof Response ? checked : c.json(await service.select(checked));
      },
    },
    liveRoute({ ...target, readiness }),
    upstreamsRoute(service),
    {
      method: "GET",
      path: "/connections/{id}",
      answers: { 200: answers.connection },
      summary: "A connection with its statistics",
      async handle(c) {
        const id = c.req.param("id") ?? "";
        const found = await service.connection(id);
        return found === undefined
          ? c.json({ error: `there is no connection ${id}` }, 404)
          : c.json(found);
      },
    },
    {
      method: "DELETE",
      path: "/connections/{id}",
      answers: { 200: answers.reset },
      summary: "Resets a connection",
      async handle(c) {
        const id = c.req.param("id") ?? "";
        if (await service.reset(id)) return c.json({ reset: id });
        return c.json({ error: `there is no connection ${id}` }, 404);
      },
    },
    ...eventLogRoutes(service),
    ...captureRoutes(service),
    ...impairRoutes(service),
    {
      method: "GET",
      path: "/stats",
      answers: { 200: answers.stats },
      summary: "Counters of the stack",
      handle: async (c) => c.json(await service.stats()),
    },
    {
      method: "GET",
      path: "/metrics",
      answers: { 200: ["text/plain"] },
      summary: "Metrics for Prometheus, as text; 404 unless the setting metrics is true",
      query: {
        names: "node_exporter: counters of TCP, IP, UDP and ICMP by the names of node_exporter",
      },
      async handle(c) {
        const names = c.req.query("names");
        if (names !== undefined && names !== "node_exporter") {
          return c.json({ error: `names: expected node_exporter, got ${names}` }, 400);
        }
        if (!service.settings.metrics) {
          return c.json({
            error: 'metrics are off: set "metrics": true, or start with --metrics on',
          }, 404);
        }
        return c.body(await target.metrics(names), 200, {
          "Content-Type": "text/plain; version=0.0.4; charset=utf-8",
        });
      },
    },
    {
      method: "POST",
      path: "/drain",
      answers: { 200: answers.drained },
      summary:
        "Stops accepting connections after lameDuckMs; open ones continue until they end. It cannot be undone",
      query: { to: "unix:PATH or HOST:PORT of another service, which the connections move to" },
      async handle(c) {
        const checked = queryOf(c, drainQuery);
        if (checked instanceof Response) return checked;
        const { to } = checked;
        const moves = to === undefined ? await service.drain() : await service.moveTo(to);
        const { total } = await service.select({ limit: 0, offset: 0 });
        return c.json({ connections: total, ...moves });
      },
    },
    {
      method: "POST",
      path: "/rebalance",
      answers: { 200: answers.rebalanced },
      summary: "Moves some of the connections to a peer, and continues to serve",
      query: {
        to: "unix:PATH or HOST:PORT of the peer, its setting moves.listen",
        count: "number of connections",
        share: "instead of count: a part of all connections, more than 0, at most 1",
      },
      async handle(c) {
        const checked = queryOf(c, rebalanceQuery);
        if (checked instanceof Response) return checked;
        const { to, count, share = 0 } = checked;
        const { total } = await service.select({ limit: 0, offset: 0 });
        const moves = await service.rebalance(to, count ?? Math.ceil(share * total));
        const { total: left } = await service.select({ limit: 0, offset: 0 });
        return c.json({ connections: left, ...moves });
      },
    },
    {
      method: "POST",
      path: "/reopen",
      answers: { 200: answers.reopened },
      summary: "Reopens the log file, after another program has renamed it; 404 without one",
      handle: (c) =>
        target.reopen()
          ? c.json({ reopened: true })
          : c.json({ error: "there is no log file: the log goes to stderr" }, 404),
    },
    {
      method: "GET",
      path: "/log-level",
      answers: { 200: answers.logLevel },
      summary: "The least severe level that is logged",
      handle: (c) => c.json({ level: log.level }),
    },
    {
      method: "PUT",
      path: "/log-level",
      answers: { 200: answers.logLevel },
      summary: "Changes the log level until the next reload that changes logLevel",
      body: "application/json",
      async handle(c) {
        const given = await jsonOf(c);
        if (given instanceof Response) return given;
        const checked = answers.logLevel.safeParse(given);
        if (!checked.success) {
          return c.json(
            { error: `expected {"level": "info"}, one of ${LOG_LEVELS.join(", ")}` },
            400,
          );
        }
        log.level = checked.data.level;
        return c.json({ level: log.level });
      },
    },
    {
      method: "GET",
      path: "/events",
      answers: { 200: ["text/event-stream"] },
      summary: "Log lines from now on, as server-sent events",
      handle(c) {
        const follower = events.follow();
        if (follower === undefined) {
          return c.json({ error: "too many clients follow the events" }, 503);
        }
        c.req.raw.signal.addEventListener("abort", () => follower.close());
        return new Response(eventStream(follower), { headers: EVENT_STREAM });
      },
    },
  ];
}

/**
 * The stream pulls one line at a time. Lines that a slow reader has not taken wait in the follower, which is bounded.
 */
function eventStream(follower: Follower): ReadableStream<Uint8Array> {
  const encode = (text: string) => new TextEncoder().encode(text);
  return new ReadableStream({
    start: (controller) => controller.enqueue(encode(": the log from now on\n\n")),
    async pull(controller) {
      const next = await follower.next();
      if (next === undefined) return controller.close();
      const dropped = next.dropped > 0 ? `event: dropped\ndata: ${next.dropped}\n\n` : "";
      controller.enqueue(
        encode(`${dropped}event: log\ndata: ${printableJson(redact(next.event))}\n\n`),
      );
    },
    cancel: () => follower.close(),
  }, { highWaterMark: 1 });
}
