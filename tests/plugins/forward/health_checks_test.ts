import { describe, expect, test } from "bun:test";
import { forwardThrough } from "../../../plugins/forward.ts";
import type { RouteIntoStack } from "../../../plugins/shared/host_network.ts";
import { Clients, FakeTargets, tcpOnly } from "./fake_targets.ts";

const A = "10.0.0.11:80";
const B = "10.0.0.12:80";
const HEALTH = {
  to: [A, B],
  healthCheck: { intervalMs: 1000, timeoutMs: 300 },
  unhealthyAfter: 2,
  healthyAfter: 3,
};

describe("forward's health checks", () => {
  // Every second both targets are connected to, and disconnected at once.
  test("connect at the interval, from the first connection on", async () => {
    const targets = new FakeTargets();
    const clients = new Clients(forwardThrough(tcpOnly(targets.dial))(HEALTH));
    await clients.context.clock.advance(5000);
    expect(targets.take()).toEqual([]);
    await clients.syn();
    expect(targets.take()).toEqual([A]);
    await clients.context.clock.advance(3000);
    expect(targets.take()).toEqual([A, B, A, B, A, B]);
    expect(targets.accepted.slice(1).every(({ peer }) => peer!.ending === "close")).toBe(true);
  });

  // A stops answering and is removed after two checks; it answers again and is back after three.
  test("remove a failed target and bring it back", async () => {
    const targets = new FakeTargets();
    const clients = new Clients(forwardThrough(tcpOnly(targets.dial))(HEALTH));
    const { clock } = clients.context;
    await clients.syn();
    targets.moods.set(A, "silent");
    await clock.advance(1300);
    expect(clients.messages("warn")).toEqual([]);
    await clock.advance(1300);
    expect(clients.messages("warn")).toEqual([`target is down: ${A}`]);
    targets.take();
    for (let i = 0; i < 3; i++) await clients.syn();
    expect(targets.take()).toEqual([B, B, B]);

    targets.moods.set(A, "up");
    await clock.advance(2400);
    expect(clients.messages("info")).toEqual([]);
    await clock.advance(1000);
    expect(clients.messages("info")).toEqual([`target is up again: ${A}`]);
    targets.take();
    for (let i = 0; i < 2; i++) await clients.syn();
    expect(targets.take().sort()).toEqual([A, B]);
  });

  // The target accepts connections, but they would loop, so it counts as down.
  test("do not connect to a target that leads back", async () => {
    const targets = new FakeTargets();
    const routeIntoStack: RouteIntoStack = (_, { hostname }) =>
      hostname === "10.0.0.11" ? { hostname: "10.0.0.2", port: 8080 } : undefined;
    const clients = new Clients(
      forwardThrough({ ...tcpOnly(targets.dial), routeIntoStack })(HEALTH),
    );
    await clients.syn();
    await clients.context.clock.advance(2000);
    expect(targets.take()).toEqual([B, B, B]);
    expect(clients.messages("warn")).toEqual([
      `target leads back to the address that forwards to it: tcp/${A}`,
      `target is down: ${A}`,
    ]);
  });

  // Failed connections count as failed checks, but a target does not recover by time alone.
  test("also count failed connections", async () => {
    const targets = new FakeTargets();
    targets.moods.set(A, "refuses");
    const plugin = forwardThrough(tcpOnly(targets.dial))({
      ...HEALTH,
      healthCheck: { intervalMs: 100_000 },
    });
    const clients = new Clients(plugin);
    for (let i = 0; i < 4; i++) await clients.syn();
    expect(targets.take()).toEqual([A, B, A, B, B, B]);
    await clients.context.clock.advance(90_000);
    await clients.syn();
    expect(targets.take()).toEqual([B]);
  });

  // A target that requires a header gets one with the LOCAL command.
  test("send a LOCAL header (PROXY protocol)", async () => {
    const targets = new FakeTargets();
    const clients = new Clients(
      forwardThrough(tcpOnly(targets.dial))({ ...HEALTH, proxyProtocol: 1 }),
    );
    await clients.syn();
    await clients.context.clock.advance(1000);
    const chunk = new Uint8Array(100);
    const size = await targets.accepted[1]!.read(chunk);
    expect(new TextDecoder().decode(chunk.subarray(0, size!))).toBe("PROXY UNKNOWN\r\n");
  });

  // The stack closes: no timer is left, and a running check is aborted.
  test("end with the plugin", async () => {
    const targets = new FakeTargets();
    const plugin = forwardThrough(tcpOnly(targets.dial))(HEALTH);
    const clients = new Clients(plugin);
    const { clock } = clients.context;
    await clients.syn();
    targets.moods.set(A, "silent");
    await clock.advance(1100);
    await plugin.dispose!();
    await clock.advance(0);
    expect(clock.pending).toBe(0);
    targets.take();
    await clock.advance(10_000);
    expect(targets.take()).toEqual([]);
    expect(clients.messages("warn")).toEqual([]);
  });
});
