import { describe, expect, test } from "bun:test";
import { linkPair } from "../../../adapters/links/memory.ts";
import { VirtualClock } from "../../../adapters/runtime/virtual_clock.ts";
import { createStack } from "../../../core/api/stack.ts";
import type { Stack } from "../../../core/api/types.ts";
import { echo } from "../../../plugins/echo.ts";
import { pattern } from "../../support/packets.ts";

/** MTUs that leave less than 64 bytes after the IP and TCP headers, and larger ones. */
const SMALL_MTUS = [68, 69, 75, 80, 90, 103, 104, 105, 576];

describe("a small MTU", () => {
  // Text, options and SACK blocks fit: nothing exceeds the MTU, and nothing is retransmitted.
  test.each(SMALL_MTUS)("of %d carries connections of both profiles (RFC 791 3.2)", async (mtu) => {
    for (const profile of ["local", "internet"] as const) {
      const clock = new VirtualClock();
      const [left, right] = linkPair({ mtu });
      const tcp = { profile } as const;
      await using server = createStack({ clock, tcp, link: left, addresses: ["10.0.0.1/24"] });
      server.use(7, echo());
      await using client = createStack({ clock, tcp, link: right, addresses: ["10.0.0.2/24"] });
      const socket = client.connect("10.0.0.1:7", { allowHalfOpen: true });
      const sent = pattern(3000);
      const writing = socket.write(sent).then(() => socket.closeWrite());
      const got: Uint8Array[] = [];
      const reading = (async () => {
        for await (const chunk of socket) got.push(chunk.slice());
      })();
      await clock.runUntil(Promise.all([writing, reading]));
      expect(Buffer.concat(got).equals(sent)).toBe(true);
      expect(socket.stats().sendMss).toBe(mtu - 40 - (profile === "local" ? 0 : 12));
      expect([socket.stats().retransmits, client.stats()["linkFull"]]).toEqual([0, 0]);
      await clock.runUntil(Promise.all([server.close(), client.close()]));
    }
  });

  // Each datagram and its reply are sent in fragments of 48 bytes or less.
  test.each(SMALL_MTUS)("of %d carries datagrams and ICMP (RFC 791 3.2)", async (mtu) => {
    const clock = new VirtualClock();
    const [left, right] = linkPair({ mtu });
    const server = createStack({ clock, link: left, addresses: ["10.0.0.1/24"] });
    const client = createStack({ clock, link: right, addresses: ["10.0.0.2/24"] });
    const here = client.listenDatagram({ port: 5000 });
    const there = server.listenDatagram({ port: 5001 });
    const sent = pattern(1000);
    await here.send(sent, { transport: "udp", hostname: "10.0.0.1", port: 5001 });
    const [got] = await clock.runUntil(there.receive());
    expect(Buffer.from(got).equals(sent)).toBe(true);
    await here.send(sent, { transport: "udp", hostname: "10.0.0.1", port: 5999 });
    await clock.advance(100);
    expect([client.stats()["linkFull"], server.stats()["linkFull"]]).toEqual([0, 0]);
    await clock.runUntil(Promise.all([server.close(), client.close()]));
  });

  // RFC 8200 5: IPv6 requires an MTU of 1280. One message, before any packet is lost.
  test("below 1280 is refused for IPv6 addresses (RFC 8200 5)", async () => {
    const [link, other] = linkPair({ mtu: 1279 });
    for (const addresses of [["fd00::1/64"], ["10.0.0.1/24", "fd00::/16"], ["::/0"]]) {
      expect(() => createStack({ link, addresses })).toThrow(
        `createStack: addresses: ${
          addresses.at(-1)
        } needs an MTU of 1280 or more (RFC 8200 5), but the link has 1279`,
      );
    }
    const stack: Stack = createStack({ link, addresses: ["10.0.0.1/24"] });
    expect(() => stack.addAddress("fd00::1/64")).toThrow("needs an MTU of 1280 or more");
    stack.addAddress("10.9.0.1/24");
    await stack.close();
    await other.close();
  });
});
