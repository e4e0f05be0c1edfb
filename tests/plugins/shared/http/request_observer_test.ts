import { connect } from "node:http2";
import { Duplex } from "node:stream";
import { describe, expect, test } from "bun:test";
import { linkPair } from "../../../../adapters/links/memory.ts";
import { createStack } from "../../../../core/api/stack.ts";
import { totalsOf } from "../../../../core/api/metrics/histogram.ts";
import type { HistogramValue } from "../../../../core/api/metrics/metric.ts";
import type { Plugin } from "../../../../core/api/types.ts";
import { detect } from "../../../../plugins/detect.ts";
import { http } from "../../../../plugins/http.ts";
import { http2 } from "../../../../plugins/http2.ts";
import { bytes, readText, StackPair } from "../../../core/api/stack_pair.ts";

/** The number of requests by class of status, and their seconds. */
function requestsOf(plugin: Plugin): Record<string, { count: number; sum: number }> {
  const [metric] = plugin.metrics!();
  expect(metric!.name).toBe("http.server.request.duration");
  return Object.fromEntries(metric!.points.map(({ attributes, value }) => [
    attributes["http.response.status_class"],
    totalsOf(value as HistogramValue),
  ]));
}

const head = (path: string) => `GET ${path} HTTP/1.1\r\nHost: h\r\n\r\n`;

describe("the metrics of http", () => {
  // Requests before the first reading are not measured. Of the others, one takes 300 ms, one is not
  // found, one throws, and one is no HTTP.
  test("measure requests by class of status from the first reading on", async () => {
    await using pair = new StackPair();
    const { clock } = pair;
    const plugin = http({
      fetch(request) {
        const { pathname } = new URL(request.url);
        if (pathname === "/missing") return new Response("", { status: 404 });
        if (pathname === "/fault") throw new Error("a fault");
        if (pathname !== "/slow") return new Response("ahoy");
        return new Promise((resolve) =>
          clock.schedule(clock.now() + 300, () => resolve(new Response("late")))
        );
      },
    });
    pair.server.use(80, plugin);
    const exchange = async (text: string) => {
      const socket = pair.client.connect("10.0.0.2:80", { allowHalfOpen: true });
      await pair.run(socket.write(bytes(text)));
      if (text.includes("/slow")) await clock.advance(300);
      await pair.run(socket.closeWrite());
      await pair.run(readText(socket));
    };
    await exchange(head("/before"));
    expect(requestsOf(plugin)).toEqual({});
    await exchange(head("/") + head("/missing") + head("/fault"));
    await exchange(head("/slow"));
    await exchange("no HTTP at all\r\n\r\n");
    const requests = requestsOf(plugin);
    expect(Object.entries(requests).map(([name, { count }]) => [name, count]).sort())
      .toEqual([["2xx", 2], ["4xx", 2], ["5xx", 1]]);
    expect(Math.round(requests["2xx"]!.sum * 1000)).toBe(300);
  });

  // The client goes away while the application computes: 499, as in the logs of nginx.
  test("count a request whose client went away", async () => {
    await using pair = new StackPair();
    const plugin = http({ fetch: () => new Promise<Response>(() => {}) });
    pair.server.use(80, plugin);
    requestsOf(plugin);
    const socket = pair.client.connect("10.0.0.2:80", { allowHalfOpen: true });
    await pair.run(socket.write(bytes(head("/"))));
    await pair.clock.advance(100);
    socket.abort();
    await pair.clock.advance(100);
    expect(requestsOf(plugin)["4xx"]!.count).toBe(1);
  });

  // Three streams of one HTTP/2 connection behind detect, which passes on the metrics of its plugins.
  test("are the same over HTTP/2 and behind detect", async () => {
    const [here, there] = linkPair();
    await using server = createStack({ link: here, addresses: ["10.0.0.1/24"] });
    const app = {
      fetch: (request: Request) =>
        new Response("", { status: request.url.endsWith("/missing") ? 404 : 200 }),
    };
    const plugin = detect({ http2: http2(app), http: http(app) });
    const found = () => plugin.metrics!().filter(({ points }) => points.length > 0);
    expect(found()).toEqual([]);
    server.use(80, plugin);
    await using client = createStack({ link: there, addresses: ["10.0.0.2/24"] });
    const { readable, writable } = client.connect("10.0.0.1:80", { allowHalfOpen: true });
    const session = connect("http://10.0.0.1", {
      createConnection: () => Duplex.fromWeb({ readable, writable } as never),
    });
    for (const path of ["/", "/missing", "/"]) {
      const stream = session.request({ ":path": path });
      stream.resume();
      await new Promise((resolve) => stream.on("close", resolve));
    }
    session.destroy();
    const [metric, ...others] = found();
    expect(others).toEqual([]);
    expect(metric!.points.map(({ attributes, value }) => [
      attributes["http.response.status_class"],
      totalsOf(value as HistogramValue).count,
    ])).toEqual([["2xx", 2], ["4xx", 1]]);
  });
});
