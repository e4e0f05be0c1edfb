/**
 * Links, which carry the packets of a stack: devices, sockets and memory. Also wrappers that impair or record a link,
 * and the interface for a link of your own.
 *
 * @example
 * ```ts
 * import { createStack } from "@berth/berth";
 * import { linkPair, pcapng } from "@berth/berth/links";
 *
 * const [here] = linkPair({ mtu: 9000 });
 * const recorded = pcapng(here);
 * await using stack = createStack({ link: recorded, addresses: ["10.0.0.1/24"] });
 * ```
 *
 * @module
 */
export {
  type ChecksumState,
  type Link,
  type LinkFeatures,
  OutgoingPacket,
  PacketBatch,
} from "../core/stack/link.ts";

export { framePortPair, linkPair, type LinkPairOptions } from "../adapters/links/memory.ts";
export {
  openTap,
  openTun,
  TunError,
  type TunErrorCode,
  type TunOptions,
} from "../adapters/links/tun/mod.ts";
export {
  openUdpLink,
  type UdpLink,
  type UdpLinkDrops,
  type UdpLinkOptions,
} from "../adapters/links/udp.ts";
export {
  openWebSocketLink,
  type PacketSocket,
  type WebSocketLike,
  type WebSocketLink,
  webSocketLink,
  type WebSocketLinkDrops,
  type WebSocketLinkOptions,
} from "../adapters/links/web_socket.ts";
export { webSocketLinkEvents } from "../adapters/links/web_socket_events.ts";

export {
  type DuplicateAddress,
  ethernet,
  type EthernetLink,
  type EthernetOptions,
  type FramePort,
  type NeighborEntry,
  type NeighborState,
} from "../adapters/links/ethernet/mod.ts";
export { openQemuDgram, type QemuDgramOptions } from "../adapters/links/qemu_dgram.ts";
export { openQemuStream, type QemuStreamOptions } from "../adapters/links/qemu_stream.ts";
export { openVxlan, type VxlanOptions } from "../adapters/links/vxlan.ts";

export {
  impair,
  type ImpairedCounts,
  type ImpairedLink,
  type Impairments,
  type ImpairOptions,
  type LinkImpairments,
} from "../adapters/links/decorators/impair.ts";
export {
  type CapturedConnection,
  type CapturedLink,
  type LinkRecording,
  type NameConnection,
  pcapng,
  type PcapngOptions,
  type RecordOptions,
  type WriteBlock,
} from "../adapters/links/decorators/pcapng.ts";
export {
  type CaptureFile,
  captureFile,
  type CaptureFileOptions,
} from "../adapters/links/decorators/capture_file.ts";
