import { describe, expect } from "bun:test";
import { Namespace } from "../support/namespace.ts";
import { testRequiring } from "../support/requirements.ts";
import { NEEDS, startService, V4, V6 } from "./service.ts";

const needs = [...NEEDS, "program:iperf3"] as const;
const BYTES = 40_000_000;

/** Result of one end: bytes sent and received. */
interface Sum {
  bytes: number;
}

/** Output of `iperf3 --json`. */
interface Report {
  sum_sent: Sum;
  sum_received: Sum;
  sum_sent_bidir_reverse?: Sum;
  sum_received_bidir_reverse?: Sum;
  streams: unknown[];
}

/** Runs a body with a service that has the plugin on iperf3's port. */
async function withServer(body: (namespace: Namespace) => Promise<void>): Promise<void> {
  await using namespace = await Namespace.open();
  const service = await startService(namespace, "--listen", "5201=iperf3");
  await body(namespace);
  service.signal("SIGTERM");
  const { exit, log } = await service.finish(10_000);
  expect([exit, log]).toEqual([0, ""]);
}

async function iperf3(namespace: Namespace, ...flags: string[]): Promise<Report> {
  return JSON.parse(await namespace.run(["iperf3", "--json", ...flags])).end;
}

describe("iperf3", () => {
  // The server reports the bytes received until the client ends.
  testRequiring(needs, "measures upload over IPv4 and IPv6", () =>
    withServer(async (namespace) => {
      for (const host of [V4, V6]) {
        const up = await iperf3(namespace, "-c", host, "-n", String(BYTES));
        expect(up.sum_sent.bytes).toBeGreaterThanOrEqual(BYTES);
        expect(up.sum_received.bytes).toBeGreaterThan(BYTES / 2);
      }
    }));

  testRequiring(needs, "measures download", () =>
    withServer(async (namespace) => {
      const down = await iperf3(namespace, "-c", V4, "-R", "-n", String(BYTES));
      expect(down.sum_received.bytes).toBeGreaterThanOrEqual(BYTES);
    }));

  // Both directions of 16 connections carry data.
  testRequiring(
    needs,
    "measures both directions of 16 connections",
    () =>
      withServer(async (namespace) => {
        const both = await iperf3(namespace, "-c", V4, "--bidir", "-P", "8", "-t", "1");
        expect(both.streams.length).toBe(16);
        expect(both.sum_received.bytes).toBeGreaterThan(0);
        expect(both.sum_received_bidir_reverse!.bytes).toBeGreaterThan(0);
      }),
  );

  // The second client gets the error, the first is not affected; then the server is free again.
  testRequiring(
    needs,
    "tells a second client that it is busy",
    () =>
      withServer(async (namespace) => {
        const first = namespace.start("iperf3", "-c", V4, "-t", "2", "--forceflush");
        await first.printed(/connected to/);
        const second = await namespace.start("iperf3", "-c", V4, "-t", "1").finish(10_000);
        expect(second.exit).toBe(1);
        expect(second.log + second.out).toContain("busy");
        expect((await first.finish(10_000)).exit).toBe(0);
        await iperf3(namespace, "-c", V4, "-n", "1000");
      }),
  );
});
