/**
 * Drops received packets of a device, because the kernel's end of the device cannot be impaired.
 *
 * @module
 */
import { seededRandom } from "../../../adapters/runtime/seeded_random.ts";
import type { Link, PacketBatch } from "../../../core/stack/link.ts";

/** A link that drops a share of the received packets. */
export function loseIncoming(link: Link, { seed, loss }: { seed: number; loss: number }): Link {
  const random = seededRandom(seed);
  return {
    name: link.name,
    features: link.features,
    ready: () => link.ready(),
    send: (packet) => link.send(packet),
    close: () => link.close(),
    [Symbol.asyncDispose]: () => link.close(),
    receive(batch) {
      for (;;) {
        const count = link.receive(batch);
        if (count === 0) return 0;
        const kept = keep(batch, count, () => random.fraction() >= loss);
        // 0 would mean that no packets are left.
        if (kept > 0) return kept;
      }
    },
  };
}

/** Moves the remaining packets to the front; returns their number. */
function keep(batch: PacketBatch, count: number, isKept: () => boolean): number {
  let kept = 0;
  for (let i = 0; i < count; i++) {
    if (!isKept()) continue;
    batch.packets[kept] = batch.packets[i]!;
    batch.sizes[kept] = batch.sizes[i]!;
    batch.checksums[kept] = batch.checksums[i]!;
    batch.segmentSizes[kept] = batch.segmentSizes[i]!;
    kept++;
  }
  return kept;
}
