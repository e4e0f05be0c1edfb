import { describe, expect, test } from "bun:test";
import { Hono } from "hono";
import { captureRoutes, MAX_CAPTURES } from "../../../../adapters/service/admin/capture_routes.ts";
import { impairRoutes } from "../../../../adapters/service/admin/impair_routes.ts";
import type { Route } from "../../../../adapters/service/admin/route.ts";
import { Captures } from "../../../../adapters/service/inspection/captures.ts";
import { impair } from "../../../../adapters/links/decorators/impair.ts";
import { pcapng } from "../../../../adapters/links/decorators/pcapng.ts";
import { linkPair } from "../../../../adapters/links/memory.ts";
import { VirtualClock } from "../../../../adapters/runtime/virtual_clock.ts";

function appOf(routes: readonly Route[]): Hono {
  const app = new Hono();
  for (const { method, path, handle } of routes) {
    app.on(method, path.replace("{id}", ":id"), handle);
  }
  return app;
}

function captureApp(): Hono {
  const captures = new Captures(pcapng(linkPair()[0]));
  return appOf(captureRoutes({
    // deno-lint-ignore require-await -- errors are rejections
    open: async (source) => source.type === "capture" ? captures.open(source) : undefined,
    stopCapture: (id) => Promise.resolve(captures.stop(id)),
  }));
}

describe("/capture", () => {
  // Start, stop, and the rest of the stream.
  test("streams until it is stopped", async () => {
    const app = captureApp();
    const started = await app.request("/capture?id=mine&filter=tcp");
    expect(started.headers.get("content-type")).toBe("application/x-pcapng");
    expect(started.headers.get("capture-id")).toBe("mine");
    const stopped = await app.request("/capture/mine", { method: "DELETE" });
    expect([stopped.status, await stopped.json()]).toEqual([200, { stopped: "mine" }]);
    expect(new Uint8Array(await started.arrayBuffer()).slice(0, 4).toHex()).toBe("0a0d0d0a");
    expect((await app.request("/capture/mine", { method: "DELETE" })).status).toBe(404);
  });

  test.each([
    ["?filter=prot+80", '"prot" is unknown'],
    ["?id=a/b", "id: expected up to 64 letters"],
    ["?file=a", "file: unknown key"],
  ])("refuses %s", async (query, message) => {
    const answer = await captureApp().request(`/capture${query}`);
    expect([answer.status, (await answer.json()).error]).toEqual([
      400,
      expect.stringContaining(message),
    ]);
  });

  test("has a maximum number of readers", async () => {
    const app = captureApp();
    const all = await Promise.all(
      Array.from({ length: MAX_CAPTURES + 3 }, () => app.request("/capture")),
    );
    expect(all.filter(({ status }) => status === 503).length).toBe(3);
    for (const { body } of all) await body!.cancel();
    expect((await app.request("/capture")).status).toBe(200);
  });
});

describe("/impair", () => {
  function impairApp() {
    const link = impair(linkPair()[0], { seed: 1, clock: new VirtualClock() });
    const app = appOf(impairRoutes({
      // deno-lint-ignore require-await -- errors are rejections
      async impair(replacement) {
        if (replacement !== undefined) link.replace(replacement);
        return link.impairments;
      },
    }));
    const put = (body: string) => app.request("/impair", { method: "PUT", body });
    return { link, app, put };
  }

  // PUT replaces all of them.
  test("changes the impairments and removes them", async () => {
    const { link, app, put } = impairApp();
    expect(await (await put('{"loss":0.1,"delayMs":5}')).json()).toEqual({ loss: 0.1, delayMs: 5 });
    expect(await (await put('{"incoming":{"loss":1}}')).json()).toEqual({ incoming: { loss: 1 } });
    expect(link.impairments).toEqual({ incoming: { loss: 1 } });
    expect(await (await app.request("/impair", { method: "DELETE" })).json()).toEqual({});
    expect(await (await app.request("/impair")).json()).toEqual({});
  });

  test.each([
    ['{"loss":2}', 400, "loss must be from 0 to 1, not 2"],
    ['{"queueBytes":1e308}', 400, "queueBytes must be from 0 to 1073741824, not 1e+308"],
    ['{"bitsPerSecond":1e308}', 400, "bitsPerSecond must be from 1 to 1000000000000, not 1e+308"],
    ['{"incoming":{"delayMs":1e9}}', 400, "incoming.delayMs must be from 0 to 3600000"],
    ['{"los":1}', 400, "los is not an impairment"],
    ['{"seed":1}', 400, "seed is not an impairment"],
    ['{"incoming":{"delayMs":-1}}', 400, "incoming.delayMs must be from 0"],
    ['{"incoming":7}', 400, "expected a JSON object such as"],
    ["[]", 400, "expected a JSON object such as"],
    ["{", 400, "expected a JSON object such as"],
    [`{"a":"${"x".repeat(20_000)}"}`, 413, "expected at most 16384 bytes"],
  ])("refuses %s", async (body, status, message) => {
    const { link, put } = impairApp();
    const answer = await put(body);
    expect([answer.status, (await answer.json()).error])
      .toEqual([status, expect.stringContaining(message)]);
    expect(link.impairments).toEqual({});
  });
});
