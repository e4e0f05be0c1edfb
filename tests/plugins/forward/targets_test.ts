import { describe, expect, test } from "bun:test";
import { forwardThrough } from "../../../plugins/forward.ts";
import { codeOf } from "../../support/conversation.ts";
import { settle } from "../../support/fake_socket.ts";
import { Clients, FakeTargets, tcpOnly } from "./fake_targets.ts";

const A = "10.0.0.11:80";
const B = "10.0.0.12:80";
const C = "unix:/run/c.sock";

describe("forward to several targets", () => {
  // Five connections over three targets.
  test("uses them in turn", async () => {
    const targets = new FakeTargets();
    const clients = new Clients(forwardThrough(tcpOnly(targets.dial))({ to: [A, B, C] }));
    for (let i = 0; i < 5; i++) await clients.syn();
    expect(targets.take()).toEqual([A, B, C, A, B]);
  });

  // One connection each; B's ends, so B is used next, and again while it has the fewest.
  test("prefers the one with the fewest connections", async () => {
    const targets = new FakeTargets();
    const plugin = forwardThrough(tcpOnly(targets.dial))({
      to: [A, B, C],
      balance: "least-connections",
    });
    const clients = new Clients(plugin);
    const running = [await clients.connect(), await clients.connect(), await clients.connect()];
    expect(targets.take()).toEqual([A, B, C]);
    running[1]!.client.abort();
    await running[1]!.served;
    await settle();
    await clients.syn();
    expect(targets.take()).toEqual([B]);
  });

  // A refuses and B accepts the connection; the client does not notice.
  test("tries the next one before the SYN is answered", async () => {
    const targets = new FakeTargets();
    targets.moods.set(A, "refuses");
    const clients = new Clients(forwardThrough(tcpOnly(targets.dial))({ to: [A, B] }));
    const { client, served } = await clients.connect();
    expect(targets.take()).toEqual([A, B]);
    await client.closeWrite();
    await targets.accepted[0]!.closeWrite();
    await served;
  });

  // A local failure says nothing about a target: it stays up, and one line gives the reason.
  test("does not mark a target down because of a local failure", async () => {
    const targets = new FakeTargets();
    targets.moods.set(A, "no descriptor");
    const clients = new Clients(
      forwardThrough(tcpOnly(targets.dial))({ to: A, unhealthyAfter: 2 }),
    );
    for (let i = 0; i < 5; i++) expect(await codeOf(clients.syn())).not.toBe("");
    expect(targets.take()).toEqual([A, A, A, A, A]);
    expect(clients.context.lines.map(({ message }) => message)).toEqual([
      "cannot connect to target",
    ]);
    targets.moods.set(A, "up");
    await clients.syn();
    expect(targets.take()).toEqual([A]);
  });

  // A is silent until the timeout, then B is tried; each attempt has the whole connectTimeoutMs.
  test("tries the next one after the timeout", async () => {
    const targets = new FakeTargets();
    targets.moods.set(A, "silent");
    const clients = new Clients(
      forwardThrough(tcpOnly(targets.dial))({ to: [A, B], connectTimeoutMs: 500 }),
    );
    const syn = clients.syn();
    await clients.context.clock.advance(499);
    expect(targets.take()).toEqual([A]);
    await clients.context.clock.advance(1);
    await syn;
    expect(targets.take()).toEqual([B]);
  });

  // All refuse: each was tried once, and the last error is reported.
  test("refuses when all of them refuse", async () => {
    const targets = new FakeTargets();
    for (const name of [A, B, C]) targets.moods.set(name, "refuses");
    const clients = new Clients(forwardThrough(tcpOnly(targets.dial))({ to: [A, B, C] }));
    await expect(clients.syn()).rejects.toThrow(`${C} refuses`);
    expect(targets.take()).toEqual([A, B, C]);
  });

  // The peer gives up while A is silent: B is not tried, and A is not marked down.
  test("stops when the peer gives up", async () => {
    const targets = new FakeTargets();
    targets.moods.set(A, "silent");
    const plugin = forwardThrough(tcpOnly(targets.dial))({ to: [A, B], unhealthyAfter: 1 });
    const clients = new Clients(plugin);
    const peer = new AbortController();
    const syn = Promise.allSettled([clients.syn(peer.signal)]);
    peer.abort(new Error("gone"));
    expect(await syn).toMatchObject([{ status: "rejected", reason: { message: "gone" } }]);
    expect(targets.take()).toEqual([A]);
    expect(clients.messages("warn")).toEqual([]);
  });
});

describe("forward's connection limit", () => {
  // Two each: the fifth is refused without an attempt; when one ends, another is accepted.
  test("applies to each target", async () => {
    const targets = new FakeTargets();
    const clients = new Clients(
      forwardThrough(tcpOnly(targets.dial))({ to: [A, B], maxConnections: 2 }),
    );
    const first = await clients.connect();
    for (let i = 0; i < 3; i++) await clients.connect();
    expect(targets.take()).toEqual([A, B, A, B]);
    expect(await codeOf(clients.syn())).toBe("CONNECTION_REFUSED");
    expect(targets.take()).toEqual([]);
    first.client.abort();
    await first.served;
    await settle();
    await clients.syn();
    expect(targets.take()).toEqual([A]);
  });

  // One client has all connections of both: another client evicts the oldest, then the next.
  test("evicts a connection of the client with the most for another client", async () => {
    const targets = new FakeTargets();
    const clients = new Clients(
      forwardThrough(tcpOnly(targets.dial))({ to: [A, B], maxConnections: 4 }),
    );
    const held = [];
    for (let i = 0; i < 8; i++) held.push(await clients.connect());
    expect(await codeOf(clients.syn())).toBe("CONNECTION_REFUSED");
    await clients.connect("192.0.2.1");
    await clients.connect("192.0.2.1");
    expect(targets.take().slice(8)).toEqual([A, B]);
    await Promise.all(held.slice(0, 2).map(({ served }) => served));
    expect(await codeOf(held[0]!.client.closed)).toBe("CONNECTION_RESET");
    expect(await codeOf(clients.syn())).toBe("CONNECTION_REFUSED");
  });

  // Nothing is evicted while another target has room.
  test("fills all targets before evicting", async () => {
    const targets = new FakeTargets();
    const clients = new Clients(
      forwardThrough(tcpOnly(targets.dial))({ to: [A, B], maxConnections: 4 }),
    );
    for (let i = 0; i < 4; i++) await clients.connect();
    targets.moods.set(A, "refuses");
    for (let i = 0; i < 2; i++) await clients.connect();
    targets.moods.set(A, "up");
    targets.take();
    for (let i = 0; i < 2; i++) await clients.connect("192.0.2.1");
    expect(targets.take()).toEqual([A, A]);
  });

  // SYNs from forged addresses, one for each, which never complete the handshake: they do not keep out
  // clients that do, and the host's sockets of the oldest are closed.
  test("does not count SYNs whose handshake is not completed", async () => {
    const targets = new FakeTargets();
    const clients = new Clients(
      forwardThrough(tcpOnly(targets.dial))({ to: A, maxConnections: 8 }),
    );
    const served = await clients.connect("192.0.2.1");
    for (let i = 0; i < 20; i++) await clients.syn(undefined, `10.9.0.${i}`);
    expect(await codeOf(clients.connect("192.0.2.2"))).toBe("no error");
    expect(targets.accepted.map(({ state }) => state === "ESTABLISHED").lastIndexOf(false)).toBe(
      14,
    );
    expect(served.client.state).toBe("ESTABLISHED");
  });

  // "No descriptor" alternates with success: one line a minute.
  test("logs a local failure once a minute", async () => {
    const targets = new FakeTargets();
    const clients = new Clients(forwardThrough(tcpOnly(targets.dial))({ to: A }));
    for (let i = 0; i < 6; i++) {
      targets.moods.set(A, i % 2 === 0 ? "no descriptor" : "up");
      await codeOf(clients.syn());
    }
    expect(clients.messages("error").length).toBe(1);
    await clients.context.clock.advance(60_000);
    targets.moods.set(A, "no descriptor");
    await codeOf(clients.syn());
    expect(clients.messages("error").length).toBe(2);
  });

  // A silent target is tried once; the second SYN is refused at once.
  test("includes attempts", async () => {
    const targets = new FakeTargets();
    targets.moods.set(A, "silent");
    const clients = new Clients(
      forwardThrough(tcpOnly(targets.dial))({ to: A, maxConnections: 1 }),
    );
    const waiting = Promise.allSettled([clients.syn()]);
    expect(await codeOf(clients.syn())).toBe("CONNECTION_REFUSED");
    await clients.context.clock.advance(10_000);
    expect((await waiting)[0]!.status).toBe("rejected");
    targets.moods.set(A, "up");
    await clients.syn();
  });
});

describe("forward without health checks", () => {
  // Two failures mark A down for a second; then one attempt may probe it.
  test("skips a failed target for a while", async () => {
    const targets = new FakeTargets();
    targets.moods.set(A, "refuses");
    const plugin = forwardThrough(tcpOnly(targets.dial))({
      to: [A, B],
      unhealthyAfter: 2,
      healthyAfter: 1,
      retryAfterMs: 1000,
    });
    const clients = new Clients(plugin);
    for (let i = 0; i < 4; i++) await clients.syn();
    expect(targets.take()).toEqual([A, B, A, B, B, B]);
    expect(clients.messages("warn")).toEqual([`target is down: ${A}`]);

    await clients.context.clock.advance(1000);
    for (let i = 0; i < 2; i++) await clients.syn();
    expect(targets.take()).toEqual([A, B, B]);

    targets.moods.set(A, "up");
    await clients.context.clock.advance(1000);
    for (let i = 0; i < 3; i++) await clients.syn();
    expect(targets.take()).toEqual([A, B, A]);
    expect(clients.messages("info")).toEqual([`target is up again: ${A}`]);
  });

  // Both have failed, but one of them has to be tried.
  test("tries all of them when none is up", async () => {
    const targets = new FakeTargets();
    for (const name of [A, B]) targets.moods.set(name, "refuses");
    const clients = new Clients(
      forwardThrough(tcpOnly(targets.dial))({ to: [A, B], unhealthyAfter: 1 }),
    );
    expect(await codeOf(clients.syn())).toBe("CONNECTION_REFUSED");
    targets.take();
    targets.moods.set(B, "up");
    await clients.syn();
    expect(targets.take()).toEqual([A, B]);
  });
});
