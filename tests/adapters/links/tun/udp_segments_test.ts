import { expect, test } from "bun:test";
import { createSocket } from "node:dgram";
import { release } from "node:os";
import { ethernet } from "../../../../adapters/links/ethernet/mod.ts";
import { openTap, openTun } from "../../../../adapters/links/tun/mod.ts";
import { createStack } from "../../../../core/api/stack.ts";
import type { Link } from "../../../../core/stack/link.ts";
import { IpAddress } from "../../../../core/wire/address.ts";
import { openLibc } from "../../../conformance/linux/libc.ts";
import { describeInNamespace } from "../../../support/describe_in_namespace.ts";
import { pattern } from "../../../support/packets.ts";

const HOST = ["10.84.0.1/24", "fd84::1/64"];
const OWN = ["10.84.0.2/24", "fd84::2/64"];
const PORT = 9000;
// sys/socket.h, netinet/udp.h
const [AF_INET, AF_INET6, SOCK_DGRAM, SOL_UDP, UDP_SEGMENT] = [2, 10, 2, 17, 103];

describeInNamespace(import.meta.url, "datagrams in super-packets", () => {
  const links: [string, boolean, () => Promise<Link>][] = [
    ["a TUN device", true, () => openTun({ addresses: HOST })],
    ["a TUN device without offload", false, () => openTun({ addresses: HOST, offload: false })],
    [
      "a TAP device",
      true,
      async () =>
        ethernet(await openTap({ addresses: HOST }), {
          addresses: OWN,
          exceptAddresses: HOST,
          probe: false,
        }),
    ],
  ];
  // One call sends 30,050 bytes as 31 datagrams; if supported, the kernel delivers them as one
  // packet.
  test.each(links)(
    "come from a socket with UDP_SEGMENT through %s",
    async (_name, offload, open) => {
      for (const address of ["10.84.0.2", "fd84::2"]) {
        await using stack = createStack({ link: await open(), addresses: OWN });
        using server = stack.listenDatagram({ port: PORT });
        // TAP: the kernel resolves the address first, and queues the packets.
        await sendSegments(address, pattern(30_050), 1000);
        for (let i = 0; i < 31; i++) {
          const [data] = await server.receive();
          expect(data).toEqual(pattern(30_050).slice(i * 1000, i * 1000 + 1000));
        }
        const { packetsIn, datagramsIn } = stack.stats();
        expect(datagramsIn).toBe(31);
        if (offload && hasUso()) expect(packetsIn).toBeLessThan(31);
      }
    },
  );

  // Seventy datagrams of one turn arrive at a socket of the kernel one by one and in order; if supported, the stack
  // passes them to the kernel in two packets.
  test.each(links)("go to a socket through %s", async (_name, offload, open) => {
    for (const host of HOST.map((subnet) => subnet.split("/")[0]!)) {
      await using stack = createStack({ link: await open(), addresses: OWN });
      using sender = stack.listenDatagram({ port: PORT });
      const receiver = createSocket(host.includes(":") ? "udp6" : "udp4");
      await new Promise<void>((resolve) => receiver.bind(0, host, resolve));
      // TAP: the first one resolves the address.
      const first = new Promise((resolve) => receiver.once("message", resolve));
      await sender.send(pattern(1), { hostname: host, port: receiver.address().port });
      await first;
      const { packetsOut: before = 0 } = stack.stats();
      const sizes = Array.from({ length: 70 }, (_, i) => i === 69 ? 300 : 1000);
      const received: Uint8Array[] = [];
      const all = new Promise<void>((resolve) => {
        receiver.on("message", (data) => {
          if (received.push(new Uint8Array(data)) === sizes.length) resolve();
        });
      });
      const to = { hostname: host, port: receiver.address().port };
      await Promise.all(sizes.map((size) => sender.send(pattern(size), to)));
      await all;
      receiver.close();
      expect(received).toEqual(sizes.map((size) => pattern(size)));
      const { packetsOut = 0 } = stack.stats();
      expect(packetsOut - before).toBe(offload && hasUso() ? 2 : 70);
    }
  });
});

/** Whether the kernel supports UDP super-packets on TUN devices (Linux 6.2). */
function hasUso(): boolean {
  const [major = 0, minor = 0] = release().split(".").map(Number);
  return major > 6 || (major === 6 && minor >= 2);
}

async function sendSegments(address: string, data: Uint8Array, size: number): Promise<void> {
  const { calls, errno } = await openLibc();
  const check = (result: number) => {
    if (result < 0) throw new Error(`Linux error ${errno()}`);
    return result;
  };
  const fd = check(calls.socket(address.includes(":") ? AF_INET6 : AF_INET, SOCK_DGRAM, 0));
  const value = new Uint8Array(new Int32Array([size]).buffer);
  check(calls.setsockopt(fd, SOL_UDP, UDP_SEGMENT, value, 4));
  const to = socketAddress(address, PORT);
  check(calls.connect(fd, to, to.length));
  check(calls.send(fd, new Uint8Array(data), data.length, 0));
  calls.close(fd);
}

/** `struct sockaddr_in` or `struct sockaddr_in6`. */
function socketAddress(address: string, port: number): Uint8Array<ArrayBuffer> {
  const isV4 = !address.includes(":");
  const bytes = new Uint8Array(isV4 ? 16 : 28);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, isV4 ? AF_INET : AF_INET6, true);
  view.setUint16(2, port);
  IpAddress.parse(address)!.write(bytes, isV4 ? 4 : 8);
  return bytes;
}
