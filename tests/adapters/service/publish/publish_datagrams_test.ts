import { afterEach, describe, expect, test } from "bun:test";
import { createSocket } from "node:dgram";
import {
  dialHostDatagrams,
  type HostDatagramChannel,
} from "../../../../adapters/host/datagrams.ts";
import { linkPair } from "../../../../adapters/links/memory.ts";
import { VirtualClock } from "../../../../adapters/runtime/virtual_clock.ts";
import {
  publishDatagrams,
  type PublishDatagramsOptions,
} from "../../../../adapters/service/publish/publish_datagrams.ts";
import { silentLogger } from "../../../../core/api/environment.ts";
import { createStack } from "../../../../core/api/stack.ts";
import { echo } from "../../../../plugins/echo.ts";
import { StackDatagrams } from "../../../../plugins/shared/stack_datagrams.ts";
import { bytes, codeOf } from "../../../support/conversation.ts";

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** A published port to `echo` in a stack, and the number of sockets created there. */
async function published(
  { failures = 0, ...options }: PublishDatagramsOptions & { failures?: number } = {},
) {
  const [inner, outer] = linkPair();
  const stack = createStack({ link: inner, addresses: ["10.7.0.2/24"] });
  const host = createStack({ link: outer, addresses: ["10.7.0.1/24"] });
  stack.use("udp/7", echo());
  const counts = { made: 0 };
  const publication = await publishDatagrams(
    { hostname: "127.0.0.1", port: 0, to: { hostname: "10.7.0.2", port: 7 }, transport: "udp" },
    (to) => {
      if (counts.made++ < failures) throw new Error("there is no free port");
      return Promise.resolve(new StackDatagrams(host, to));
    },
    silentLogger,
    options,
  );
  cleanups.push(
    () => Promise.all([stack.close(), host.close()]),
    () => publication.finish(0),
    () => publication.stopListening(),
  );
  return { publication, counts };
}

async function client({ address }: { address: { hostname: string; port: number } }) {
  const channel = await dialHostDatagrams(address);
  cleanups.push(() => channel.close());
  return channel;
}

async function ask(channel: HostDatagramChannel, question: Uint8Array<ArrayBuffer>) {
  await channel.send(question);
  return await channel.receive();
}

describe("publishDatagrams", () => {
  // A stack without a free port throws: the next datagram tries again.
  test("retries for a client without a socket", async () => {
    const { publication, counts } = await published({ failures: 1 });
    const one = await client(publication);
    await one.send(bytes("lost"));
    while (counts.made === 0) await new Promise((resolve) => setImmediate(resolve));
    expect(await ask(one, bytes("ahoy"))).toEqual(bytes("ahoy"));
    expect(counts.made).toBe(2);
  });

  // Each client of the host has a socket in the stack, and gets its own answers.
  test("carries datagrams of several clients both ways", async () => {
    const { publication, counts } = await published();
    const clients = [await client(publication), await client(publication)];
    for (const length of [0, 5, 20_000]) {
      for (const [n, channel] of clients.entries()) {
        const question = new Uint8Array(length).fill(n + 1);
        expect(await ask(channel, question)).toEqual(question);
      }
    }
    expect(counts.made).toBe(2);
  });

  // After a minute without a datagram, the next one uses a new socket.
  test("removes idle clients", async () => {
    const clock = new VirtualClock();
    const { publication, counts } = await published({ clock, idleTimeoutMs: 1000 });
    const channel = await client(publication);
    await ask(channel, bytes("a"));
    await clock.advance(900);
    await ask(channel, bytes("b"));
    await clock.advance(900);
    await ask(channel, bytes("c"));
    expect(counts.made).toBe(1);
    await clock.advance(1100);
    expect(clock.pending).toBe(0);
    await ask(channel, bytes("d"));
    expect(counts.made).toBe(2);
  });

  // Four are allowed: the fifth evicts the one idle for longest.
  test("evicts the client idle for longest", async () => {
    const { publication, counts } = await published({ maxFlows: 4 });
    const clients = [];
    for (let i = 0; i < 5; i++) clients.push(await client(publication));
    for (let i = 0; i < 4; i++) await ask(clients[i]!, bytes("a"));
    await ask(clients[0]!, bytes("b"));
    await ask(clients[4]!, bytes("c"));
    expect(counts.made).toBe(5);
    // The first was used and keeps its socket; the second gets a new one.
    await ask(clients[0]!, bytes("d"));
    expect(counts.made).toBe(5);
    await ask(clients[1]!, bytes("e"));
    expect(counts.made).toBe(6);
  });

  // Four ports of one address take the whole limit; clients of another address are still served.
  test("evicts a client of the address with the most", async () => {
    const { publication } = await published({ maxFlows: 4 });
    for (let i = 0; i < 4; i++) await ask(await client(publication), bytes("a"));
    const other = createSocket("udp4");
    cleanups.push(() => other.close());
    await new Promise<void>((resolve) => other.bind(0, "127.0.0.2", resolve));
    const answered = new Promise((resolve) => other.once("message", resolve));
    other.send(bytes("b"), publication.address.port, publication.address.hostname);
    expect(new Uint8Array(await answered as Uint8Array)).toEqual(bytes("b"));
  });

  // Closing the port closes the clients' sockets in the stack.
  test("ends with its port", async () => {
    const { publication } = await published();
    const channel = await client(publication);
    await ask(channel, bytes("a"));
    publication.stopListening();
    publication.stopListening();
    await publication.finish(0);
    const again = await published();
    expect(again.publication.address.port).toBeGreaterThan(0);
  });
});

describe("StackDatagrams", () => {
  // The port is closed: the other stack sends an ICMP error (RFC 1122 4.1.3.1).
  test("rejects on an ICMP error", async () => {
    const [inner, outer] = linkPair();
    const stack = createStack({ link: inner, addresses: ["10.7.0.2/24"] });
    const host = createStack({ link: outer, addresses: ["10.7.0.1/24"] });
    cleanups.push(() => Promise.all([stack.close(), host.close()]));
    const channel = new StackDatagrams(host, { hostname: "10.7.0.2", port: 9 });
    await channel.send(bytes("anybody?"));
    expect(await codeOf(channel.receive())).toBe("CONNECTION_REFUSED");
  });
});
