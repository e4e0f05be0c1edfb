/**
 * The interface of a port that sends and receives Ethernet frames.
 *
 * @module
 */
import type { LinkFeatures, OutgoingPacket, PacketBatch } from "../../../core/stack/link.ts";

/**
 * Sends and receives Ethernet frames: a TAP device, a tunnel, a virtual machine's network card.
 * `ethernet()` turns it into a link. The members correspond to those of `Link`.
 */
export interface FramePort extends AsyncDisposable {
  /** Shown in logs. */
  readonly name: string;
  /** Capabilities; `mtu` is the largest IP packet in a frame. */
  readonly features: LinkFeatures;
  /** Receives frames into `batch`; each begins with its destination address. */
  receive(batch: PacketBatch): number;
  /** See `Link`. */
  ready(): Promise<boolean>;
  /**
   * See `Link`. The Ethernet header is the 14 bytes before the packet's own header; a port may
   * write a header of its own before that, within the headroom.
   */
  send(frame: OutgoingPacket): boolean;
  /** See `Link`. */
  isFull?(onRoom: () => void): boolean;
  /** See `Link`. */
  close(): Promise<void>;
  /** Counters by name; shown in the stack's statistics. */
  stats?(): Readonly<Record<string, number>>;
}
