import { describe, expect, test } from "bun:test";
import { PacketQueue } from "../../../adapters/links/packet_queue.ts";
import { PacketBatch } from "../../../core/stack/link.ts";

const LARGEST = 65_535;
const features = { mtu: LARGEST, maxSuperPacket: 0, checksumOffload: false };

describe("PacketQueue", () => {
  // After a burst of 512 packets of 64 KiB, 8 of 32 MiB are kept for the next.
  test("releases the memory of a burst", () => {
    const queue = new PacketQueue(1024, features);
    const packet = new Uint8Array(LARGEST);
    for (let round = 0; round < 2; round++) {
      for (let i = 0; i < 512; i++) expect(queue.putBytes(packet)).toBe(true);
      const batch = new PacketBatch(64);
      let taken = 0;
      for (let count = -1; count !== 0;) {
        count = queue.takeInto(batch);
        taken += count;
      }
      expect(taken).toBe(512);
      expect(queue.kept).toBeLessThanOrEqual(8 * 1024 * 1024);
      expect(queue.kept).toBeGreaterThan(7 * 1024 * 1024);
    }
  });
});
