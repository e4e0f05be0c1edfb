/**
 * Middleware by name.
 *
 * @module
 */
import { log } from "../../plugins/middleware/log.ts";
import { proxyProtocol } from "../../plugins/middleware/proxy_protocol.ts";
import { shape } from "../../plugins/middleware/shape.ts";
import { timeout } from "../../plugins/middleware/timeout.ts";
import { trace } from "../../plugins/middleware/trace.ts";
import { type Make, withArgument, withoutArgument } from "./make_plugin.ts";

/** What stands before a plugin; the argument is the option that is given most. */
export const MIDDLEWARE: Readonly<Record<string, Make>> = {
  log: withoutArgument("log", log),
  proxyProtocol: withArgument(proxyProtocol, (trusted) => ({ trusted: trusted.split(",") })),
  shape: withArgument(shape, (rate) => ({ receiveRate: Number(rate), sendRate: Number(rate) })),
  timeout: withArgument(timeout, (idleMs) => ({ idleMs: Number(idleMs) })),
  trace: withoutArgument("trace", trace),
};
