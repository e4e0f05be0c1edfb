/**
 * A user-space TCP/IP stack and service host for Deno and Bun.
 *
 * Give it a link and addresses; a plugin serves each port, and each connection is an async iterable of bytes. This
 * entry point has the stack, its options and the types of plugins, and uses only Web APIs. Links are in
 * `@berth/berth/links`, plugins in `@berth/berth/plugins`, middleware in `@berth/berth/middleware`, the host's
 * network in `@berth/berth/host`, and a virtual network for tests in `@berth/berth/testing`.
 *
 * @example
 * ```ts
 * import { createStack } from "@berth/berth";
 * import { linkPair } from "@berth/berth/links";
 * import { echo } from "@berth/berth/plugins";
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
export { createStack, type StackOptions } from "./core/api/stack.ts";
export { PeerFaultError, TcpError, type TcpErrorCode } from "./core/api/errors.ts";
export type * from "./core/api/types.ts";
export type * from "./core/api/moves/types.ts";
export type * from "./core/api/udp/datagram.ts";
export type * from "./core/tcp/event_log/events.ts";
export type { EndReason } from "./core/tcp/state.ts";
export type { DropReason } from "./core/wire/drop_reason.ts";
export { qlogHeader, qlogLine, type QlogOptions, qlogStream } from "./core/api/tcp/qlog.ts";
export { type ReplayedState, replayEvents } from "./core/api/tcp/event_replay.ts";
export {
  type Random,
  silentLogger,
  sleepUntil,
  systemClock,
  systemRandom,
} from "./core/api/environment.ts";

export type { IcmpOptions, StackLimits, TcpOptions, UdpOptions } from "./core/api/config.ts";
export type { AcknowledgePolicy, CongestionName, TcpConfig } from "./core/tcp/config.ts";
export type { UdpConfig } from "./core/udp/config.ts";
export type { QueueLimits } from "./core/udp/datagram.ts";

export type {
  HistogramValue,
  Metric,
  MetricAttributes,
  MetricDefinition,
  MetricPoint,
} from "./core/api/metrics/metric.ts";

export {
  definePlugin,
  type OptionArguments,
  type PluginDefinition,
  type PluginFactory,
} from "./core/api/plugin.ts";
export type { CheckedOptions, OptionsSchema, SchemaIssue } from "./core/api/options.ts";
export { type LineOptions, type LineReader, readLines } from "./core/api/lines.ts";
export { deriveSocket, type SocketOverrides, unread } from "./core/api/tcp/derived_socket.ts";
export {
  type Addresses,
  createFetch,
  type FetchFunction,
  type FetchOptions,
} from "./plugins/fetch.ts";
export type {
  ClosedListener,
  ReadableListener,
  WritableListener,
} from "./core/api/tcp/connection_listener.ts";
export { type Duplex, type NonBlockingReader, relay } from "./plugins/shared/relay.ts";
export { relayDatagrams } from "./plugins/shared/relay_datagrams.ts";
export type { DatagramChannel } from "./plugins/shared/host_network.ts";
