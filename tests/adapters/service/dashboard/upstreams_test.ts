import { expect, test } from "bun:test";
import { upstreamsOf } from "../../../../adapters/service/dashboard/upstreams.ts";
import type { Metric } from "../../../../core/api/metrics/metric.ts";

const metric = (name: string, points: Metric["points"]): Metric => ({
  name,
  kind: "gauge",
  unit: "1",
  description: "",
  points,
});

// Metrics of other things are left out; the duration is the mean.
test("upstreamsOf collects the metrics of each upstream", () => {
  const [a, b] = [{ upstream: "127.0.0.1:3000" }, { upstream: "unix:/run/app.sock" }];
  const histogram = { bounds: [1], counts: [3, 1], sums: [0.006, 0.002] };
  expect(upstreamsOf([
    metric("berth.tcp.in_segs", [{ attributes: {}, value: 7 }]),
    metric("berth.upstream.up", [{ attributes: a, value: 1 }, { attributes: b, value: 0 }]),
    metric("berth.upstream.open", [{ attributes: a, value: 5 }]),
    metric("berth.upstream.failures", [{ attributes: b, value: 2 }]),
    metric("berth.upstream.connect.duration", [
      { attributes: a, value: histogram },
      { attributes: b, value: { bounds: [1], counts: [0, 0], sums: [0, 0] } },
    ]),
  ])).toEqual([
    { upstream: "127.0.0.1:3000", up: true, open: 5, failures: 0, connectMs: 2 },
    { upstream: "unix:/run/app.sock", up: false, open: 0, failures: 2, connectMs: null },
  ]);
});
