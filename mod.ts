/**
 * A user-space TCP/IP stack and service host for Deno and Bun.
 *
 * Give it a link and addresses; every port is a plugin, every connection is an async iterable of
 * bytes.
 *
 * @example
 * ```ts
 * import { createStack, echo, linkPair } from "@berth/berth";
 *
 * const [here, there] = linkPair();
 * await using server = createStack({ link: here, addresses: ["10.0.0.1/24"] });
 * server.use(7, echo());
 *
 * await using client = createStack({ link: there, addresses: ["10.0.0.2/24"] });
 * await using socket = client.connect("10.0.0.1:7");
 * await socket.write(new TextEncoder().encode("ahoy"));
 * await socket.closeWrite();
 * for await (const chunk of socket) console.log(new TextDecoder().decode(chunk));
 * ```
 *
 * @module
 */
export * from "./adapters/browser.ts";

export type * from "./core/api/udp/datagram.ts";
export type { IcmpOptions, UdpOptions } from "./core/api/config.ts";
export type { QueueLimits } from "./core/udp/datagram.ts";
export type { UdpConfig } from "./core/udp/config.ts";
export type { OutboundOptions } from "./plugins/shared/outbound.ts";
export { relayDatagrams } from "./plugins/shared/relay_datagrams.ts";
export type { DatagramChannel } from "./plugins/shared/host_network.ts";

export { dns } from "./adapters/plugins/dns.ts";
export { egress } from "./adapters/plugins/egress.ts";
export { connectProxy } from "./adapters/plugins/connect_proxy.ts";
export { forward } from "./adapters/plugins/forward.ts";
export {
  type DuplicateAddress,
  ethernet,
  type EthernetLink,
  type EthernetOptions,
  type FramePort,
  type NeighborEntry,
  type NeighborState,
} from "./adapters/links/ethernet/mod.ts";
export { openQemuDgram, type QemuDgramOptions } from "./adapters/links/qemu_dgram.ts";
export { openQemuStream, type QemuStreamOptions } from "./adapters/links/qemu_stream.ts";
export { openVxlan, type VxlanOptions } from "./adapters/links/vxlan.ts";
export { framePortPair } from "./adapters/links/memory.ts";
export {
  type UdpLink,
  udpLink,
  type UdpLinkDrops,
  type UdpLinkOptions,
} from "./adapters/links/udp.ts";
export { webSocketLinkEvents } from "./adapters/links/web_socket_events.ts";
export { socks5 } from "./adapters/plugins/socks5.ts";
export { staticFiles, type StaticFilesOptions } from "./adapters/plugins/static_files.ts";
export {
  openTap,
  openTun,
  TunError,
  type TunErrorCode,
  type TunOptions,
} from "./adapters/links/tun/mod.ts";
export {
  type ClientCertificate,
  type ClientCertificateOptions,
  tls,
  TLS_INFO,
  type TlsCertificate,
  type TlsInfo,
  type TlsOptions,
} from "./adapters/plugins/tls.ts";
export { VirtualClock } from "./adapters/runtime/virtual_clock.ts";
export {
  type CaptureFile,
  captureFile,
  type CaptureFileOptions,
} from "./adapters/links/decorators/capture_file.ts";

export { daytime, type DaytimeOptions } from "./plugins/daytime.ts";
export type { DnsOptions, DnsRecords } from "./plugins/dns.ts";
export type { ConnectProxyOptions } from "./plugins/connect_proxy.ts";
export {
  detect,
  type DetectedProtocol,
  type DetectHandlers,
  type DetectOptions,
  type DetectRoutes,
} from "./plugins/detect.ts";
export type { EgressOptions } from "./plugins/egress.ts";
export type { ForwardOptions, HealthCheckOptions } from "./plugins/forward.ts";
export {
  type UpgradeContext,
  type UpgradeWebSocket,
  upgradeWebSocket,
  type WebSocketContext,
  type WebSocketEvents,
  type WebSocketOptions,
  type WebSocketSession,
} from "./plugins/http/websocket.ts";
export { rememberResponseText } from "./adapters/runtime/fetch/mod.ts";
export { iperf3, type Iperf3Options } from "./plugins/iperf3.ts";
export type { Socks5Options, Socks5UdpOptions } from "./plugins/socks5.ts";
export { type AccessOptions, allow, deny } from "./plugins/middleware/access.ts";
export { limit, type LimitOptions } from "./plugins/middleware/limit.ts";
export { log, type LogOptions } from "./plugins/middleware/log.ts";
export { proxyProtocol, type ProxyProtocolOptions } from "./plugins/middleware/proxy_protocol.ts";
export { rate, type RateOptions } from "./plugins/middleware/rate.ts";
export { shape, type ShapeOptions } from "./plugins/middleware/shape.ts";
export { timeout, type TimeoutOptions } from "./plugins/middleware/timeout.ts";
export { trace, type TraceOptions } from "./plugins/middleware/trace.ts";
export type { PrefixLengths } from "./plugins/shared/subnet_set.ts";
export type { TraceEvent } from "./plugins/shared/connection_span.ts";
