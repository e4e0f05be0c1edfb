/**
 * The plugins, and the apps that `http` and `http2` serve.
 *
 * @example
 * ```ts
 * import { createStack } from "@berth/berth";
 * import { linkPair } from "@berth/berth/links";
 * import { echo, http } from "@berth/berth/plugins";
 *
 * const [here] = linkPair();
 * await using stack = createStack({ link: here, addresses: ["10.0.0.1/24"] });
 * stack.use(7, echo());
 * stack.use(80, http({ fetch: () => new Response("ahoy") }));
 * ```
 *
 * @module
 */
export { chargen, type ChargenOptions } from "../plugins/chargen.ts";
export { connectProxy } from "../adapters/plugins/connect_proxy.ts";
export type { ConnectProxyOptions } from "../plugins/connect_proxy.ts";
export { daytime, type DaytimeOptions } from "../plugins/daytime.ts";
export {
  detect,
  type DetectedProtocol,
  type DetectHandlers,
  type DetectOptions,
  type DetectRoutes,
} from "../plugins/detect.ts";
export { discard, type DiscardOptions } from "../plugins/discard.ts";
export { dns } from "../adapters/plugins/dns.ts";
export type { DnsOptions, DnsRecords } from "../plugins/dns.ts";
export { echo, type EchoOptions } from "../plugins/echo.ts";
export { egress } from "../adapters/plugins/egress.ts";
export type { EgressOptions } from "../plugins/egress.ts";
export { forward } from "../adapters/plugins/forward.ts";
export type { ForwardOptions, HealthCheckOptions } from "../plugins/forward.ts";
export type { OutboundOptions } from "../plugins/shared/outbound.ts";
export { iperf3, type Iperf3Options } from "../plugins/iperf3.ts";
export { socks5 } from "../adapters/plugins/socks5.ts";
export type { Socks5Options, Socks5UdpOptions } from "../plugins/socks5.ts";
export {
  type ClientCertificate,
  type ClientCertificateOptions,
  tls,
  TLS_INFO,
  type TlsCertificate,
  type TlsInfo,
  type TlsOptions,
} from "../adapters/plugins/tls.ts";

export {
  type AccessLogFormat,
  type FetchApp,
  http,
  type HttpEnv,
  type HttpOptions,
  type PeerAddress,
  RequestBodyError,
} from "../plugins/http.ts";
export { http2, type Http2Options } from "../plugins/http2.ts";
export {
  type UpgradeContext,
  type UpgradeWebSocket,
  upgradeWebSocket,
  type WebSocketContext,
  type WebSocketEvents,
  type WebSocketOptions,
  type WebSocketSession,
} from "../plugins/http/websocket.ts";
export { rememberResponseText } from "../adapters/runtime/fetch/mod.ts";
export { staticFiles, type StaticFilesOptions } from "../adapters/plugins/static_files.ts";
