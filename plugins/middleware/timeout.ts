/**
 * Time limits of connections.
 *
 * @module
 */
import { z } from "zod";
import { TcpError } from "../../core/api/errors.ts";
import { milliseconds } from "../../core/api/numbers.ts";
import { definePlugin, type PluginFactory } from "../../core/api/plugin.ts";
import type { Handler } from "../../core/api/types.ts";
import type { FlowHandler } from "../../core/api/udp/datagram.ts";

/** Options of {@link timeout}: at least one limit. All in milliseconds. */
export interface TimeoutOptions {
  /** Longest time without a byte in either direction. May be exceeded by up to a quarter. */
  idleMs?: number | undefined;
  /** Longest duration of a connection. */
  totalMs?: number | undefined;
  /** Longest time until the peer's first byte. */
  firstByteMs?: number | undefined;
}

const ms = milliseconds().optional();

/**
 * Aborts connections that are idle, last too long, or whose first byte does not arrive.
 *
 * The limits also apply while the last data is being sent. A waiting handler gets
 * `CONNECTION_ABORTED`, whose cause names the limit. The plugin costs one timer per connection, and nothing
 * per segment. Flows of datagrams end after `idleMs` or `totalMs`.
 *
 * @example
 * ```ts
 * import { createStack } from "@berth/berth";
 * import { linkPair } from "@berth/berth/links";
 * import { timeout } from "@berth/berth/middleware";
 * import { echo } from "@berth/berth/plugins";
 *
 * const [here, there] = linkPair();
 * await using server = createStack({ link: here, addresses: ["10.0.0.1/24"] });
 * server.use(7, timeout({ idleMs: 60_000, firstByteMs: 20 }), echo());
 *
 * await using client = createStack({ link: there, addresses: ["10.0.0.2/24"] });
 * await using socket = client.connect("10.0.0.1:7");
 * const code = await socket.read(new Uint8Array(1)).catch((error) => error.code); // says nothing
 * if (code !== "CONNECTION_RESET") throw new Error(`expected an abort, got ${code}`);
 * ```
 */
export const timeout: PluginFactory<TimeoutOptions> = definePlugin({
  name: "timeout",
  options: z.strictObject({ idleMs: ms, totalMs: ms, firstByteMs: ms }).refine(
    (limits) => Object.values(limits).some((limit) => limit !== undefined),
    "expected at least one of idleMs, totalMs and firstByteMs",
  ),
  setup: ({ idleMs = Infinity, totalMs = Infinity, firstByteMs = Infinity }) => {
    const handle: Handler = ({ socket, clock, log }, next) => {
      const openedAt = clock.now();
      let [seenAt, seen] = [openedAt, 0];
      const look = () => {
        const { bytesIn, bytesOut } = socket.stats();
        const now = clock.now();
        if (seen !== bytesIn + bytesOut) [seenAt, seen] = [now, bytesIn + bytesOut];
        const firstByteAt = bytesIn > 0 ? Infinity : openedAt + firstByteMs;
        if (now >= firstByteAt) end(`no first byte within ${firstByteMs} ms`);
        else if (now >= seenAt + idleMs) end(`no byte in either direction for ${idleMs} ms`);
        else if (now >= openedAt + totalMs) end(`the connection lasted ${totalMs} ms`);
        else {
          const idleAt = Math.min(seenAt + idleMs, now + idleMs / 4);
          const at = Math.min(idleAt, openedAt + totalMs, firstByteAt);
          if (at < Infinity) cancel = clock.schedule(at, look);
        }
      };
      const end = (reason: string) => {
        log.debug("connection timed out", { reason });
        socket.abort(new TcpError("TIMED_OUT", reason));
      };
      let cancel = () => {};
      look();
      socket.closed.catch(() => {}).finally(() => cancel());
      return next();
    };
    const flow: FlowHandler = async ({ flow, clock }, next) => {
      if (idleMs < Infinity) flow.setIdleTimeout(idleMs);
      const end = () => flow.close();
      const cancel = totalMs < Infinity ? clock.schedule(clock.now() + totalMs, end) : () => {};
      await next().finally(cancel);
    };
    return { handle, flow };
  },
});
