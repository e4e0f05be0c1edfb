import { describe, expect, test } from "bun:test";
import { openNetwork, tcpOptions } from "../../../../adapters/service/links/network.ts";
import type { Settings } from "../../../../adapters/service/settings/settings.ts";
import { silentLogger } from "../../../../core/api/environment.ts";
import { echo } from "../../../../plugins/echo.ts";
import { until } from "../../../support/until.ts";

/** Settings of the memory link. */
const SETTINGS = {
  addresses: ["10.7.0.2/24", "fd00:7::2/64"],
  hostAddresses: ["10.7.0.1/24", "fd00:7::1/64"],
  exceptAddresses: [],
  publish: [],
  mtu: 1500,
  profile: "local",
  keepAliveMs: 0,
  listen: ["7", "udp/7", "[fd00:7::2]:8", "udp/[fd00:7::2]:8"].map((where) => ({ where })),
} as unknown as Settings;

/** The client's address, its target, and its address as seen by the stack. */
const CLIENTS: [client: string, to: string, seen: string][] = [
  ["127.0.0.1", "10.7.0.2", "127.0.0.1:5000"],
  ["127.9.9.9", "10.7.0.2", "127.9.9.9:5000"],
  ["::ffff:127.0.0.1", "10.7.0.2", "127.0.0.1:5000"],
  ["::1", "fd00:7::2", "[::1]:5000"],
  ["192.0.2.7", "10.7.0.2", "192.0.2.7:5000"],
  ["::ffff:192.0.2.7", "10.7.0.2", "192.0.2.7:5000"],
  ["2001:db8::7", "fd00:7::2", "[2001:db8::7]:5000"],
  ["10.7.0.77", "10.7.0.2", "10.7.0.77:5000"],
  // The other family: the target becomes the stack's address of the client's family, if the same is
  // served there.
  ["2001:db8::7", "10.7.0.2", "[2001:db8::7]:5000"],
  ["::1", "10.7.0.2", "[::1]:5000"],
  ["127.0.0.1", "fd00:7::2", "127.0.0.1:5000"],
  // Not unicast, or an own address: replaced by the host's address on the link.
  ["224.0.0.1", "10.7.0.2", "10.7.0.1"],
  ["10.7.0.2", "10.7.0.2", "10.7.0.1"],
];

describe("the memory link", () => {
  // Middleware and the log see these addresses: before the SYN is answered, on the socket, and for a flow.
  test.each(CLIENTS)("shows the client %s of %s as %s", async (hostname, to, seen) => {
    const network = await openNetwork(SETTINGS, silentLogger);
    const shown: string[] = [];
    const show = ({ hostname, port }: { hostname: string; port: number }) => {
      const host = hostname.includes(":") ? `[${hostname}]` : hostname;
      shown.push(seen.endsWith(":5000") ? `${host}:${port}` : host);
    };
    network.stack.use([7, "udp/7"], {
      name: "shows",
      onSyn: ({ remote }) => show(remote),
      handle: ({ socket }) => show(socket.remoteAddr),
      flow: async ({ flow }) => {
        show(flow.remoteAddr);
        await flow.send((await flow.receive())!);
      },
    });
    const { signal } = new AbortController();
    const client = { hostname, port: 5000 };
    const socket = await network.connect({ hostname: to, port: 7 }, signal, client);
    expect(await socket.read(new Uint8Array(1))).toBe(null);
    const channel = await network.dialDatagrams({ hostname: to, port: 7 }, signal, client);
    await channel.send(new Uint8Array([1]));
    expect((await channel.receive())?.length).toBe(1);
    expect(shown).toEqual([seen, seen, seen]);
    channel.close();
    await Promise.all([network.stack.close(), network.close()]);
  });

  // Port 8 is served only on the IPv6 address, whose plugin must not be bypassed.
  test("keeps the target if the other family serves something else", async () => {
    const network = await openNetwork(SETTINGS, silentLogger);
    const shown: string[] = [];
    network.stack.use("[fd00:7::2]:8", ({ socket }) => void shown.push(socket.remoteAddr.hostname));
    network.stack.use("10.7.0.2:8", () => void shown.push("another"));
    const { signal } = new AbortController();
    const client = { hostname: "127.0.0.1", port: 5000 };
    const socket = await network.connect({ hostname: "fd00:7::2", port: 8 }, signal, client);
    expect(await socket.read(new Uint8Array(1))).toBe(null);
    expect(shown).toEqual(["fd00:7::1"]);
    await Promise.all([network.stack.close(), network.close()]);
  });

  // A stack that owns everything does not own loopback, so the host's own clients are recognizable.
  test("shows a loopback client to a stack that has every address", async () => {
    const network = await openNetwork({ ...SETTINGS, addresses: ["0.0.0.0/0"] }, silentLogger);
    const shown: string[] = [];
    network.stack.use(7, ({ socket }) => void shown.push(socket.remoteAddr.hostname));
    const { signal } = new AbortController();
    for (const hostname of ["127.0.0.1", "192.0.2.7"]) {
      const to = { hostname: "198.51.100.1", port: 7 };
      const socket = await network.connect(to, signal, { hostname, port: 5000 });
      expect(await socket.read(new Uint8Array(1))).toBe(null);
    }
    expect(shown).toEqual(["127.0.0.1", "10.7.0.1"]);
    await Promise.all([network.stack.close(), network.close()]);
  });

  // Two published ports with the same target may have the same client address concurrently.
  test("gives a client another port if its own is in use", async () => {
    const network = await openNetwork(SETTINGS, silentLogger);
    network.stack.use(7, async ({ socket }) => void await socket.read(new Uint8Array(1)));
    const { signal } = new AbortController();
    const client = { hostname: "192.0.2.7", port: 5000 };
    const to = { hostname: "10.7.0.2", port: 7 };
    const first = await network.connect(to, signal, client);
    const second = await network.connect(to, signal, client);
    first.abort();
    second.abort();
    await Promise.all([network.stack.close(), network.close()]);
  });
});

describe("options of the stack", () => {
  // Two clients of a service that accepts one connection.
  test("limits.maxConnections bounds its connections", async () => {
    const network = await openNetwork({ ...SETTINGS, limits: { maxConnections: 1 } }, silentLogger);
    network.stack.use(7, echo());
    const controller = new AbortController();
    const to = { hostname: "10.7.0.2", port: 7 };
    const first = await network.connect(to, controller.signal);
    const second = network.connect(to, controller.signal);
    await until(() => network.stack.stats()["drop.tcp-connections"] === 1);
    controller.abort();
    await expect(second).rejects.toThrow();
    first.abort();
    await network.stack.close();
  });

  // Two flows where one is permitted: the first is evicted.
  test("udp.maxFlows bounds its flows", async () => {
    const network = await openNetwork({ ...SETTINGS, udp: { maxFlows: 1 } }, silentLogger);
    const ended: number[] = [];
    network.stack.use("udp/7", {
      name: "waits",
      flow: async ({ flow }) => {
        while (await flow.receive()) await flow.send(new Uint8Array(1));
        ended.push(flow.remoteAddr.port);
      },
    });
    const { signal } = new AbortController();
    for (const port of [5000, 5001]) {
      const client = { hostname: "127.0.0.1", port };
      const channel = await network.dialDatagrams(
        { hostname: "10.7.0.2", port: 7 },
        signal,
        client,
      );
      await channel.send(new Uint8Array(1));
      await channel.receive();
    }
    expect(ended).toEqual([5000]);
    await network.stack.close();
  });

  // `tcp` replaces what `keepAliveMs` and the profile imply; the rest of these stays.
  test("tcp overrides single defaults of profile and keepAliveMs", () => {
    const tcp = { keepAliveIdleMs: 1000, congestion: "cubic" } as const;
    expect(tcpOptions({ profile: "local", keepAliveMs: 60_000, tcp })).toEqual({
      profile: "local",
      keepAlive: true,
      keepAliveIdleMs: 1000,
      keepAliveIntervalMs: 60_000,
      congestion: "cubic",
    });
    expect(tcpOptions({ profile: "internet", keepAliveMs: 0, tcp: { mss: 500 } })).toEqual({
      profile: "internet",
      mss: 500,
    });
  });
});
