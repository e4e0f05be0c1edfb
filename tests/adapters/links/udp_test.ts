import { createSocket, type Socket } from "node:dgram";
import { describe, expect, test } from "bun:test";
import { openUdpLink, type UdpLink } from "../../../adapters/links/udp.ts";
import { createStack } from "../../../core/api/stack.ts";
import { PacketBatch } from "../../../core/stack/link.ts";
import { echo } from "../../../plugins/echo.ts";
import { pattern, udpPacket } from "../../support/packets.ts";
import { until } from "../../support/until.ts";
import { linkConformance } from "./link_conformance.ts";

const routes = [{ from: "10.0.0.1", to: "10.0.0.2" }, { from: "fd00::1", to: "fd00::2" }];
const [route] = routes as [typeof routes[0]];

/** Two links with each other as peer. */
async function pair(host: string): Promise<{ left: UdpLink; right: UdpLink }> {
  const waiting = await openUdpLink({ local: `${host}:0` });
  const left = await openUdpLink({ local: `${host}:0`, remote: waiting.localAddress });
  const right = await openUdpLink({ remote: left.localAddress });
  await waiting.close();
  await left.close();
  const { localAddress } = left;
  const again = await openUdpLink({ local: localAddress, remote: local(right, host) });
  return { left: again, right };
}

/** The address to reach a link that is bound to all addresses. */
function local(link: UdpLink, host: string): string {
  return `${host}:${/\d+$/.exec(link.localAddress)![0]}`;
}

for (const [host, ...needs] of [["127.0.0.1"], ["[::1]", "ipv6"]] as const) {
  linkConformance(
    `UDP datagrams over ${host}`,
    async () => ({ ...await pair(host), routes, isSlow: true }),
    ...needs,
  );
}

/** A socket that is not a link. */
async function boundSocket(): Promise<Socket> {
  const socket = createSocket("udp4");
  await new Promise<void>((resolve) => socket.bind(0, "127.0.0.1", resolve));
  return socket;
}

function sendTo(link: UdpLink, socket: Socket, bytes: Uint8Array): Promise<void> {
  const port = Number(/\d+$/.exec(link.localAddress)![0]);
  return new Promise((resolve) => socket.send(bytes, port, "127.0.0.1", () => resolve()));
}

function packetBytes(size: number): Uint8Array {
  const packet = udpPacket(route, pattern(size));
  const bytes = new Uint8Array(packet.byteLength);
  packet.copyTo(bytes, 0);
  return bytes;
}

describe("openUdpLink", () => {
  // The source of the first packet is the peer; other sources are dropped.
  test("learns the peer from the first packet", async () => {
    await using link = await openUdpLink({ local: "127.0.0.1:0" });
    const [first, second] = [await boundSocket(), await boundSocket()];
    try {
      expect(link.send(udpPacket(route, pattern(10)))).toBe(false);
      await sendTo(link, second, new TextEncoder().encode("no packet"));
      await until(() => link.drops["unknown-source"] === 1);
      expect(link.remoteAddress).toBe(undefined);
      await sendTo(link, first, packetBytes(10));
      await until(() => link.remoteAddress !== undefined);
      expect(link.remoteAddress).toBe(`127.0.0.1:${first.address().port}`);
      await sendTo(link, second, packetBytes(10));
      await until(() => link.drops["unknown-source"] === 2);
      expect(link.receive(new PacketBatch(8))).toBe(1);
      const answer = new Promise<Uint8Array>((resolve) => first.once("message", resolve));
      expect(link.send(udpPacket(route, pattern(20)))).toBe(true);
      expect([...await answer]).toEqual([...packetBytes(20)]);
    } finally {
      first.close();
      second.close();
    }
  });

  // The name is resolved; datagrams from other sources are dropped.
  test("accepts datagrams from its remote only", async () => {
    const [known, unknown] = [await boundSocket(), await boundSocket()];
    await using link = await openUdpLink({
      local: "127.0.0.1:0",
      remote: `127.0.0.1:${known.address().port}`,
    });
    try {
      await sendTo(link, unknown, packetBytes(10));
      await until(() => link.drops["unknown-source"] === 1);
      await sendTo(link, known, packetBytes(10));
      expect(await link.ready()).toBe(true);
      expect(link.receive(new PacketBatch(8))).toBe(1);
    } finally {
      known.close();
      unknown.close();
    }
  });

  // Datagrams that are too large or empty, and a flood that is not received.
  test("counts dropped datagrams", async () => {
    await using link = await openUdpLink({ local: "127.0.0.1:0", mtu: 100, queue: 3 });
    const socket = await boundSocket();
    try {
      await sendTo(link, socket, packetBytes(73));
      await sendTo(link, socket, new Uint8Array(0));
      await until(() => link.drops["bad-size"] === 2);
      for (let i = 0; i < 5; i++) await sendTo(link, socket, packetBytes(72));
      await until(() => link.drops["queue-full"] === 2);
      expect(link.receive(new PacketBatch(8))).toBe(3);
      expect(link.stats()).toMatchObject({ "drop.bad-size": 2, "drop.queue-full": 2 });
    } finally {
      socket.close();
    }
  });

  // Packets are lost until the peer starts, and the link stays usable.
  test("tolerates an absent peer", async () => {
    const port = await openUdpLink({ local: "127.0.0.1:0" }).then(async (link) => {
      await link.close();
      return link.localAddress;
    });
    await using link = await openUdpLink({ local: "127.0.0.1:0", remote: port });
    for (let i = 0; i < 20; i++) {
      link.send(udpPacket(route, pattern(10)));
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    await using late = await openUdpLink({ local: port, remote: link.localAddress });
    link.send(udpPacket(route, pattern(10)));
    expect(await late.ready()).toBe(true);
  });

  // send() never waits, so the queue has to be bounded.
  test("queues no more packets to send than its limit", async () => {
    await using link = await openUdpLink({ remote: "127.0.0.1:9", queue: 3 });
    const send = () => link.send(udpPacket(route, pattern(10)));
    expect([send(), send(), send(), send()]).toEqual([true, true, true, false]);
  });

  // A stack on each end.
  test("carries connections", async () => {
    const { left, right } = await pair("127.0.0.1");
    await using there = createStack({ link: right, addresses: ["10.9.0.1/24"] });
    there.use(7, echo());
    await using here = createStack({ link: left, addresses: ["10.9.0.2/24"] });
    await using socket = here.connect("10.9.0.1:7", { allowHalfOpen: true });
    const sent = pattern(300_000);
    const writing = socket.write(sent).then(() => socket.closeWrite());
    const got: Uint8Array[] = [];
    for await (const chunk of socket) got.push(chunk.slice());
    await writing;
    expect(Buffer.concat(got).equals(sent)).toBe(true);
  });

  // One message that says what to do.
  test.each([
    [{}, 'a UDP link needs "local" or "remote"'],
    [
      { local: "5000" },
      "local must be ADDRESS:PORT such as 127.0.0.1:5000 or [::1]:5000, not 5000",
    ],
    [{ remote: "127.0.0.1:0" }, "remote: 127.0.0.1:0 has no port"],
    [{ local: "127.0.0.1:0", remote: "[::1]:9" }, "differ in IP version"],
    [{ local: "127.0.0.1:0", mtu: 65_508 }, "mtu must be an integer from 68 to 65507"],
    [{ remote: "no.such.invalid:9" }, "remote: cannot resolve no.such.invalid"],
    [{ local: "192.0.2.1:9" }, "cannot receive UDP at 192.0.2.1:9: "],
  ])("refuses %j", async (options, message) => {
    await expect(openUdpLink(options)).rejects.toThrow(message);
  });

  // Two programs use the same port.
  test("reports a port in use", async () => {
    await using link = await openUdpLink({ local: "127.0.0.1:0" });
    await expect(openUdpLink({ local: link.localAddress })).rejects.toThrow(
      "another program uses it",
    );
  });
});
