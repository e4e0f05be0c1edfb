import { describe, expect, test } from "bun:test";
import { ethernet } from "../../../../adapters/links/ethernet/mod.ts";
import { framePortPair } from "../../../../adapters/links/memory.ts";
import { seededRandom } from "../../../../adapters/runtime/seeded_random.ts";
import { VirtualClock } from "../../../../adapters/runtime/virtual_clock.ts";
import { createStack } from "../../../../core/api/stack.ts";
import { OutgoingPacket } from "../../../../core/stack/link.ts";
import { decode } from "../../../support/dsl/decode.ts";
import { encodeIp, encodeUdp } from "../../../support/dsl/encode.ts";
import { cut } from "../../../support/fragments.ts";
import { pattern, udpPacket } from "../../../support/packets.ts";
import { Cable } from "./wire.ts";

/** A stack without a neighbor on its cable. */
function alone() {
  const clock = new VirtualClock();
  const [near] = framePortPair();
  const addresses = ["10.0.0.1/24", "fd00::1/64"];
  const link = ethernet(near, { addresses, clock, probe: false });
  const stack = createStack({ link, addresses, clock, random: seededRandom(1) });
  return { clock, stack };
}

/** Wraps the bytes of a packet for sending. */
function raw(bytes: Uint8Array): OutgoingPacket {
  const packet = new OutgoingPacket();
  packet.header.set(bytes.subarray(0, 20), OutgoingPacket.HEADROOM);
  packet.headerLength = packet.ipHeaderLength = 20;
  packet.payload = bytes.slice(20);
  packet.payloadLength = bytes.length - 20;
  return packet;
}

describe("a neighbor that does not answer", () => {
  // Three requests, a second apart; the connection fails without waiting for TCP's timeout.
  test.each(["10.0.0.9", "fd00::9"])("makes connections fail (RFC 5461 4): %s", async (to) => {
    const { clock, stack } = alone();
    const attempt = stack.connect({ hostname: to, port: 7 }).opened.catch(({ code }) => code);
    expect(await clock.runUntil(attempt)).toBe("UNREACHABLE");
    expect(clock.now()).toBe(3000);
    expect(stack.stats()["connections"]).toBe(0);
    await stack.close();
  });

  // There is no gateway, so the connection fails at once.
  test("is like a destination without a route", async () => {
    const { clock, stack } = alone();
    const attempt = stack.connect("192.0.2.1:7").opened.catch(({ code }) => code);
    expect(await clock.runUntil(attempt)).toBe("UNREACHABLE");
    expect(clock.now()).toBeLessThan(100);
    await stack.close();
  });

  // The socket stays usable.
  test("is reported to the sending socket", async () => {
    const { clock, stack } = alone();
    const errors: string[] = [];
    const socket = stack.listenDatagram({
      port: 4000,
      onError: ({ code, remote }) => void errors.push(`${code} ${remote!.hostname}`),
    });
    await socket.send(pattern(10), "10.0.0.9:7");
    await socket.send(pattern(10), "[fd00::9]:7");
    await clock.advance(3000);
    expect(errors).toEqual(["UNREACHABLE 10.0.0.9", "UNREACHABLE fd00::9"]);
    await stack.close();
  });
});

describe("EthernetLink.receive", () => {
  // From the unreachable address, with the packet quoted.
  test("returns an error about each queued packet (RFC 1812 3.3.2)", async () => {
    const { clock, link, receive } = cable();
    const waiting = link.ready();
    for (const size of [10, 11]) link.send(udpPacket(TO_PEER, pattern(size)));
    await clock.advance(3000);
    expect(await waiting).toBe(true);
    const errors = receive().map(decode);
    expect(errors.length).toBe(2);
    for (const error of errors) {
      expect(error).toMatchObject({
        source: TO_PEER.to,
        destination: TO_PEER.from,
        type: 3,
        code: 1,
      });
    }
    expect(receive()).toEqual([]);
  });

  // Errors about errors could loop, and later fragments have no ports.
  test("returns no error about ICMP or later fragments (RFC 1122 3.2.2)", async () => {
    const { clock, link, receive } = cable();
    link.send(raw(encodeIp(TO_PEER.from, TO_PEER.to, 1, pattern(16))));
    const datagram = encodeUdp(TO_PEER.from, TO_PEER.to, 1, 2, pattern(100));
    const [first, later] = cut(datagram, [56]);
    link.send(raw(later!));
    link.send(raw(first!));
    await clock.advance(3000);
    expect(receive().length).toBe(1);
    expect(link.stats()).toMatchObject({ "drop.unreachable": 3 });
  });

  // A stack that sends without receiving cannot exhaust memory.
  test("queues at most 1024 errors", () => {
    const { link, receiveAll } = cable();
    const packet = udpPacket({ from: TO_PEER.from, to: "192.0.2.1" }, pattern(10));
    for (let i = 0; i < 1500; i++) expect(link.send(packet)).toBe(false);
    expect(receiveAll()).toBe(1024);
    expect(link.stats()).toMatchObject({ "drop.no-route": 1500 });
  });
});

const TO_PEER = { from: "10.0.0.1", to: "10.0.0.9" };

function cable() {
  const wire = new Cable();
  const receive = () => wire.receive();
  const receiveAll = () => {
    let count = 0;
    for (let got = receive().length; got > 0; got = receive().length) count += got;
    return count;
  };
  return { clock: wire.clock, link: wire.link, receive, receiveAll };
}
