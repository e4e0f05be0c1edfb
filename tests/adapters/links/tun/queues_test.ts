import { createSocket } from "node:dgram";
import { connect, type Socket } from "node:net";
import process from "node:process";
import { describe, expect, test } from "bun:test";
import { openTunQueues, takeOverQueue } from "../../../../adapters/links/tun/queues.ts";
import { type Link, PacketBatch } from "../../../../core/stack/link.ts";
import {
  type ShardedFlow,
  shardOf,
  shardOfDatagram,
} from "../../../../core/stack/sharding/shard.ts";
import { IpAddress } from "../../../../core/wire/address.ts";
import { IpHeader, parseIp, PROTOCOL } from "../../../../core/wire/ip.ts";
import { describeInNamespace } from "../../../support/describe_in_namespace.ts";
import { makePersistentTun } from "../../../support/interfaces.ts";

const HOSTS = ["10.83.0.2", "10.83.0.9", "fd83::2", "fd83::beef:9"];
const FLOWS = 400;
const SEED = [0x9d2c5680, 0x2545f491] as const;
const OPTIONS = { addresses: ["10.83.0.1/24", "fd83::1/64"] };
/** Loading eBPF programs needs privilege in the initial user namespace. */
const isRoot = process.getuid?.() === 0;

describeInNamespace(import.meta.url, "a TUN device with several queues", () => {
  // The kernel connects to many addresses and ports, and computes the same shard for each.
  test.each([2, 3, 4])("delivers segments to the right one of %d shards", async (count) => {
    const { queues, steered } = await openTunQueues(OPTIONS, count, SEED);
    const links = await Promise.all(queues.map(takeOverQueue));
    const clients = startClients();
    const seen = await takeFlows(links, FLOWS, PROTOCOL.TCP);
    for (const client of clients) client.destroy();
    expect(steered || !isRoot).toBe(true);
    for (const [index, ports] of seen.flows.entries()) {
      // Every shard gets flows; with 400 flows this fails with a probability of 10^-9.
      expect(ports.size).toBeGreaterThan((FLOWS / count) * 0.5);
      if (steered) expect(shardsOf(ports, count)).toEqual([index]);
    }
    for (const link of links) await link.close();
  });

  // A socket of the kernel for each flow; ephemeral ports belong to a shard.
  test.each([2, 3, 4])("delivers datagrams to the right one of %d shards", async (count) => {
    const { queues, steered } = await openTunQueues(OPTIONS, count, SEED);
    const links = await Promise.all(queues.map(takeOverQueue));
    const ports = Array.from({ length: FLOWS }, (_, i) => i % 2 === 0 ? 1 + i : 49_152 + i);
    const sockets = HOSTS.map((host) => createSocket(host.includes(":") ? "udp6" : "udp4"));
    for (const [i, port] of ports.entries()) {
      const which = i % HOSTS.length;
      sockets[which]!.send(new Uint8Array(1), port, HOSTS[which]!);
    }
    const seen = await takeFlows(links, FLOWS, PROTOCOL.UDP);
    for (const socket of sockets) socket.close();
    for (const [index, flows] of seen.flows.entries()) {
      if (steered) expect(shardsOf(flows, count, shardOfDatagram)).toEqual([index]);
    }
    for (const link of links) await link.close();
  });

  // The fragments of a datagram must reach the same shard, but only the first has ports.
  test("delivers all fragments of a datagram to one shard", async () => {
    const { queues, steered } = await openTunQueues(OPTIONS, 4, SEED);
    const links = await Promise.all(queues.map(takeOverQueue));
    const socket = createSocket("udp4");
    for (let i = 0; i < 20; i++) socket.send(new Uint8Array(8000), 4000 + i, "10.83.0.2");
    const counts = await takeFragments(links, 20 * 6);
    socket.close();
    expect(counts.filter((count) => count > 0)).toEqual([120]);
    if (steered) expect(counts[0]).toBe(120);
    for (const link of links) await link.close();
  });

  describe("openTunQueues", () => {
    // A second service on the same device would steal packets from the first.
    test("refuses a device that is in use", async () => {
      const options = { ...OPTIONS, name: "berth0" };
      const { queues } = await openTunQueues(options, 2, SEED);
      const links = await Promise.all(queues.map(takeOverQueue));
      await expect(openTunQueues(options, 2, SEED)).rejects.toMatchObject({ code: "NAME_TAKEN" });
      for (const link of links) await link.close();
      const again = await openTunQueues(options, 2, SEED);
      for (const queue of again.queues) await (takeOverQueue(queue)).close();
    });

    // `ip tuntap add` without multi_queue.
    test("refuses a device with a single queue", async () => {
      makePersistentTun("berth1", 1500);
      await expect(openTunQueues({ name: "berth1" }, 2, SEED)).rejects.toThrow(
        "berth1 is another kind of network device, or has one queue where several",
      );
    });
  });
});

/** Starts clients, whose SYNs are sent in the next turn of the event loop and are not answered. */
function startClients(): Socket[] {
  return Array.from({ length: FLOWS }, (_, i) => {
    const client = connect({ host: HOSTS[i % HOSTS.length]!, port: 1 + i });
    client.on("error", () => {});
    return client;
  });
}

function shardsOf(flows: Map<string, ShardedFlow>, count: number, choose = shardOf): number[] {
  const shard = { index: 0, count, seed: SEED };
  return [...new Set([...flows.values()].map((flow) => choose(shard, flow)))];
}

/** Receives until `count` flows have been seen; returns the link of each. */
async function takeFlows(links: readonly Link[], count: number, protocol: number) {
  const flows = links.map(() => new Map<string, ShardedFlow>());
  const total = () => flows.reduce((sum, each) => sum + each.size, 0);
  await takeUntil(links, () => total() >= count, (packet, ip, link) => {
    if (ip.protocol !== protocol) return;
    const at = (place: number) => (packet[place]! << 8) | packet[place + 1]!;
    const flow: ShardedFlow = {
      remote: new IpAddress(ip.s0, ip.s1, ip.s2, ip.s3),
      remotePort: at(ip.payloadStart),
      local: new IpAddress(ip.d0, ip.d1, ip.d2, ip.d3),
      localPort: at(ip.payloadStart + 2),
    };
    flows[link]!.set(`${flow.remote} ${flow.remotePort} ${flow.local} ${flow.localPort}`, flow);
  });
  return { flows };
}

async function takeFragments(links: readonly Link[], count: number): Promise<number[]> {
  const counts = links.map(() => 0);
  await takeUntil(links, () => counts.reduce((a, b) => a + b) >= count, (_packet, ip, link) => {
    if (ip.isFragment) counts[link]!++;
  });
  return counts;
}

async function takeUntil(
  links: readonly Link[],
  isDone: () => boolean,
  take: (packet: Uint8Array, ip: IpHeader, link: number) => void,
): Promise<void> {
  const batch = new PacketBatch(64);
  const ip = new IpHeader();
  while (!isDone()) {
    await Promise.race(links.map((link) => link.ready()));
    for (const [index, link] of links.entries()) {
      const count = link.receive(batch);
      for (let i = 0; i < count; i++) {
        const packet = batch.packets[i]!;
        if (parseIp(packet, batch.sizes[i]!, ip) === undefined) take(packet, ip, index);
      }
    }
  }
}
