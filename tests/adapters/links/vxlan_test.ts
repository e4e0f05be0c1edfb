import { createSocket, type Socket } from "node:dgram";
import { describe, expect, test } from "bun:test";
import type { FramePort } from "../../../adapters/links/ethernet/frame_port.ts";
import { openVxlan, type VxlanOptions } from "../../../adapters/links/vxlan.ts";
import { describeInNamespace } from "../../support/describe_in_namespace.ts";
import { echoOver } from "../../support/echo_over.ts";
import { setUp } from "../../support/interfaces.ts";
import { pattern, udpPacket } from "../../support/packets.ts";
import { until } from "../../support/until.ts";
import { joinStations, receiveFrames, ROUTES } from "./ethernet/stations.ts";
import { OTHER_MAC, outgoingFrame, OWN_MAC, packetFrame, PEER_MAC } from "./ethernet/wire.ts";
import { linkConformance } from "./link_conformance.ts";

/** RFC 7348 5: the I flag, and VNI 42 in the upper 24 bits. */
const HEADER = [8, 0, 0, 0, 0, 0, 42, 0];

describeInNamespace(import.meta.url, "VXLAN", () => {
  linkConformance("VXLAN", async () => {
    setUp("lo", true);
    const left = await openVxlan({ vni: 42, local: "127.0.0.1", remotes: ["127.0.0.2"] });
    const right = await openVxlan({ vni: 42, local: "127.0.0.2", remotes: ["127.0.0.1"] });
    return joinStations(left, right);
  });

  describe("openVxlan", () => {
    const frame = packetFrame(udpPacket(ROUTES[0], pattern(100)));

    // Eight bytes of header, then the frame.
    test("sends frames with a VXLAN header (RFC 7348 5)", () =>
      withTunnel({ remotes: ["127.0.0.2"] }, async (port, [peer]) => {
        const heard = peer!.next();
        port.send(outgoingFrame(frame));
        expect([...await heard]).toEqual([...HEADER, ...frame]);
      }));

    // Reserved bits are ignored, and any source port is accepted.
    test("receives frames with a VXLAN header", () =>
      withTunnel({ remotes: ["127.0.0.2"] }, async (port, [peer]) => {
        peer!.say([0xff, 1, 2, 3, 0, 0, 42, 9, ...frame]);
        expect(await receiveFrames(port, 1)).toEqual([frame]);
      }));

    // One counter for each reason; later frames are received.
    test("counts what it drops", () =>
      withTunnel({ remotes: ["127.0.0.2"] }, async (port, [peer, other]) => {
        peer!.say([...HEADER, ...frame.subarray(0, 13)]);
        peer!.say([0, 0, 0, 0, 0, 0, 42, 0, ...frame]);
        peer!.say([8, 0, 0, 0, 0, 0, 43, 0, ...frame]);
        peer!.say([...HEADER, ...frame, ...new Array(1500).fill(0)]);
        other!.say([...HEADER, ...frame]);
        await until(() => Object.keys(port.stats!()).length === 5);
        expect(port.stats!()).toEqual({
          "drop.vxlan-short": 1,
          "drop.vxlan-flags": 1,
          "drop.vxlan-vni": 1,
          "drop.size": 1,
          "drop.vxlan-remote": 1,
        });
        peer!.say([...HEADER, ...frame]);
        expect(await receiveFrames(port, 1)).toEqual([frame]);
      }));

    // Frames go to all endpoints until the station has sent a frame, then to its endpoint (RFC 7348
    // 4.1).
    test("learns the endpoint of each station", () =>
      withTunnel({ remotes: ["127.0.0.2", "127.0.0.3"] }, async (port, [one, other]) => {
        const both = [one!.next(), other!.next()];
        port.send(outgoingFrame(packetFrame(udpPacket(ROUTES[0], pattern(1)), PEER_MAC, OWN_MAC)));
        await Promise.all(both);
        other!.say([
          ...HEADER,
          ...packetFrame(udpPacket(ROUTES[0], pattern(2)), OWN_MAC, PEER_MAC),
        ]);
        await receiveFrames(port, 1);
        const onlyOther = other!.next();
        port.send(outgoingFrame(packetFrame(udpPacket(ROUTES[0], pattern(3)), PEER_MAC, OWN_MAC)));
        port.send(outgoingFrame(packetFrame(udpPacket(ROUTES[0], pattern(4)), OTHER_MAC, OWN_MAC)));
        expect((await onlyOther).subarray(-3)).toEqual(pattern(3));
        expect((await one!.next()).subarray(-4)).toEqual(pattern(4));
      }));

    // Without remotes, the source of the first frame is learned and answered on the VXLAN port.
    test("learns endpoints if none is given", () =>
      withTunnel({}, async (port, [peer]) => {
        expect(port.send(outgoingFrame(frame))).toBe(false);
        peer!.say([...HEADER, ...frame]);
        await receiveFrames(port, 1);
        const heard = peer!.next();
        expect(port.send(outgoingFrame(frame))).toBe(true);
        expect([...await heard]).toEqual([...HEADER, ...frame]);
        expect(port.stats!()).toEqual({ "drop.no-remote": 1 });
      }));

    // Frames beyond the queue are dropped.
    test("bounds the frames queued for the stack", () =>
      withTunnel({ remotes: ["127.0.0.2"], queue: 4 }, async (port, [peer]) => {
        for (let i = 0; i < 10; i++) peer!.say([...HEADER, ...frame]);
        await until(() => port.stats!()["drop.queue"] === 6);
        expect(await receiveFrames(port, 4)).toHaveLength(4);
      }));

    // 1500 minus the headers of the tunnel.
    test("has an MTU that fits its path", async () => {
      await using v4 = await openVxlan({ vni: 1, local: "127.0.0.1:0", remotes: ["127.0.0.2"] });
      await using v6 = await openVxlan({ vni: 1, local: "[::1]:0", remotes: ["::2"] });
      await using jumbo = await openVxlan({ vni: 1, local: "127.0.0.1:0", mtu: 8950 });
      expect([v4, v6, jumbo].map(({ features }) => features.mtu)).toEqual([1450, 1430, 8950]);
    });

    // The tunnel's datagrams are larger, which the host's network carries.
    test("carries connections with an MTU of 68 (RFC 791 3.2)", async () => {
      setUp("lo", true);
      const near = await openVxlan({ vni: 1, local: "127.0.0.1", remotes: ["127.0.0.2"], mtu: 68 });
      const far = await openVxlan({ vni: 1, local: "127.0.0.2", remotes: ["127.0.0.1"], mtu: 68 });
      const { left, right } = joinStations(near, far);
      await echoOver(left, right, 5000);
    });

    // Each message names the option and what is valid.
    test.each([
      [{ vni: 2 ** 24 }, "vni must be an integer from 0 to 16777215, not 16777216"],
      [{ vni: 1, queue: 0 }, "queue must be an integer from 1 to"],
      [{ vni: 1, mtu: 9 }, "mtu must be an integer from 68 to"],
      [{ vni: 1, remotes: ["host"] }, "remotes: expected an address such as 192.0.2.2:4789"],
      [{ vni: 1, local: "0.0.0.0", remotes: ["::1"] }, "must all be IPv4 or all be IPv6"],
    ])("refuses %j", async (options, message) => {
      await expect(openVxlan(options)).rejects.toThrow(message);
    });

    // The kernel's reason, with an error code of this project.
    test("reports a port in use", async () => {
      await using taken = await openVxlan({ vni: 1, local: "127.0.0.1" });
      expect(taken.name).toBe("VXLAN 1 at 127.0.0.1:4789");
      const again = openVxlan({ vni: 2, local: "127.0.0.1" });
      expect(await again.catch(({ code }) => code)).toBe("ADDRESS_IN_USE");
    });
  });
});

/** Another endpoint, simulated by a socket. */
class Peer {
  readonly #heard: Uint8Array[] = [];
  readonly #socket: Socket;
  #wake: () => void = () => {};

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.on("message", (datagram) => {
      this.#heard.push(new Uint8Array(datagram));
      this.#wake();
    });
  }

  static open(hostname: string): Promise<Peer> {
    const socket = createSocket("udp4");
    return new Promise((resolve) => socket.bind(4789, hostname, () => resolve(new Peer(socket))));
  }

  say(bytes: number[]): void {
    this.#socket.send(new Uint8Array(bytes), 4789, "127.0.0.1");
  }

  async next(): Promise<Uint8Array> {
    while (this.#heard.length === 0) await new Promise<void>((resolve) => this.#wake = resolve);
    return this.#heard.shift()!;
  }

  close(): Promise<void> {
    return new Promise((resolve) => this.#socket.close(() => resolve()));
  }
}

/** A tunnel at 127.0.0.1 and endpoints at 127.0.0.2 and 127.0.0.3. */
async function withTunnel(
  options: Partial<VxlanOptions>,
  body: (port: FramePort, peers: Peer[]) => Promise<void>,
): Promise<void> {
  setUp("lo", true);
  const peers = [await Peer.open("127.0.0.2"), await Peer.open("127.0.0.3")];
  const port = await openVxlan({ vni: 42, local: "127.0.0.1", ...options });
  try {
    await body(port, peers);
  } finally {
    await port.close();
    for (const peer of peers) await peer.close();
  }
}
