import { describe, expect, test } from "bun:test";
import { linkPair } from "../../adapters/links/memory.ts";
import { seededRandom } from "../../adapters/runtime/seeded_random.ts";
import { VirtualClock } from "../../adapters/runtime/virtual_clock.ts";
import { TcpError } from "../../core/api/errors.ts";
import { createStack } from "../../core/api/stack.ts";
import { type EgressOptions, egressThrough } from "../../plugins/egress.ts";
import { formatDialTarget } from "../../plugins/shared/dial.ts";
import type { HostLimits } from "../../plugins/shared/host_network.ts";
import { SharedLimit } from "../../plugins/shared/shared_limit.ts";
import { bytes, codeOf } from "../support/conversation.ts";
import { socketPair } from "../support/fake_socket.ts";
import { FakeTargets } from "./forward/fake_targets.ts";

/** A client, all of whose packets go to a stack that owns all addresses. */
function setUp(options: EgressOptions = {}, limits?: HostLimits) {
  const clock = new VirtualClock();
  const targets = new FakeTargets();
  const datagrams: string[] = [];
  const [here, there] = linkPair();
  const router = createStack({
    clock,
    link: here,
    addresses: ["0.0.0.0/0", "::/0"],
    exceptAddresses: ["10.0.0.1", "10.0.0.9", "fd00::1"],
    random: seededRandom(1),
  });
  const plugin = egressThrough({
    limits,
    // Targets that lead back here, by the host's routes or a published port.
    routeIntoStack: (transport, { hostname, port }) => {
      const isBack = hostname === "192.0.2.9" || hostname === "2001:db8::9" ||
        hostname === "198.51.100.1" && port === (transport === "tcp" ? 8080 : 5353);
      return isBack ? { hostname, port } : undefined;
    },
    dial: targets.dial,
    // Each target answers every datagram with its own address.
    dialDatagrams: (to) => {
      if (to.hostname === "203.0.113.1") {
        return Promise.reject(new TcpError("CONNECTION_REFUSED", "nobody is there"));
      }
      const { client, server } = socketPair();
      if (to.hostname === "2001:db8::bad") {
        const receive = () => Promise.reject(new TcpError("UNREACHABLE", "there is no way"));
        return Promise.resolve({ receive, send: (p) => server.write(p), close: () => {} });
      }
      datagrams.push(formatDialTarget(to));
      return Promise.resolve({
        receive: async () => {
          const chunk = new Uint8Array(100);
          const size = await client.read(chunk);
          return size === null ? null : chunk.slice(0, size);
        },
        send: () => server.write(bytes(formatDialTarget(to))),
        close: () => void server.closeWrite(),
      });
    },
  })(options);
  router.use(["*", "udp/*"], plugin);
  const client = createStack({
    clock,
    link: there,
    addresses: ["10.0.0.1/24", "10.0.0.9/24", "fd00::1/64"],
    random: seededRandom(2),
  });
  const run = <T>(promise: Promise<T>) => clock.runUntil(promise);
  const connect = (to: string) => run(codeOf(client.connect(to).opened));
  return { clock, targets, datagrams, router, client, run, connect };
}

describe("egress", () => {
  // The connection would loop: nothing is dialled.
  test("refuses targets that lead back into the stack", async () => {
    const { targets, connect } = setUp();
    for (const to of ["192.0.2.9:80", "[2001:db8::9]:80", "198.51.100.1:8080"]) {
      expect(await connect(to)).toBe("CONNECTION_REFUSED");
    }
    expect(targets.take()).toEqual([]);
    expect(await connect("198.51.100.1:80")).toBe("no error");
    expect(targets.take()).toEqual(["198.51.100.1:80"]);
  });

  // The same for datagrams, each of which would open another flow.
  test("refuses datagrams to targets that lead back into the stack", async () => {
    const { client, run, datagrams } = setUp();
    for (const to of ["192.0.2.9:53", "[2001:db8::9]:53", "198.51.100.1:5353"]) {
      const reported = Promise.withResolvers<string>();
      const socket = client.listenDatagram({
        port: 0,
        onError: ({ code }) => reported.resolve(code),
      });
      await socket.send(bytes("?"), to);
      expect(await run(reported.promise)).toBe("UNREACHABLE");
    }
    expect(datagrams).toEqual([]);
  });

  // Any address, any port, both families: the original destination is dialled.
  test("connects to the original destination before the SYN is answered", async () => {
    const { targets, client, run } = setUp();
    for (const to of ["198.51.100.7:443", "[2001:db8::7]:8443"]) {
      const socket = client.connect(to, { allowHalfOpen: true });
      await run(socket.opened);
      expect(targets.take()).toEqual([to]);
      const target = targets.accepted.pop()!;
      await run(socket.write(bytes("hello")).then(() => socket.closeWrite()));
      const chunk = new Uint8Array(100);
      expect(await run(target.read(chunk))).toBe(5);
      expect(await run(target.read(chunk))).toBeNull();
      await target.write(bytes("bye"));
      await target.closeWrite();
      expect(await run(socket.read(chunk))).toBe(3);
      await run(socket.closed);
    }
  });

  // RST at once, as from the target itself.
  test("refuses connections that the target refuses (RFC 9293 3.5.2)", async () => {
    const { targets, connect } = setUp();
    targets.moods.set("198.51.100.7:80", "refuses");
    expect(await connect("198.51.100.7:80")).toBe("CONNECTION_REFUSED");
  });

  // The target is silent for ten seconds, so the SYN is not answered; the next SYN dials again.
  test("does not answer if the target does not answer", async () => {
    const { clock, targets, client, run } = setUp();
    targets.moods.set("198.51.100.7:80", "silent");
    const socket = client.connect("198.51.100.7:80");
    const outcome = codeOf(socket.opened);
    await clock.advance(11_000);
    expect(socket.state).toBe("SYN-SENT");
    targets.moods.set("198.51.100.7:80", "up");
    expect(await run(outcome)).toBe("no error");
    expect(targets.take().length).toBeGreaterThan(1);
  });

  // The host itself, its links and cloud metadata services.
  test.each(["169.254.169.254:80", "[fe80::1]:80", "100.100.100.200:80", "[fd00:ec2::254]:80"])(
    "does not connect to %s unless it is allowed",
    async (to) => {
      const { targets, connect } = setUp();
      await connect(to).catch(() => {});
      expect(targets.take()).toEqual([]);
    },
  );

  // A subnet is denied, and one address in it allowed.
  test("applies allow and deny, the longest prefix first", async () => {
    const { targets, connect } = setUp({ deny: ["198.51.100.0/24"], allow: ["198.51.100.7"] });
    expect(await connect("198.51.100.8:80")).toBe("CONNECTION_REFUSED");
    expect(await connect("198.51.100.7:80")).toBe("no error");
    expect(await connect("203.0.113.1:80")).toBe("no error");
    expect(targets.take()).toEqual(["198.51.100.7:80", "203.0.113.1:80"]);
  });

  // Two at once; when one ends, another is accepted.
  test("limits the number of connections", async () => {
    const { targets, client, connect, clock } = setUp({ maxConnections: 2 });
    const first = client.connect("198.51.100.1:80");
    await clock.runUntil(first.opened);
    expect(await connect("198.51.100.2:80")).toBe("no error");
    expect(await connect("198.51.100.3:80")).toBe("CONNECTION_REFUSED");
    first.abort();
    await clock.advance(100);
    expect(await connect("198.51.100.4:80")).toBe("no error");
    expect(targets.take().length).toBe(3);
  });

  // One client has all eight: its oldest is reset for another client, and its own next one is
  // refused.
  test("evicts a connection of the client with the most for another client", async () => {
    const { client, connect, run } = setUp({ maxConnections: 8 });
    const sockets = Array.from({ length: 8 }, (_, i) => client.connect(`198.51.100.${i + 1}:80`));
    await run(Promise.all(sockets.map(({ opened }) => opened)));
    const other = client.connect("198.51.100.9:80", { localHostname: "10.0.0.9" });
    await run(other.opened);
    expect(await run(codeOf(sockets[0]!.read(new Uint8Array(1))))).toBe("CONNECTION_RESET");
    expect(sockets[1]!.state).toBe("ESTABLISHED");
    expect(await connect("198.51.100.10:80")).toBe("CONNECTION_REFUSED");
    expect(other.state).toBe("ESTABLISHED");
  });

  // Flows of one client take the whole limit; a connection of another client is accepted.
  test("evicts flows for another client's connection", async () => {
    const { client, run } = setUp({ maxConnections: 8 });
    const socket = client.listenDatagram({ port: 0 });
    for (let i = 1; i <= 8; i++) {
      await socket.send(bytes("who?"), `198.51.100.${i}:53`);
      await run(socket.receive());
    }
    const other = client.connect("198.51.100.9:80", { localHostname: "10.0.0.9" });
    expect(await run(codeOf(other.opened))).toBe("no error");
    // The client keeps its latest flows.
    await socket.send(bytes("who?"), "198.51.100.99:53");
    expect((await run(socket.receive()))[1].hostname).toBe("198.51.100.99");
  });

  // The sockets of the host are shared with other plugins; one of them has all of them.
  test("counts for the limits of the host", async () => {
    const sockets = new SharedLimit(4);
    const datagrams = new SharedLimit(2);
    const { client, run, connect } = setUp({}, {
      connections: [sockets],
      datagrams: [datagrams, sockets],
    });
    const evicted: number[] = [];
    for (let i = 0; i < 4; i++) sockets.enter("10.0.0.77", () => evicted.push(i));
    expect(await connect("198.51.100.1:80")).toBe("no error");
    const socket = client.listenDatagram({ port: 0 });
    for (let i = 1; i <= 4; i++) {
      await socket.send(bytes("who?"), `198.51.100.${i}:53`);
      await run(socket.receive());
    }
    expect([sockets.size, datagrams.size]).toEqual([4, 1]);
    expect(evicted).toEqual([0, 1]);
  });

  // One socket of the host per flow; answers come from the original destination.
  test("carries datagrams to their original destination", async () => {
    const { datagrams, client, run } = setUp();
    const socket = client.listenDatagram({ port: 0 });
    for (const to of ["198.51.100.7:53", "[2001:db8::7]:123"]) {
      for (let i = 0; i < 2; i++) {
        await socket.send(bytes("who?"), to);
        const [data, from] = await run(socket.receive());
        expect(new TextDecoder().decode(data)).toBe(to);
        expect(from).toMatchObject({ transport: "udp", port: Number(/\d+$/.exec(to)![0]) });
      }
    }
    expect(datagrams).toEqual(["198.51.100.7:53", "[2001:db8::7]:123"]);
    await socket.send(bytes("who?"), "169.254.169.254:53");
    await socket.send(bytes("who?"), "198.51.100.8:53");
    await run(socket.receive());
    expect(datagrams.slice(2)).toEqual(["198.51.100.8:53"]);
  });

  // The host reports port or network unreachable; a denied target is not contacted.
  test("sends ICMP errors for unreachable targets (RFC 1122 4.1.3.1)", async () => {
    const { client, clock } = setUp();
    const errors: string[] = [];
    const socket = client.listenDatagram({
      port: 0,
      onError: ({ code, remote }) => void errors.push(`${code} ${remote!.hostname}`),
    });
    for (const to of ["203.0.113.1:9", "[2001:db8::bad]:9", "169.254.169.254:53"]) {
      await socket.send(bytes("who?"), to);
      await clock.advance(10);
    }
    expect(errors).toEqual([
      "CONNECTION_REFUSED 203.0.113.1",
      "UNREACHABLE 2001:db8::bad",
      "UNREACHABLE 169.254.169.254",
    ]);
  });

  // After an idle minute the host's socket is closed; the next datagram opens another.
  test("ends idle flows", async () => {
    const { clock, datagrams, client, run } = setUp({ idleTimeoutMs: 5000 });
    const socket = client.listenDatagram({ port: 4000 });
    const ask = async () => {
      await socket.send(bytes("who?"), "198.51.100.7:53");
      await run(socket.receive());
    };
    await ask();
    await clock.advance(4000);
    await ask();
    await clock.advance(4000);
    expect(datagrams.length).toBe(1);
    await clock.advance(2000);
    await ask();
    expect(datagrams.length).toBe(2);
  });

  // Invalid options are reported when the plugin is created.
  test("requires addresses and subnets", () => {
    const egress = egressThrough({ dial: undefined as never, dialDatagrams: undefined as never });
    expect(() => egress({ allow: ["localhost"] })).toThrow(/^egress: options\.allow\.0: expected/);
  });

  // If the peer gives up before its SYN is answered, dialling is aborted.
  test("aborts dialling when the client gives up", async () => {
    const { targets, client, clock } = setUp();
    targets.moods.set("198.51.100.7:80", "silent");
    const socket = client.connect("198.51.100.7:80");
    const outcome = codeOf(socket.opened);
    await clock.advance(100);
    expect(targets.take()).toEqual(["198.51.100.7:80"]);
    socket.abort();
    expect(await outcome).toBe(new TcpError("CONNECTION_ABORTED", "").code);
    await clock.advance(60_000);
    expect(targets.take()).toEqual([]);
  });
});
