/**
 * Frame ports that lead to a kernel or another program.
 *
 * @module
 */
import type { FramePort } from "../../../../adapters/links/ethernet/frame_port.ts";
import { ethernet } from "../../../../adapters/links/ethernet/mod.ts";
import { PacketBatch } from "../../../../core/stack/link.ts";
import type { JoinedLinks } from "../link_conformance.ts";
import { OWN_MAC, PEER_MAC } from "./wire.ts";

/** Addresses of packets from the left station of {@link joinStations} to the right one. */
export const ROUTES = [
  { from: "10.0.0.1", to: "10.0.0.2" },
  { from: "fd00::1", to: "fd00::2" },
] as const;
const [V4, V6] = ROUTES;

/**
 * A station on each of two connected ports. The link suite receives at one end only, so the
 * stations cannot resolve each other and have permanent neighbors.
 */
export function joinStations(left: FramePort, right: FramePort): JoinedLinks {
  return {
    left: ethernet(left, {
      addresses: [`${V4.from}/24`, `${V6.from}/64`],
      mac: OWN_MAC,
      probe: false,
      neighbors: { [V4.to]: PEER_MAC, [V6.to]: PEER_MAC },
    }),
    right: ethernet(right, {
      addresses: [`${V4.to}/24`, `${V6.to}/64`],
      mac: PEER_MAC,
      probe: false,
      neighbors: { [V4.from]: OWN_MAC, [V6.from]: OWN_MAC },
    }),
    routes: ROUTES,
    isSlow: true,
  };
}

/** Receives `count` frames. */
export async function receiveFrames(port: FramePort, count: number): Promise<Uint8Array[]> {
  const batch = new PacketBatch(8);
  const frames: Uint8Array[] = [];
  while (frames.length < count && await port.ready()) {
    const received = port.receive(batch);
    for (let i = 0; i < received; i++) frames.push(batch.packets[i]!.slice(0, batch.sizes[i]));
  }
  return frames;
}
