import { afterEach, describe, expect, test as plainTest } from "bun:test";
import { createSocket, type Socket } from "node:dgram";
import { setImmediate } from "node:timers/promises";
import {
  dialHostDatagrams,
  dialRuntimeDatagrams,
  type HostDatagramChannel,
} from "../../../adapters/host/datagrams.ts";
import { dialNativeDatagrams } from "../../../adapters/host/native/datagrams.ts";
import { nativeSockets } from "../../../adapters/host/native/sockets.ts";
import { IpAddress } from "../../../core/wire/address.ts";
import { bytes, codeOf } from "../../support/conversation.ts";
import { type Requirement, testRequiring } from "../../support/requirements.ts";

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** Binds a socket of the runtime to a loopback address. */
async function bound(hostname = "127.0.0.1"): Promise<{ socket: Socket; port: number }> {
  const socket = createSocket(hostname.includes(":") ? "udp6" : "udp4");
  await new Promise<void>((resolve) => socket.bind(0, hostname, resolve));
  cleanups.push(() => new Promise<void>((done) => socket.close(() => done())));
  return { socket, port: socket.address().port };
}

/** Starts an echo server; returns its port. */
async function echo(hostname?: string): Promise<number> {
  const { socket, port } = await bound(hostname);
  socket.on("message", (datagram, from) => socket.send(datagram, from.port, from.address));
  return port;
}

const implementations: [string, (ip: string, port: number) => unknown, readonly Requirement[]][] = [
  ["node:dgram", dialRuntimeDatagrams, []],
  [
    "foreign functions",
    (ip, port) => dialNativeDatagrams(nativeSockets()!, IpAddress.parse(ip)!, port),
    ["native-sockets"],
  ],
];

for (const [name, open, needs] of implementations) {
  const dial = async (hostname: string, port: number): Promise<HostDatagramChannel> => {
    const channel = await open(hostname, port) as HostDatagramChannel;
    cleanups.push(() => channel.close());
    return channel;
  };
  const test = (what: string, body: () => Promise<unknown>) => testRequiring(needs, what, body);

  describe(`datagrams by ${name}`, () => {
    // An empty, a small and a maximum-size datagram.
    for (const hostname of ["127.0.0.1", "::1"]) {
      const ipv6 = hostname === "::1" ? ["ipv6"] as const : [];
      testRequiring([...needs, ...ipv6], `sends and receives with ${hostname}`, async () => {
        const port = await echo(hostname);
        const channel = await dial(hostname, port);
        for (const length of [0, 5, 60_000]) {
          const datagram = new Uint8Array(length).fill(length & 255);
          expect(await channel.send(datagram)).toBe(length);
          expect(await channel.receive()).toEqual(datagram);
        }
      });
    }

    // Another socket of the host sends to the same port.
    test("drops datagrams from other sources", async () => {
      const { socket: peer, port } = await bound();
      const { socket: other } = await bound();
      const channel = await dial("127.0.0.1", port);
      const asked = new Promise<number>((resolve) =>
        peer.once("message", (_, { port }) => resolve(port))
      );
      await channel.send(bytes("question"));
      const to = await asked;
      await new Promise<unknown>((sent) => other.send("forged", to, "127.0.0.1", sent));
      peer.send("answer", to, "127.0.0.1");
      expect(await channel.receive()).toEqual(bytes("answer"));
    });

    // Nothing is sent, and the socket stays usable.
    test("sends Uint8Arrays only", async () => {
      const channel = await dial("127.0.0.1", await echo());
      for (const value of ["hello", [104], new ArrayBuffer(4), undefined] as never[]) {
        const error = await channel.send(value).catch((error: unknown) => error);
        expect(error).toBeInstanceOf(TypeError);
        expect((error as Error).message).toContain("send: expected a Uint8Array, got ");
      }
      await channel.send(bytes("after"));
      expect(await channel.receive()).toEqual(bytes("after"));
    });

    // Two megabytes arrive without a receive: one is kept.
    test("queues at most a megabyte", async () => {
      const { socket: peer, port } = await bound();
      const channel = await dial("127.0.0.1", port);
      const heard = new Promise<number>((resolve) =>
        peer.once("message", (_, { port }) => resolve(port))
      );
      await channel.send(bytes("hello"));
      const to = await heard;
      const datagram = new Uint8Array(50_000);
      while (channel.dropped === 0) {
        await new Promise<unknown>((sent) => peer.send(datagram, to, "127.0.0.1", sent));
        await setImmediate();
      }
      for (let i = 0; i < 20; i++) expect((await channel.receive())!.length).toBe(50_000);
      channel.close();
      expect(await channel.receive()).toBeNull();
    });

    // Closing ends a pending receive, and nothing more is sent.
    test("ends pending receives when it is closed", async () => {
      const { port } = await bound();
      const channel = await dial("127.0.0.1", port);
      const waiting = channel.receive();
      channel.close();
      channel.close();
      expect(await waiting).toBeNull();
      expect(await codeOf(channel.send(bytes("late")))).toBe("CLOSING");
    });
  });
}

describe("dialHostDatagrams", () => {
  // An unknown host name, and an aborted signal.
  plainTest("is not created for an unknown name or an aborted signal", async () => {
    const nowhere = dialHostDatagrams({ hostname: "nobody.invalid", port: 53 });
    expect(await codeOf(nowhere)).toBe("INVALID_ADDRESS");
    const late = dialHostDatagrams({ hostname: "127.0.0.1", port: 53 }, AbortSignal.abort("late"));
    expect(await Promise.allSettled([late])).toEqual([{ status: "rejected", reason: "late" }]);
  });

  // A port that was closed: the kernel reports the ICMP error of the first datagram.
  testRequiring(["native-sockets"], "reports a closed port (RFC 1122 4.1.3.3)", async () => {
    const socket = createSocket("udp4");
    await new Promise<void>((resolve) => socket.bind(0, "127.0.0.1", resolve));
    const { port } = socket.address();
    await new Promise<void>((resolve) => socket.close(resolve));
    const channel = await dialHostDatagrams({ hostname: "127.0.0.1", port });
    cleanups.push(() => channel.close());
    await channel.send(bytes("anyone?"));
    expect(await codeOf(channel.receive())).toBe("CONNECTION_REFUSED");
  });
});
