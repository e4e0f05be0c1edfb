/**
 * The part of berth that runs in a browser: the stack, the plugins, and the links that need no
 * operating system.
 *
 * Bundle it with the page: `bun build page.ts --target browser` or
 * `deno bundle --platform browser page.ts`.
 *
 * @example
 * ```ts no_run
 * import { createStack, openWebSocketLink } from "@berth/berth/browser";
 *
 * const link = await openWebSocketLink("ws://127.0.0.1:8080/attach");
 * await using stack = createStack({ link, addresses: ["10.9.0.2/24"] });
 * await using socket = stack.connect("10.9.0.1:80");
 * await socket.opened;
 * ```
 *
 * @module
 */
export { createStack, type StackOptions } from "../core/api/stack.ts";
export { PeerFaultError, TcpError, type TcpErrorCode } from "../core/api/errors.ts";
export type * from "../core/api/types.ts";
export type * from "../core/tcp/event_log/events.ts";
export type { EndReason } from "../core/tcp/state.ts";
export type { DropReason } from "../core/wire/drop_reason.ts";
export { qlogHeader, qlogLine, type QlogOptions, qlogStream } from "../core/api/tcp/qlog.ts";
export { type ReplayedState, replayEvents } from "../core/api/tcp/event_replay.ts";
export type * from "../core/api/moves/types.ts";
export { silentLogger, sleepUntil, systemClock, systemRandom } from "../core/api/environment.ts";
export type { Random } from "../core/api/environment.ts";
export type { TcpOptions } from "../core/api/config.ts";
export type { AcknowledgePolicy, CongestionName, TcpConfig } from "../core/tcp/config.ts";
export type { CheckedOptions, OptionsSchema, SchemaIssue } from "../core/api/options.ts";
export {
  definePlugin,
  type OptionArguments,
  type PluginDefinition,
  type PluginFactory,
} from "../core/api/plugin.ts";
export { type LineOptions, type LineReader, readLines } from "../core/api/lines.ts";
export { deriveSocket, type SocketOverrides, unread } from "../core/api/tcp/derived_socket.ts";
export {
  type Addresses,
  createFetch,
  type FetchFunction,
  type FetchOptions,
} from "../plugins/fetch.ts";
export type {
  ClosedListener,
  ReadableListener,
  WritableListener,
} from "../core/api/tcp/connection_listener.ts";
export { type Duplex, type NonBlockingReader, relay } from "../plugins/shared/relay.ts";
export {
  type ChecksumState,
  type Link,
  type LinkFeatures,
  OutgoingPacket,
  PacketBatch,
} from "../core/stack/link.ts";

export {
  openWebSocketLink,
  type PacketSocket,
  type WebSocketLike,
  webSocketLink,
  type WebSocketLinkDrops,
  type WebSocketLinkOptions,
} from "../adapters/links/web_socket.ts";
export type { WebSocketLink } from "../adapters/links/web_socket.ts";
export { linkPair, type LinkPairOptions } from "../adapters/links/memory.ts";
export { type SeededRandom, seededRandom } from "../adapters/runtime/seeded_random.ts";
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

export { chargen, type ChargenOptions } from "../plugins/chargen.ts";
export { discard, type DiscardOptions } from "../plugins/discard.ts";
export { echo, type EchoOptions } from "../plugins/echo.ts";
export {
  type FetchApp,
  http,
  type HttpEnv,
  type HttpOptions,
  type PeerAddress,
  RequestBodyError,
} from "../plugins/http.ts";
export { http2, type Http2Options } from "../plugins/http2.ts";
