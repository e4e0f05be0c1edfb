/**
 * The table of middleware.
 *
 * @module
 */
import { allow, deny } from "../../../plugins/middleware/access.ts";
import { limit } from "../../../plugins/middleware/limit.ts";
import { log } from "../../../plugins/middleware/log.ts";
import { proxyProtocol } from "../../../plugins/middleware/proxy_protocol.ts";
import { rate } from "../../../plugins/middleware/rate.ts";
import { shape } from "../../../plugins/middleware/shape.ts";
import { timeout } from "../../../plugins/middleware/timeout.ts";
import { trace } from "../../../plugins/middleware/trace.ts";
import { type Make, withArgument, withoutArgument } from "./make_plugin.ts";

/** Middleware by name; the argument stands for the most common option. */
export const MIDDLEWARE: Readonly<Record<string, Make>> = {
  allow: withArgument(allow, (from) => ({ from: from.split(",") })),
  deny: withArgument(deny, (from) => ({ from: from.split(",") })),
  limit: withArgument(limit, (connections) => ({ connections: Number(connections) })),
  log: withoutArgument("log", log),
  proxyProtocol: withArgument(proxyProtocol, (trusted) => ({ trusted: trusted.split(",") })),
  rate: withArgument(rate, (perSecond) => ({ perSecond: Number(perSecond) })),
  shape: withArgument(shape, (rate) => ({ receiveRate: Number(rate), sendRate: Number(rate) })),
  timeout: withArgument(timeout, (idleMs) => ({ idleMs: Number(idleMs) })),
  trace: withoutArgument("trace", trace),
};
