/**
 * What carries Ethernet frames.
 *
 * @module
 */
import type { LinkFeatures, OutgoingPacket, PacketBatch } from "../../../core/stack/link.ts";

/**
 * Takes and gives Ethernet frames: a TAP device, a tunnel, a virtual machine's network card. It is
 * to frames what a link is to IP packets; `ethernet()` makes a link of it.
 */
export interface FramePort extends AsyncDisposable {
  /** Shown in logs. */
  readonly name: string;
  /** As a link's; `mtu` is the largest IP packet in a frame. */
  readonly features: LinkFeatures;
  /** As a link's; what it puts into `batch` are frames, from the destination address on. */
  receive(batch: PacketBatch): number;
  /** As a link's. */
  ready(): Promise<boolean>;
  /**
   * As a link's. The frame's header is the 14 bytes in front of the packet's own, and is there
   * already; a port may put a header of its own in front of that, as far as the headroom goes.
   */
  send(frame: OutgoingPacket): boolean;
  /** As a link's. */
  close(): Promise<void>;
  /** What the port has met, by name; shown in the stack's statistics. */
  stats?(): Readonly<Record<string, number>>;
}
