import { expect, test } from "bun:test";
import { z } from "zod";
import { adminApp, type AdminTarget } from "../../../../adapters/service/admin/app.ts";
import { EventHub } from "../../../../adapters/service/admin/event_hub.ts";
import { LiveUpdates } from "../../../../adapters/service/dashboard/live.ts";
import { Sessions } from "../../../../adapters/service/dashboard/sessions.ts";
import { exportMetrics } from "../../../../adapters/service/metrics/service_metrics.ts";
import { systemClock, systemRandom } from "../../../../core/api/environment.ts";
import { ChangingService, say } from "../reload/reload_support.ts";

const CONFIG = {
  listen: { "7": "echo", "80": ["log", "readyz"], "9": "forward:127.0.0.1:9" },
  publish: ["0=10.7.0.2:7"],
  admin: "unix:./berth.sock",
  metrics: true,
  logLevel: "off",
};

interface Operation {
  readonly responses: Readonly<
    Record<string, { readonly content: Readonly<Record<string, { readonly schema: object }>> }>
  >;
}

/** The admin API of a running service; what needs another process or service has its answer from here. */
async function start() {
  const running = await ChangingService.start(CONFIG);
  const { service } = running;
  const reports = { moved: 1, stayed: 0, reasons: { busy: 1 }, lost: 0 };
  const moved = { ...reports, pauseMs: { p50: 0.5, p99: 1, max: 2 } };
  let isReloading = false;
  const target: AdminTarget = {
    service: {
      ...service,
      get settings() {
        return service.settings;
      },
      get published() {
        return service.published;
      },
      get state() {
        return service.state;
      },
      moveTo: () => Promise.resolve(moved),
      rebalance: () => Promise.resolve(moved),
    },
    isReloading: () => isReloading,
    upgradeState: () => "serving",
    upgrade: () => Promise.resolve({ pid: 4000, connections: 1 }),
    reload: () => running.reload({ ...CONFIG, listen: { ...CONFIG.listen, "7": "discard" } }),
    use: () => running.reload(CONFIG),
    metrics: exportMetrics(service, () => []),
    reopen: () => true,
    log: { level: "off" },
    events: new EventHub(),
    live: new LiveUpdates(systemClock),
    sessions: new Sessions(systemClock, systemRandom),
  };
  const app = adminApp(target);
  const ask = (method: string, path: string, body?: string) => {
    const init = body === undefined
      ? {}
      : { body, headers: { "Content-Type": "application/json" } };
    return Promise.resolve(app.request(`http://localhost${path}`, { method, ...init }));
  };
  return { running, ask, reloading: (on: boolean) => isReloading = on };
}

/** Each route of the document is asked, at least once with every status that it has. */
test("answers are those that the OpenAPI document describes", async () => {
  const { running, ask, reloading } = await start();
  await using _running = running;
  const { paths } = await (await ask("GET", "/openapi.json")).json() as {
    paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  };
  const connection = await running.connect(7);
  expect(await say(connection, "ahoy")).toBe("ahoy");
  const { connections: [row] } = await (await ask("GET", "/connections")).json() as {
    connections: [{ id: string }];
  };
  const id = encodeURIComponent(row.id);

  const checked = new Set<string>();
  /** Asks, and compares the answer with the document; `status` is the expected one. */
  const check = async (request: string, status = 200, body?: string) => {
    const [method = "", path = ""] = request.split(" ");
    const answer = await ask(method, path, body);
    expect([request, answer.status]).toEqual([request, status]);
    const described = path.replace(/\?.*/, "").replace(id, "{id}").replace("mine", "{id}");
    const { responses } = paths[described]![method.toLowerCase()]!;
    const { content } = responses[status] ?? responses["default"]!;
    checked.add(`${method} ${described} ${status}`);
    const [type = ""] = answer.headers.get("content-type")!.split(";");
    expect(Object.keys(content)).toContain(type);
    if (type !== "application/json") return answer;
    const schema = z.fromJSONSchema(content[type]!.schema as never);
    const { error, success } = schema.safeParse(await answer.json());
    expect([request, success, error?.issues ?? []]).toEqual([request, true, []]);
    return answer;
  };

  await check("GET /livez");
  await check("GET /readyz");
  reloading(true);
  await check("GET /readyz", 503);
  reloading(false);
  for (const path of ["/config", "/listeners", "/stats", "/upstreams", "/log-level", "/impair"]) {
    await check(`GET ${path}`);
  }
  await check("GET /metrics");
  await check("GET /connections?sort=-bytesIn");
  await check("GET /connections?limit=none", 400);
  await check(`GET /connections/${id}`);
  for (
    const path of [
      ...["/live", "/events", "/capture?id=mine", "/connections/next/events"],
      ...[`/connections/${id}/events`, `/connections/${id}/events?format=ndjson`],
    ]
  ) {
    await (await check(`GET ${path}`)).body?.cancel();
  }
  const capture = await ask("GET", "/capture?id=mine");
  await check("DELETE /capture/mine");
  await capture.body?.cancel();
  await check("PUT /impair", 200, '{ "delayMs": 1, "incoming": { "loss": 0 } }');
  await check("PUT /impair", 400, '{ "delay": 1 }');
  await check("DELETE /impair");
  await check("PUT /log-level", 200, '{ "level": "warn" }');
  await check("POST /reload");
  await check("PUT /config", 200, "{}");
  await check("POST /upgrade");
  await check("POST /reopen");
  await check("POST /rebalance?to=unix:/other&count=1");
  await check(`DELETE /connections/${id}`);
  await check(`DELETE /connections/${id}`, 404);
  await check("POST /drain?to=unix:/other");
  await check("POST /drain");

  const described = Object.entries(paths).flatMap(([path, operations]) =>
    Object.entries(operations).flatMap(([method, { responses }]) =>
      Object.keys(responses).filter((status) => status !== "default")
        .map((status) => `${method.toUpperCase()} ${path} ${status}`)
    )
  );
  expect(described.filter((each) => !checked.has(each))).toEqual([]);
});
