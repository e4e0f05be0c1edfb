/**
 * Plugins that wrap other plugins. They limit who may connect, how many connections there are, how fast they are, and
 * how long they last.
 *
 * @example
 * ```ts
 * import { createStack } from "@berth/berth";
 * import { linkPair } from "@berth/berth/links";
 * import { limit, timeout } from "@berth/berth/middleware";
 * import { echo } from "@berth/berth/plugins";
 *
 * const [here] = linkPair();
 * await using stack = createStack({ link: here, addresses: ["10.0.0.1/24"] });
 * stack.use(7, limit({ perAddress: 10 }), timeout({ idleMs: 60_000 }), echo());
 * ```
 *
 * @module
 */
export { type AccessOptions, allow, deny } from "../plugins/middleware/access.ts";
export { limit, type LimitOptions } from "../plugins/middleware/limit.ts";
export { log, type LogOptions } from "../plugins/middleware/log.ts";
export { proxyProtocol, type ProxyProtocolOptions } from "../plugins/middleware/proxy_protocol.ts";
export { rate, type RateOptions } from "../plugins/middleware/rate.ts";
export { shape, type ShapeOptions } from "../plugins/middleware/shape.ts";
export { timeout, type TimeoutOptions } from "../plugins/middleware/timeout.ts";
export { trace, type TraceOptions } from "../plugins/middleware/trace.ts";
export type { PrefixLengths } from "../plugins/shared/subnet_set.ts";
export type { TraceEvent } from "../plugins/shared/connection_span.ts";
