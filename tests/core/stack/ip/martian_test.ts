import { describe, expect, test } from "bun:test";
import { inClosed } from "../../../support/dsl/builders.ts";
import { encodeIcmp, encodeIp, encodeTcp, encodeUdp } from "../../../support/dsl/encode.ts";
import { cut } from "../../../support/fragments.ts";

/** Packets that would be answered if their source were valid. */
function questions(source: string, destination: string): Uint8Array<ArrayBuffer>[] {
  const type = source.includes(":") ? 128 : 8;
  const echo = encodeIcmp(source, destination, {
    type,
    code: 0,
    rest: 1,
    body: new Uint8Array(48),
  });
  const segment = { source, destination, sourcePort: 7, destinationPort: 80, window: 0 };
  return [
    echo,
    ...cut(echo, [24]),
    encodeUdp(source, destination, 5000, 53, new Uint8Array(4)),
    encodeTcp({ ...segment, seq: 1, ack: 0, flags: 2 }),
    encodeTcp({ ...segment, seq: 1, ack: 1, flags: 16 }),
    encodeIp(source, destination, 132, new Uint8Array(12)),
  ];
}

describe("a packet from", () => {
  // Invalid sources: loopback, this network, multicast, class E and limited broadcast.
  test.each([
    "127.0.0.1",
    "127.255.255.254",
    "0.0.0.0",
    "0.1.2.3",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
    "::1",
    "::",
    "ff02::1",
    "ff0e::9",
    "::ffff:7f00:1",
    "::ffff:a00:1",
  ])("%s is dropped whatever is in it (RFC 1122 3.2.1.3, RFC 4291 2.5.3)", (source) => {
    const version = source.includes(":") ? 6 : 4;
    const t = inClosed({ version });
    t.wire.listen(80);
    const packets = questions(source, t.local);
    for (const packet of packets) t.wire.inject(packet);
    t.recvNothing();
    expect(t.wire.stack.stats.dropped("ip-source")).toBe(packets.length);
    expect(t.wire.stack.tcp.connectionCount).toBe(0);
  });

  // The broadcast address of an own network; TCP drops such segments if there is no connection.
  test("a directed broadcast address is dropped (RFC 1122 3.2.1.3)", () => {
    const t = inClosed();
    t.wire.listen(80);
    for (const packet of questions("10.0.0.255", t.local)) t.wire.inject(packet);
    t.recvNothing();
    expect(t.wire.stack.stats.snapshot()).toMatchObject({
      "drop.ip-source": 5,
      "drop.tcp-not-unicast": 2,
    });
  });

  // Valid addresses at the edges of the reserved ranges.
  test.each(["1.0.0.0", "126.255.255.255", "128.0.0.1", "223.255.255.254", "::2", "fe80::1"])(
    "%s is answered",
    (source) => {
      const t = inClosed({ version: source.includes(":") ? 6 : 4, remote: source });
      t.wire.inject(questions(source, t.local)[0]!);
      expect(t.wire.unread.splice(0)).toHaveLength(1);
    },
  );
});

describe("a packet to", () => {
  // Even a stack that owns all addresses does not own these.
  test.each(
    [
      ["127.0.0.1", "ip-destination"],
      ["0.0.0.0", "ip-destination"],
      ["0.1.2.3", "ip-destination"],
      ["240.0.0.1", "ip-destination"],
      ["255.255.255.255", "not-ours"],
      ["224.0.0.1", "not-ours"],
      ["::1", "ip-destination"],
      ["::", "ip-destination"],
      ["ff02::1", "not-ours"],
      ["::ffff:a00:2", "ip-source"],
    ] as const,
  )("%s is dropped as %s (RFC 1122 3.2.1.3)", (destination, reason) => {
    const isV6 = destination.includes(":");
    const remote = isV6 ? "fd00::1" : "10.0.0.1";
    const t = inClosed({ subnets: ["0.0.0.0/0", "::/0"], except: [remote] });
    t.wire.listen(80);
    const packets = questions(remote, destination);
    for (const packet of packets) t.wire.inject(packet);
    t.recvNothing();
    expect(t.wire.stack.stats.dropped(reason)).toBe(packets.length);
  });
});
