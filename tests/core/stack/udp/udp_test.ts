import { describe, expect, test } from "bun:test";
import { IpAddress } from "../../../../core/wire/address.ts";
import { decode } from "../../../support/dsl/decode.ts";
import { decodeUdp } from "../../../support/dsl/decode_udp.ts";
import { encodeIcmp, encodeUdp } from "../../../support/dsl/encode.ts";
import { cut, identificationOf, joined } from "../../../support/fragments.ts";
import { pattern } from "../../../support/packets.ts";
import { textsOf, udpBinding, UdpHost } from "../../../support/udp_host.ts";

const ENDS: Record<4 | 6, [string, string]> = {
  4: ["10.0.0.1", "10.0.0.2"],
  6: ["fd00::1", "fd00::2"],
};
const FAMILIES: [4 | 6][] = [[4], [6]];
const bytes = (text: string) => new TextEncoder().encode(text);

describe("datagrams in", () => {
  // With the addresses and ports of both ends.
  test.each(FAMILIES)("reach the socket on their port over IPv%d (RFC 768)", (v: 4 | 6) => {
    const host = new UdpHost();
    const socket = host.socket(udpBinding(53));
    const [peer, own] = ENDS[v];
    expect(host.datagram(`${peer} 4000`, `${own} 53`, bytes("ahoy"))).toEqual([]);
    const { data, local, localPort, remote, remotePort } = socket.queue.shift()!;
    expect(new TextDecoder().decode(data)).toBe("ahoy");
    expect([`${remote}`, remotePort, `${local}`, localPort]).toEqual([peer, 4000, own, 53]);
    expect(host.stack.stats.datagramsIn).toBe(1);
  });

  // A link may reuse the packet's buffer immediately.
  test("are copied out of their packets", () => {
    const host = new UdpHost();
    const socket = host.socket(udpBinding(53));
    const packet = encodeUdp(...ENDS[4], 4000, 53, bytes("ahoy"));
    host.receive(packet);
    packet.fill(0);
    expect(textsOf(socket)).toEqual(["ahoy"]);
  });

  // A single address is preferred to a wildcard, a single port to a range.
  test("go to the most specific binding", () => {
    const host = new UdpHost();
    host.stack.addSubnet(udpBinding(1, "10.0.0.3/24").subnet!);
    const places = {
      all: host.socket(udpBinding(1, undefined, 65_535)),
      range: host.socket(udpBinding(50, undefined, 59)),
      port: host.socket(udpBinding(53)),
      address: host.socket(udpBinding(1, "10.0.0.3/32", 65_535)),
      both: host.socket(udpBinding(53, "10.0.0.3/32")),
    };
    const sent = { all: "2 60", range: "2 52", port: "2 53", address: "3 52", both: "3 53" };
    for (const [name, to] of Object.entries(sent)) {
      host.datagram("10.0.0.1 4000", `10.0.0.${to}`, bytes(name));
    }
    for (const [name, socket] of Object.entries(places)) expect(textsOf(socket)).toEqual([name]);
  });

  // A port that was never bound, and one that was closed.
  test("to a closed port are answered by ICMP (RFC 1122 4.1.3.1)", () => {
    const host = new UdpHost();
    const socket = host.socket(udpBinding(53));
    host.stack.udp.unbind(socket);
    for (const port of [53, 54]) {
      const [reply] = host.datagram("10.0.0.1 4000", `10.0.0.2 ${port}`, pattern(4));
      expect(decode(reply!)).toMatchObject({ type: 3, code: 3 });
    }
    expect(host.drops()).toEqual({ "udp-port": 2 });
  });

  // Otherwise a spoofed source could make two services of the stack talk to each other.
  test("with an own source address are dropped", () => {
    const host = new UdpHost();
    host.socket(udpBinding(7));
    expect(host.datagram("10.0.0.2 19", "10.0.0.2 7", pattern(4))).toEqual([]);
    expect(host.drops()).toEqual({ "ip-own-source": 1 });
  });

  // Malformed datagrams are counted and never answered.
  test("that are malformed are dropped and counted by reason", () => {
    const host = new UdpHost();
    host.socket(udpBinding(53));
    const packet = encodeUdp(...ENDS[4], 4000, 53, pattern(8), true);
    packet[packet.length - 1]! ^= 1;
    const long = encodeUdp(...ENDS[4], 4000, 53, pattern(8), false);
    long[25] = 200;
    const unsummed = encodeUdp(...ENDS[6], 4000, 53, pattern(8), false);
    expect(host.receive(packet, long, unsummed)).toEqual([]);
    expect(host.drops()).toEqual({ "udp-checksum": 2, "udp-length": 1 });
  });

  // In any order, up to the maximum size.
  test.each(FAMILIES)("are reassembled from fragments over IPv%d (RFC 791 3.2)", (v: 4 | 6) => {
    const host = new UdpHost();
    const socket = host.socket(udpBinding(53));
    const longest = v === 4 ? 65_507 : 65_527;
    for (const [id, size] of [1473, 3000, longest].entries()) {
      const packet = encodeUdp(...ENDS[v], 4000, 53, pattern(size), true);
      const count = Math.ceil((size + 8) / 1448) - 1;
      const pieces = cut(packet, Array.from({ length: count }, (_, i) => (i + 1) * 1448), id);
      host.receive(...pieces.reverse());
      expect(socket.queue.shift()!.data).toEqual(pattern(size));
    }
    expect(host.stack.stats.reassembled).toBe(3);
  });

  // Whole datagrams are delivered or dropped, never parts.
  test("are queued in bounded memory, and the newest is dropped", () => {
    const host = new UdpHost(1500, { maxDatagrams: 3, maxBytes: 4000, maxMemory: 5000 });
    const socket = host.socket(udpBinding(53));
    for (const text of ["a", "b", "c", "d"]) {
      host.datagram("10.0.0.1 1", "10.0.0.2 53", bytes(text));
    }
    expect(textsOf(socket)).toEqual(["a", "b", "c"]);
    // 256 bytes of overhead each.
    for (const _ of "123") host.datagram("10.0.0.1 1", "10.0.0.2 53", pattern(1400));
    expect(socket.queue.count).toBe(2);
    const other = host.socket(udpBinding(54));
    for (const _ of "12") host.datagram("10.0.0.1 1", "10.0.0.2 54", pattern(1400));
    expect(other.queue.count).toBe(1);
    expect(host.drops()).toEqual({ "udp-queue": 2, "udp-memory": 1 });
    expect(host.stack.udp.queuedBytes).toBe(3 * 1656);
    for (const one of [socket, other]) host.stack.udp.unbind(one);
    expect(host.stack.udp.queuedBytes).toBe(0);
    expect(host.drops()).toMatchObject({ "udp-unread": 3 });
  });
});

describe("datagrams out", () => {
  // From any own address and port to any peer.
  test.each(FAMILIES)("have addresses, ports and checksum over IPv%d (RFC 768)", (v: 4 | 6) => {
    const host = new UdpHost();
    const [peer, own] = ENDS[v];
    const [sent] = host.send(`${own} 53`, `${peer} 4000`, pattern(77));
    expect(sent).toMatchObject({ source: own, destination: peer, sourcePort: 53 });
    expect(sent).toMatchObject({ destinationPort: 4000, data: pattern(77) });
    expect(host.stack.stats.datagramsOut).toBe(1);
  });

  // Routers may fragment them, so each has an identification of its own.
  test("may be fragmented by routers over IPv4 (RFC 6864 4.3)", () => {
    const host = new UdpHost();
    const socket = host.socket(udpBinding(53));
    expect(socket.closed).toBe(false);
    const ids = new Set<number>();
    for (let i = 0; i < 100; i++) {
      host.stack.udp.send(undefined, 53, IpAddress.parse("10.0.0.1")!, 9, pattern(9), host.now);
      const [packet] = host.sent();
      expect(packet![6]).toBe(0);
      ids.add(identificationOf(packet!));
    }
    expect(ids.size).toBe(100);
  });

  // Up to the maximum length, and not a byte more.
  test.each(FAMILIES)("are fragmented over IPv%d (RFC 791 3.2, RFC 8200 4.5)", (v: 4 | 6) => {
    const host = new UdpHost();
    const [peer, own] = ENDS[v].map((text) => IpAddress.parse(text)!);
    const longest = v === 4 ? 65_507 : 65_527;
    for (const size of [1473, 20_000, longest]) {
      host.stack.udp.send(own, 53, peer!, 4000, pattern(size), host.now);
      const fragments = host.sent();
      expect(fragments.length).toBeGreaterThan(1);
      expect(decodeUdp(joined(fragments)).data).toEqual(pattern(size));
    }
    const tooLong = pattern(longest + 1);
    expect(host.stack.udp.send(own, 53, peer!, 4000, tooLong, host.now)).toBe("MESSAGE_TOO_LONG");
  });

  // A router reports a smaller MTU than the link's: later datagrams are fragmented to fit, for a
  // while.
  test("respect the path MTU that a router has reported (RFC 8201 4)", () => {
    const host = new UdpHost();
    host.socket(udpBinding(53));
    const send = () => {
      const remote = IpAddress.parse("fd00::1")!;
      host.stack.udp.send(IpAddress.parse("fd00::2"), 53, remote, 9, pattern(1400), host.now);
      return host.sent();
    };
    const [whole] = send();
    const tooBig = { type: 2, code: 0, rest: 1300, body: whole!.subarray(0, 600) };
    host.receive(encodeIcmp("fd00::99", "fd00::2", tooBig));
    expect(send().map(({ length }) => length)).toEqual([1280, 224]);
    host.now += 10 * 60_000;
    expect(send().length).toBe(1);
    // One error is about an unbound port, one has an MTU below the minimum.
    host.receive(encodeIcmp("fd00::99", "fd00::2", { ...tooBig, rest: 500 }));
    const other = tooBig.body.slice();
    other[41] = 99;
    host.receive(encodeIcmp("fd00::99", "fd00::2", { ...tooBig, body: other }));
    expect(send().length).toBe(1);
    expect(host.drops()).toEqual({ "icmp-no-connection": 2 });
  });

  // To an unspecified or broadcast address, or from an address that is not own.
  test("with invalid addresses are refused", () => {
    const host = new UdpHost();
    const send = (from: string | undefined, to: string, port = 9) => {
      const local = from === undefined ? undefined : IpAddress.parse(from);
      return host.stack.udp.send(local, 53, IpAddress.parse(to)!, port, pattern(1), host.now);
    };
    expect(send(undefined, "0.0.0.0")).toBe("INVALID_ADDRESS");
    expect(send(undefined, "224.0.0.1")).toBe("INVALID_ADDRESS");
    expect(send(undefined, "10.0.0.255")).toBe("INVALID_ADDRESS");
    expect(send(undefined, "10.0.0.1", 0)).toBe("INVALID_ADDRESS");
    expect(send("10.0.0.3", "10.0.0.1")).toBe("ADDRESS_NOT_AVAILABLE");
    expect(send("10.0.0.2", "fd00::1")).toBe("ADDRESS_NOT_AVAILABLE");
    expect(host.sent()).toEqual([]);
  });

  // They never reach the link.
  test("to an own address are looped back", () => {
    const host = new UdpHost();
    const socket = host.socket(udpBinding(53));
    expect(host.send("10.0.0.2 54", "10.0.0.2 53", bytes("self"))).toEqual([]);
    expect(textsOf(socket)).toEqual(["self"]);
    // Closed port: the error is looped back too, to the sending socket.
    const sender = host.socket(udpBinding(54));
    expect(host.send("10.0.0.2 54", "10.0.0.2 55", bytes("self"))).toEqual([]);
    expect(sender.errors.map(({ reason, remotePort }) => [reason, remotePort]))
      .toEqual([["CONNECTION_REFUSED", 55]]);
  });

  // Ephemeral ports are from IANA's dynamic range, and each is used once.
  test("use ephemeral ports (RFC 6335 6)", () => {
    const host = new UdpHost();
    const ports = new Set<number>();
    for (let i = 0; i < 50; i++) {
      const bound = host.stack.udp.bindSocket(udpBinding(0));
      if (typeof bound === "string") throw new Error(bound);
      ports.add(bound.binding.firstPort);
    }
    expect(ports.size).toBe(50);
    expect(Math.min(...ports)).toBeGreaterThanOrEqual(49_152);
    expect(host.stack.udp.bindSocket(udpBinding([...ports][0]!))).toBe("ADDRESS_IN_USE");
  });
});

describe("ICMP errors about datagrams", () => {
  // The quoted ports identify the socket; its queue of errors is bounded.
  test.each(FAMILIES)(
    "reach the sending socket over IPv%d (RFC 1122 4.1.3.3)",
    (v: 4 | 6) => {
      const host = new UdpHost();
      const socket = host.socket(udpBinding(53));
      const [peer, own] = ENDS[v];
      const quoted = encodeUdp(own, peer, 53, 4000, pattern(8), true);
      const codes = v === 4 ? [[3, 3], [3, 1], [3, 13]] : [[1, 4], [1, 0], [1, 1]];
      for (const [type, code] of codes) {
        host.receive(encodeIcmp(peer, own, { type: type!, code: code!, rest: 0, body: quoted }));
      }
      expect(socket.errors.map(({ reason }) => reason))
        .toEqual(["CONNECTION_REFUSED", "UNREACHABLE", "UNREACHABLE"]);
      expect(socket.errors[0]).toMatchObject({ localPort: 53, remotePort: 4000 });
      const [type, code] = codes[0]!;
      const error = encodeIcmp(peer, own, { type: type!, code: code!, rest: 0, body: quoted });
      for (let i = 0; i < 200; i++) host.receive(error);
      expect(socket.errors.length).toBe(64);
    },
  );

  // Temporary errors, errors about later fragments, and errors about datagrams that were not sent
  // here.
  test("are dropped if they do not apply", () => {
    const host = new UdpHost();
    const socket = host.socket(udpBinding(53));
    const quoted = encodeUdp("10.0.0.2", "10.0.0.1", 53, 4000, pattern(8));
    const error = (type: number, code: number, body: Uint8Array) =>
      host.receive(encodeIcmp("10.0.0.99", "10.0.0.2", { type, code, rest: 0, body }));
    error(11, 0, quoted);
    error(4, 0, quoted);
    error(3, 3, cut(quoted, [8])[1]!);
    error(3, 3, encodeUdp("10.0.0.2", "10.0.0.1", 54, 4000, pattern(8)));
    error(3, 3, encodeUdp("10.0.0.3", "10.0.0.1", 53, 4000, pattern(8)));
    expect(socket.errors).toEqual([]);
    expect(host.drops()).toEqual({ "icmp-no-connection": 5 });
  });

  // A fragment header precedes the ports.
  test("about IPv6 fragments are understood (RFC 4443 3.1)", () => {
    const host = new UdpHost();
    const socket = host.socket(udpBinding(53));
    const sender = IpAddress.parse("fd00::2")!;
    host.stack.udp.send(sender, 53, IpAddress.parse("fd00::1")!, 9, pattern(3000), host.now);
    const [first, second] = host.sent();
    for (const body of [second!, first!]) {
      host.receive(encodeIcmp("fd00::1", "fd00::2", { type: 1, code: 4, rest: 0, body }));
    }
    expect(socket.errors.length).toBe(1);
  });
});
