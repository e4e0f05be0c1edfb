import { describe, expect, test } from "bun:test";
import { TcpError } from "../../core/api/errors.ts";
import { formatHostPort, type HostPort } from "../../core/api/host_port.ts";
import type { DatagramChannel, HostNetwork } from "../../plugins/shared/host_network.ts";
import { type Socks5Options, socks5Through } from "../../plugins/socks5.ts";
import { StackPair } from "../core/api/stack_pair.ts";
import { codeOf } from "../support/conversation.ts";
import { Socks5UdpClient } from "../support/socks5_udp_client.ts";

const PROXY = "10.0.0.2:1080";
const at = (hostname: string, port: number): HostPort => ({ hostname, port });

/** The host's channel to one address, on which a test makes datagrams arrive. */
class HostChannel implements DatagramChannel {
  readonly sent: string[] = [];
  closed = false;
  #waiting: (string | null | Error)[] = [];
  #wake = () => {};

  /** A datagram, the end (`null`) or an error arrives. */
  arrive(what: string | null | Error): void {
    this.#waiting.push(what);
    this.#wake();
  }

  async receive(): Promise<Uint8Array<ArrayBuffer> | null> {
    while (this.#waiting.length === 0) await new Promise<void>((wake) => this.#wake = wake);
    const next = this.#waiting.shift()!;
    if (next instanceof Error) throw next;
    return next === null ? null : new TextEncoder().encode(next);
  }

  send(datagram: Uint8Array): Promise<number> {
    this.sent.push(new TextDecoder().decode(datagram));
    return Promise.resolve(datagram.length);
  }

  close(): void {
    this.closed = true;
    this.arrive(null);
  }
}

/** A host that reaches every address and resolves one name. */
class FakeHost implements HostNetwork {
  /** The channels by address; a new channel replaces a closed one. */
  readonly channels: Map<string, HostChannel> = new Map();
  /** While this is pending, no dial completes. */
  ready: Promise<unknown> = Promise.resolve();
  dials = 0;

  resolve(name: string): Promise<string[]> {
    return name === "example.org"
      ? Promise.resolve(["192.0.2.53"])
      : Promise.reject(new Error("ENOTFOUND"));
  }

  dial(): Promise<never> {
    return Promise.reject(new Error("no TCP in this test"));
  }

  async dialDatagrams(address: HostPort): Promise<HostChannel> {
    this.dials++;
    await this.ready;
    const channel = new HostChannel();
    this.channels.set(formatHostPort(address), channel);
    return channel;
  }

  channel(name: string): HostChannel {
    return this.channels.get(name)!;
  }

  /** Number of open channels. */
  get open(): number {
    return [...this.channels.values()].filter(({ closed }) => !closed).length;
  }
}

/** A pair of stacks; the proxy runs on the server. */
class Proxied extends StackPair {
  readonly host: FakeHost = new FakeHost();

  constructor(options: Socks5Options = {}) {
    super();
    this.server.use(1080, socks5Through(this.host)(options));
  }

  associate(claimed?: HostPort): Promise<Socks5UdpClient> {
    return this.run(Socks5UdpClient.open(this.client, PROXY, claimed));
  }

  /** Ends the association and returns its counters. */
  async counts(client: Socks5UdpClient): Promise<Record<string, unknown>> {
    await this.clock.settle();
    await client.control.close();
    const ended = () => this.lines.find(({ message }) => message === "socks5: association ended");
    await this.clock.runUntil(() => ended() !== undefined);
    const { remote: _remote, plugin: _plugin, port: _port, ...counts } = ended()!.fields!;
    return counts;
  }
}

describe("socks5 UDP ASSOCIATE", () => {
  // By address and by name; each answer carries the address it came from.
  test("carries datagrams to targets and back (RFC 1928 7)", async () => {
    await using pair = new Proxied();
    const client = await pair.associate();
    expect(client.relay.hostname).toBe("10.0.0.2");
    await client.send("one", at("192.0.2.1", 53));
    await client.send("two", at("2001:db8::1", 4000));
    await client.sendToName("three", "example.org", 53);
    await client.send("", at("192.0.2.1", 53));
    await pair.clock.settle();
    expect([...pair.host.channels].map(([name, { sent }]) => [name, ...sent])).toEqual([
      ["192.0.2.1:53", "one", ""],
      ["[2001:db8::1]:4000", "two"],
      ["192.0.2.53:53", "three"],
    ]);
    const first = pair.run(client.receive());
    pair.host.channel("192.0.2.53:53").arrive("answer");
    expect(await first).toBe("answer from 192.0.2.53:53");
    const second = pair.run(client.receive());
    pair.host.channel("[2001:db8::1]:4000").arrive("");
    expect(await second).toBe(" from [2001:db8::1]:4000");
    expect(await pair.counts(client)).toEqual({ toTargets: 4, toClient: 2 });
    expect(pair.host.open).toBe(0);
  });

  // Over IPv6 the reply holds an IPv6 address.
  test("has the address that the client has connected to", async () => {
    await using pair = new Proxied();
    const opened = Socks5UdpClient.open(pair.client, "[fd00::2]:1080", at("::", 0));
    const client = await pair.run(opened);
    expect(client.relay.hostname).toBe("fd00::2");
    await client.send("ahoy", at("192.0.2.1", 53));
    await pair.clock.settle();
    expect(pair.host.channel("192.0.2.1:53").sent).toEqual(["ahoy"]);
  });

  // A client that closes, one that half-closes, and one that resets.
  test.each(["close", "closeWrite", "abort"])(
    "ends with the connection: %s",
    async (end: "close" | "closeWrite" | "abort") => {
      await using pair = new Proxied();
      const client = await pair.associate();
      await client.send("one", at("192.0.2.1", 53));
      await pair.clock.settle();
      expect(pair.host.open).toBe(1);
      void client.control[end]();
      await pair.clock.runUntil(() => pair.host.open === 0);
      const { dials } = pair.host;
      await client.send("too late", at("192.0.2.2", 53));
      await pair.clock.settle();
      expect(pair.host.dials).toBe(dials);
    },
  );

  // RFC 1928 7: datagrams from other sources MUST be dropped; here from another address and from
  // another port of the client.
  test("drops datagrams that are not the client's", async () => {
    await using pair = new Proxied();
    pair.client.addAddress("10.0.0.9/24");
    const client = await pair.associate();
    const header = [0, 0, 0, 1, 192, 0, 2, 1, 0, 53];
    const other = pair.client.listenDatagram({ port: 0, hostname: "10.0.0.9" });
    await other.send(Uint8Array.from(header), client.relay);
    await client.send("mine", at("192.0.2.1", 53));
    await pair.clock.settle();
    const process = pair.client.listenDatagram({ port: 0, hostname: "10.0.0.1" });
    await process.send(Uint8Array.from(header), client.relay);
    await pair.clock.settle();
    expect(pair.host.channel("192.0.2.1:53").sent).toEqual(["mine"]);
    expect(await pair.counts(client)).toMatchObject({ toTargets: 1, "drop.foreign": 2 });
  });

  // RFC 1928 6: the client may name the port it sends from; an address other than its own is
  // ignored.
  test("accepts datagrams from the port that the client has named", async () => {
    await using pair = new Proxied();
    const client = await pair.associate(at("10.0.0.1", 4000));
    await client.send("from another port", at("192.0.2.1", 53));
    const named = pair.client.listenDatagram({ port: 4000 });
    await named.send(Uint8Array.of(0, 0, 0, 1, 192, 0, 2, 1, 0, 53, 111, 107), client.relay);
    await pair.clock.settle();
    expect(pair.host.channel("192.0.2.1:53").sent).toEqual(["ok"]);

    const behindNat = await pair.associate(at("192.168.1.2", 4000));
    await behindNat.send("from anywhere", at("192.0.2.2", 53));
    await pair.clock.settle();
    expect(pair.host.channel("192.0.2.2:53").sent).toEqual(["from anywhere"]);
  });

  // Support for fragments is optional (RFC 1928 7); the others are not valid SOCKS datagrams.
  test("counts what it drops", async () => {
    await using pair = new Proxied();
    const client = await pair.associate();
    await client.sendRaw([0, 0, 1, 1, 192, 0, 2, 1, 0, 53, 1]);
    await client.sendRaw([0, 0, 0x81, 1, 192, 0, 2, 1, 0, 53, 1]);
    const malformed = [
      ...[[], [0, 0, 0], [0, 1, 0, 1, 192, 0, 2, 1, 0, 53], [0, 0, 0, 2, 192, 0, 2, 1, 0, 53]],
      ...[[0, 0, 0, 1, 192, 0, 2, 1, 0], [0, 0, 0, 1, 192, 0, 2, 1, 0, 0]],
      ...[[0, 0, 0, 3, 0, 0, 53], [0, 0, 0, 3, 5, 97, 98, 0, 53], [0, 0, 0, 4, 1, 2, 3, 4, 0, 53]],
    ];
    for (const bytes of malformed) await client.sendRaw(bytes);
    await client.send("x", at("127.0.0.1", 53));
    await client.sendToName("x", "unknown.test", 53);
    await pair.clock.settle();
    expect(pair.host.dials).toBe(0);
    expect(await pair.counts(client)).toEqual({
      toTargets: 0,
      toClient: 0,
      "drop.fragment": 2,
      "drop.malformed": malformed.length,
      "drop.denied": 1,
      "drop.unknown-name": 1,
    });
  });

  // The most recently used targets are kept; an evicted target gets a new socket when used again.
  test("keeps at most maxTargets targets at once", async () => {
    await using pair = new Proxied({ udp: { maxTargets: 3 } });
    const client = await pair.associate();
    const send = async (...hosts: number[]) => {
      for (const host of hosts) await client.send(String(host), at(`192.0.2.${host}`, 53));
      await pair.clock.settle();
    };
    await send(1, 2, 3, 1, 4);
    expect(pair.host.open).toBe(3);
    expect(pair.host.channel("192.0.2.2:53").closed).toBe(true);
    await send(2);
    expect(pair.host.channel("192.0.2.2:53").closed).toBe(false);
    expect(pair.host.channel("192.0.2.3:53").closed).toBe(true);
    for (let host = 1; host < 200; host++) await send(host);
    expect(pair.host.open).toBe(3);
    expect(await pair.counts(client)).toMatchObject({ toTargets: 205 });
  });

  // One client's targets use up the proxy's shared limit: its association is ended for another
  // client and its slots are freed.
  test("evicts an association of the client with the most for another client", async () => {
    await using pair = new Proxied({ maxConnections: 8 });
    const first = await pair.associate();
    for (let host = 1; host <= 8; host++) await first.send("x", at(`192.0.2.${host}`, 53));
    await pair.clock.settle();
    expect(pair.host.open).toBe(7);
    pair.client.addAddress("10.0.0.9/24");
    const second = await pair.run(
      Socks5UdpClient.open(pair.client, PROXY, undefined, "10.0.0.9"),
    );
    expect(await codeOf(pair.run(first.control.read(new Uint8Array(1))))).toBe("CONNECTION_RESET");
    expect(pair.host.open).toBe(0);
    await second.send("hello", at("192.0.2.9", 53));
    await pair.clock.settle();
    expect(pair.host.channel("192.0.2.9:53").sent).toEqual(["hello"]);
  });

  // No datagram in either direction for idleTimeoutMs: the socket is closed, and opened again when
  // needed.
  test("forgets an idle target", async () => {
    await using pair = new Proxied({ udp: { idleTimeoutMs: 1000 } });
    const client = await pair.associate();
    await client.send("one", at("192.0.2.1", 53));
    await pair.clock.advance(900);
    pair.host.channel("192.0.2.1:53").arrive("still there");
    await pair.clock.advance(900);
    expect(pair.host.open).toBe(1);
    await pair.clock.advance(100);
    expect(pair.host.open).toBe(0);
    await client.send("two", at("192.0.2.1", 53));
    await pair.clock.settle();
    expect(pair.host.channel("192.0.2.1:53").sent).toEqual(["two"]);
  });

  // The target's port is closed; the next datagram tries again.
  test("opens a new socket after one has failed", async () => {
    await using pair = new Proxied();
    const client = await pair.associate();
    await client.send("one", at("192.0.2.1", 53));
    await pair.clock.settle();
    pair.host.channel("192.0.2.1:53").arrive(new TcpError("CONNECTION_REFUSED", "nobody"));
    await pair.clock.settle();
    expect(pair.host.open).toBe(0);
    await client.send("two", at("192.0.2.1", 53));
    await pair.clock.settle();
    expect(pair.host.channel("192.0.2.1:53").sent).toEqual(["two"]);
  });

  // Until the target's socket is open a few datagrams wait, in order; a burst that follows waits in
  // the stack.
  test("queues a few datagrams for a target whose socket is being opened", async () => {
    await using pair = new Proxied();
    const client = await pair.associate();
    const way = Promise.withResolvers<void>();
    pair.host.ready = way.promise;
    for (let i = 0; i < 20; i++) await client.send(String(i), at("192.0.2.1", 53));
    for (let host = 2; host < 10; host++) {
      for (let i = 0; i < 10; i++) await client.send(String(i), at(`192.0.2.${host}`, 53));
    }
    await pair.clock.settle();
    way.resolve();
    await pair.clock.settle();
    const first = Array.from({ length: 16 }, (_, i) => String(i));
    const { sent } = pair.host.channel("192.0.2.1:53");
    expect(sent).toEqual(first);
    for (let i = 0; i < 40; i++) await client.send(String(i), at("192.0.2.1", 53));
    await pair.clock.settle();
    expect(sent.length).toBe(16 + 40);
    expect(await pair.counts(client)).toMatchObject({ toTargets: 64 + 40, "drop.overflow": 36 });
  });

  // Each datagram is for a different target and no dial completes: the number of pending dials is
  // limited.
  test("limits the dials pending at once", async () => {
    await using pair = new Proxied({ udp: { maxTargets: 3 } });
    const client = await pair.associate();
    const way = Promise.withResolvers<void>();
    pair.host.ready = way.promise;
    for (let host = 1; host < 200; host++) {
      await client.send("all", at(`192.0.2.${host}`, 53));
      await pair.clock.settle();
    }
    expect(pair.host.dials).toBe(64);
    way.resolve();
    await pair.clock.settle();
    expect(pair.host.open).toBe(3);
    await client.send("again", at("192.0.2.199", 53));
    await pair.clock.settle();
    expect(pair.host.dials).toBe(65);
    expect(await pair.counts(client)).toMatchObject({ "drop.overflow": 199 - 64 });
  });

  // The client goes away while the dial is pending: no socket stays open.
  test("closes a socket that is opened too late", async () => {
    await using pair = new Proxied();
    const client = await pair.associate();
    const way = Promise.withResolvers<void>();
    pair.host.ready = way.promise;
    await client.send("one", at("192.0.2.1", 53));
    await pair.clock.settle();
    await pair.counts(client);
    way.resolve();
    await pair.clock.settle();
    expect([pair.host.channels.size, pair.host.open]).toEqual([1, 0]);
  });

  // Another port of the proxy's own stack answers; names are not resolved there.
  test("sends back into the stack (via: stack)", async () => {
    await using pair = new Proxied({ via: "stack", deny: ["10.0.0.1"] });
    const echo = pair.server.listenDatagram({ port: 7 });
    void (async () => {
      for await (const [data, from] of echo) await echo.send(data, from);
    })();
    const client = await pair.associate();
    await client.send("denied", at("10.0.0.1", 7));
    await client.sendToName("no name", "example.org", 7);
    await client.send("ahoy", at("10.0.0.2", 7));
    expect(await pair.run(client.receive())).toBe("ahoy from 10.0.0.2:7");
    expect(await pair.counts(client)).toEqual({
      toTargets: 1,
      toClient: 1,
      "drop.denied": 1,
      "drop.no-name": 1,
    });
  });

  // The largest datagram of a target does not fit after a SOCKS header (RFC 1928 7).
  test("counts an answer that is too long", async () => {
    await using pair = new Proxied();
    const client = await pair.associate();
    await client.send("one", at("192.0.2.1", 53));
    await pair.clock.settle();
    pair.host.channel("192.0.2.1:53").arrive("x".repeat(65_500));
    const next = client.receive();
    pair.host.channel("192.0.2.1:53").arrive("y");
    expect(await pair.run(next)).toBe("y from 192.0.2.1:53");
    expect(await pair.counts(client)).toMatchObject({ toClient: 1, "drop.unsendable": 1 });
  });

  // The option turns the command off.
  test("is refused with udp: false (RFC 1928 6: 07)", async () => {
    await using pair = new Proxied({ udp: false });
    await expect(pair.associate()).rejects.toThrow("refused with 7");
    const socks5 = socks5Through(pair.host);
    expect(() => socks5({ udp: true as false })).toThrow(/^socks5: options\.udp: expected \{ max/);
    expect(() => socks5({ udp: { maxTargets: 0 } })).toThrow(/^socks5: options\.udp/);
  });
});
