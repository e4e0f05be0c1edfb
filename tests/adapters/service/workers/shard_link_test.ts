import { describe, expect, test } from "bun:test";
import { linkPair } from "../../../../adapters/links/memory.ts";
import { connectMailboxes } from "../../../../adapters/service/workers/mailboxes.ts";
import { ShardLink } from "../../../../adapters/service/workers/shard_link.ts";
import { OutgoingPacket } from "../../../../core/buffers/outgoing_packet.ts";
import { PacketBatch } from "../../../../core/stack/link.ts";

/** Two shards, each on a link to a peer. */
function open() {
  const ends = connectMailboxes(2);
  const pairs = [linkPair(), linkPair()];
  const shards = pairs.map(([link], index) =>
    new ShardLink(link, { index, count: 2, seed: [1, 1] }, ends[index]!)
  );
  return {
    shards: shards as [ShardLink, ShardLink],
    peers: pairs.map(([, peer]) => peer),
    close: async () => {
      for (const link of [...shards, ...pairs.map(([, peer]) => peer)]) await link.close();
    },
  };
}

function outgoing(first: number): OutgoingPacket {
  const packet = new OutgoingPacket();
  packet.header[OutgoingPacket.HEADROOM] = first;
  packet.headerLength = packet.ipHeaderLength = 20;
  return packet;
}

const shardPacket = (first: number) => ({
  shard: 1,
  isMessage: false,
  packet: Uint8Array.of(first, 0, 0),
  segmentSize: 1000,
});

describe("ShardLink", () => {
  // The stack gets its shard from the features.
  test("has its queue's features and its shard", async () => {
    const { shards: [, link], close } = open();
    expect(link.features).toEqual({
      mtu: 1500,
      maxSuperPacket: 0,
      checksumOffload: false,
      insideHost: false,
      shard: { index: 1, count: 2, seed: [1, 1] },
    });
    await close();
  });

  // One wait covers both sources, repeatedly.
  test("wakes up for its queue and for other shards", async () => {
    const { shards: [other, link], peers, close } = open();
    const batch = new PacketBatch(8);
    for (let round = 0; round < 20; round++) {
      const ready = link.ready();
      if (round % 3 > 0) peers[1]!.send(outgoing(100 + round));
      if (round % 3 < 2) other.forwardToShard(shardPacket(round));
      const expected = [round % 3 < 2 ? round : -1, round % 3 > 0 ? 100 + round : -1];
      const seen = new Set<number>();
      let wait = ready;
      while (seen.size < expected.filter((first) => first >= 0).length) {
        expect(await wait).toBe(true);
        const count = link.receive(batch);
        for (let i = 0; i < count; i++) {
          const first = batch.packets[i]![0]!;
          seen.add(first);
          const kind = [batch.sizes[i], batch.checksums[i], batch.segmentSizes[i]];
          expect(kind).toEqual(first < 100 ? [3, "verified", 1000] : [20, "full", 0]);
        }
        wait = link.ready();
      }
      expect([...seen].sort((a, b) => a - b)).toEqual(expected.filter((first) => first >= 0));
    }
    await close();
  });

  // Closing ends a wait, and packets forwarded later are dropped.
  test("ends a pending ready when it is closed", async () => {
    const { shards: [other, link], close } = open();
    const ready = link.ready();
    await link.close();
    expect(await ready).toBe(false);
    other.forwardToShard(shardPacket(1));
    await close();
  });
});
