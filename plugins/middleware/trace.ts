/**
 * Spans and events of connections.
 *
 * @module
 */
import { z } from "zod";
import { messageOf, stackOf } from "../../core/api/error_text.ts";
import { definePlugin, type PluginFactory } from "../../core/api/plugin.ts";
import { deriveSocket } from "../../core/api/tcp/derived_socket.ts";
import { readChunk } from "../../core/api/tcp/read_chunk.ts";
import { ConnectionSpan, type TraceEvent } from "../shared/connection_span.ts";

/** Options of {@link trace}. */
export interface TraceOptions {
  /** Called with each event. Default: one line per event at level `debug`. */
  onEvent?: ((event: TraceEvent) => void) | undefined;
}

const isFunction = (value: unknown) => typeof value === "function";

/**
 * Reports every read, write and end of a connection with its time and duration.
 *
 * Ids have the form of W3C Trace Context; later plugins get them as `c.get("traceparent")`. Events are
 * not stored.
 *
 * @example
 * ```ts
 * import { createStack } from "@berth/berth";
 * import { linkPair } from "@berth/berth/links";
 * import { trace } from "@berth/berth/middleware";
 * import { echo } from "@berth/berth/plugins";
 *
 * const [here, there] = linkPair();
 * await using server = createStack({ link: here, addresses: ["10.0.0.1/24"] });
 * const events: string[] = [];
 * server.use(7, trace({ onEvent: ({ name }) => events.push(name) }), echo());
 *
 * await using client = createStack({ link: there, addresses: ["10.0.0.2/24"] });
 * await using socket = client.connect("10.0.0.1:7", { allowHalfOpen: true });
 * await socket.write(new TextEncoder().encode("ahoy"));
 * await socket.closeWrite();
 * const answer = await new Response(socket.readable).text();
 * if (answer !== "ahoy") throw new Error(answer);
 * console.log(events);
 * ```
 */
export const trace: PluginFactory<TraceOptions> = definePlugin({
  name: "trace",
  options: z.strictObject({
    onEvent: z.custom<NonNullable<TraceOptions["onEvent"]>>(isFunction, "expected a function")
      .optional(),
  }),
  setup: ({ onEvent }) => (c, next) => {
    const { socket, clock, log } = c;
    const report = onEvent ?? ((event: TraceEvent) => log.debug("trace", { ...event }));
    const span = new ConnectionSpan(socket, clock, (event) => {
      try {
        report(event);
      } catch (error) {
        log.error("trace: onEvent failed", { error: messageOf(error), stack: stackOf(error) });
      }
    });
    c.set("traceparent", span.traceparent);
    return next(deriveSocket(socket, {
      readChunk: () => span.timed("read", () => readChunk(socket), (chunk) => chunk?.length ?? 0),
      write: (bytes) => span.timed("write", () => socket.write(bytes), () => bytes.length),
      closeWrite: () => span.timed("closeWrite", () => socket.closeWrite(), () => 0),
    }));
  },
});
