import { describe, expect, test } from "bun:test";
import { seededRandom } from "../../../adapters/runtime/seeded_random.ts";
import { parseListenAddress } from "../../../core/api/listen_address.ts";
import type { Listener } from "../../../core/stack/tcp/listener.ts";
import { Subnet } from "../../../core/wire/address.ts";
import { inClosed } from "../../support/dsl/builders.ts";
import { encodeIcmp, encodeUdp } from "../../support/dsl/encode.ts";
import type { Trace } from "../../support/dsl/trace.ts";
import { fragmentOf } from "../../support/fragments.ts";

const NETWORKS = { 4: "10.90.0.0/16", 6: "fd00:90::/64" } as const;
const HOST = { 4: "10.90.0.1", 6: "fd00:90::1" } as const;
const SOMEWHERE = { 4: "10.90.200.7", 6: "fd00:90::dead:beef" } as const;

function inNetwork(version: 4 | 6, except: readonly string[] = Object.values(HOST)): Trace {
  return inClosed({
    subnets: Object.values(NETWORKS),
    except,
    local: SOMEWHERE[version],
    remote: HOST[version],
  });
}

function listen(t: Trace, where: string): Listener {
  const request = { ...parseListenAddress(where), backlog: 100_000, decides: false };
  const listener = t.wire.stack.tcp.listen(request);
  if (typeof listener === "string") throw new Error(listener);
  return listener;
}

for (const version of [4, 6] as const) {
  describe(`a whole network over IPv${version}`, () => {
    // The reply comes from the address that was pinged.
    test("answers echo from every address (RFC 1122 3.2.2.6)", () => {
      const t = inNetwork(version);
      const request = { type: version === 4 ? 8 : 128, code: 0, rest: 7, body: new Uint8Array(9) };
      t.wire.inject(encodeIcmp(t.remote, t.local, request));
      const reply = t.recvIcmp(version === 4 ? 0 : 129, 0);
      expect(reply).toMatchObject({ source: t.local, destination: t.remote });
    });

    // The ICMP error comes from the destination address.
    test("answers UDP to a closed port with port unreachable (RFC 1122 4.1.3.1)", () => {
      const t = inNetwork(version);
      t.wire.inject(encodeUdp(t.remote, t.local, 5000, 53, new Uint8Array(10)));
      const error = version === 4 ? t.recvIcmp(3, 3) : t.recvIcmp(1, 4);
      expect(error).toMatchObject({ source: t.local, destination: t.remote });
    });

    // A handshake, and the RST of a closed port.
    test("accepts connections to every address and port of a wildcard listener (RFC 9293 3.10.7.2)", () => {
      const t = inNetwork(version);
      const listener = listen(
        t,
        version === 4 ? `${NETWORKS[4]}:2-65535` : "[fd00:90::/64]:2-65535",
      );
      t.send({ flags: "S" });
      t.recv({ flags: "S.", ack: 1 });
      t.send();
      expect(t.state).toBe("ESTABLISHED");
      expect(listener.ready[0]!.local.toString()).toBe(SOMEWHERE[version]);
      const closed = t.other({ localPort: 1 });
      closed.send({ flags: "S" });
      closed.recv({ flags: "R.", seq: 0, ack: 1 });
    });

    // Excluded addresses belong to the host; packets to them are not for the stack.
    test("does not own excluded addresses", () => {
      const t = inNetwork(version);
      listen(t, "*");
      const other = t.other({ local: HOST[version], remote: SOMEWHERE[version] });
      other.send({ flags: "S" });
      other.recvNothing();
      expect(t.wire.stack.stats.dropped("not-ours")).toBe(1);
    });

    // Any of its addresses can be the source; by default it is the first usable one.
    test("connects from any of its addresses", () => {
      const t = inNetwork(version);
      const { stack } = t.wire;
      const remote = Subnet.parse(HOST[version])!.address;
      const local = Subnet.parse(SOMEWHERE[version])!.address;
      const request = { remote, remotePort: 80, localPort: 0 };
      const first = t.wire.step(() => stack.tcp.connect({ ...request, local: undefined }, 0));
      const said = t.wire.step(() => stack.tcp.connect({ ...request, local }, 0));
      const notOwn = stack.tcp.connect({ ...request, local: remote }, 0);
      if (typeof first === "string" || typeof said === "string") throw new Error("refused");
      expect(first.local.toString()).toBe(version === 4 ? "10.90.0.2" : "fd00:90::2");
      expect(said.local.toString()).toBe(SOMEWHERE[version]);
      expect(notOwn).toBe("ADDRESS_NOT_AVAILABLE");
      expect(t.wire.unread.length).toBe(2);
    });
  });
}

describe("a whole network", () => {
  // Datagrams to different addresses are reassembled separately.
  test("reassembles fragments for each of its addresses (RFC 791 3.2)", () => {
    const t = inNetwork(4);
    const message = { type: 8, code: 0, rest: 1, body: new Uint8Array(24) };
    const send = (destination: string, start: number, end: number) =>
      t.wire.inject(fragmentOf(encodeIcmp(HOST[4], destination, message), start, end));
    send("10.90.3.3", 0, 16);
    send(SOMEWHERE[4], 16, 32);
    t.recvNothing();
    send(SOMEWHERE[4], 0, 16);
    expect(t.recvIcmp(0, 0)).toMatchObject({ source: SOMEWHERE[4] });
  });

  // A spoofed source, or a client that was not excluded: replies would go to the stack itself.
  test("drops packets from its own addresses", () => {
    const t = inNetwork(4);
    listen(t, "*");
    const inside = t.other({ remote: "10.90.0.9" });
    inside.send({ flags: "S" });
    const body = new Uint8Array(8);
    t.wire.inject(encodeIcmp("10.90.0.9", t.local, { type: 8, code: 0, rest: 1, body }));
    t.wire.inject(encodeUdp("10.90.0.9", t.local, 5000, 53, body));
    inside.recvNothing();
    expect(t.wire.stack.stats.dropped("ip-own-source")).toBe(3);
    expect(t.wire.stack.tcp.connectionCount).toBe(0);
  });

  // Broadcast, multicast and loopback addresses are not own, even if everything else is.
  test.each(
    [
      ["10.90.255.255", "not-ours"],
      ["224.0.0.1", "not-ours"],
      ["255.255.255.255", "not-ours"],
      ["127.0.0.1", "ip-destination"],
      ["0.0.0.0", "ip-destination"],
      ["240.0.0.1", "ip-destination"],
    ] as const,
  )(
    "does not answer %s, which is %s (RFC 1122 3.2.1.3)",
    (local, reason) => {
      const subnets = ["0.0.0.0/0", "10.90.0.0/16"];
      const t = inClosed({ subnets, except: ["10.90.0.1"], local, remote: "10.90.0.1" });
      listen(t, "*");
      t.send({ flags: "S" });
      t.wire.inject(
        encodeIcmp(t.remote, local, { type: 8, code: 0, rest: 1, body: new Uint8Array(8) }),
      );
      t.wire.inject(encodeUdp(t.remote, local, 1, 2, new Uint8Array(1)));
      t.recvNothing();
      expect(t.wire.stack.stats.dropped(reason)).toBe(3);
    },
  );

  // Connections in the removed part end silently; the others continue.
  test("can have a part removed", () => {
    const t = inNetwork(4);
    listen(t, "80");
    const other = t.other({ local: "10.90.7.7" });
    for (const each of [t, other]) {
      each.send({ flags: "S" });
      each.recv({ flags: "S.", ack: 1 });
      each.send();
    }
    const { tcb } = t;
    t.wire.step((stack) => stack.removeSubnet(Subnet.parse("10.90.200.0/24")!));
    t.recvNothing();
    expect([tcb.state, other.state]).toEqual(["CLOSED", "ESTABLISHED"]);
    expect(tcb.error).toBe("ADDRESS_NOT_AVAILABLE");
    t.send({ data: 10 });
    t.recvNothing();
    t.wire.step((stack) => stack.addSubnet(Subnet.parse("10.90.200.0/24")!));
    t.send({ data: 10 });
    t.recv({ flags: "R" });
  });

  // 65,535 ports of 65,534 addresses: one listener, and no state before the first SYN.
  test("of a /16 needs one listener for all ports (RFC 9293 3.10.7.2)", () => {
    const t = inNetwork(4);
    const listener = listen(t, "10.90.0.0/16:*");
    const random = seededRandom(16);
    for (let i = 0; i < 2000; i++) {
      const local = `10.90.${random.uint32() % 255}.${2 + random.uint32() % 253}`;
      const localPort = 1 + random.uint32() % 65_535;
      const each = t.other({ local, localPort });
      each.send({ flags: "S" });
      each.recv({ flags: "S.", ack: 1 });
      each.send({ flags: "R" });
      expect(t.wire.stack.tcp.connectionCount).toBe(0);
    }
    expect(listener.halfOpen.size).toBe(0);
    t.send({ flags: "S" });
    t.recv({ flags: "S.", ack: 1 });
    t.send();
    expect(listener.ready[0]).toMatchObject({ localPort: 80 });
    expect(
      t.wire.stack.tcp.listen({
        ...parseListenAddress("10.90.0.0/16:*"),
        backlog: 1,
        decides: false,
      }),
    )
      .toBe("ADDRESS_IN_USE");
  });
});
