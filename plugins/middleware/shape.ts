/**
 * Bandwidth limits.
 *
 * @module
 */
import { z } from "zod";
import type { Clock } from "../../core/api/environment.ts";
import { MAX_BYTES, number, perSecond } from "../../core/api/numbers.ts";
import { definePlugin, type PluginFactory } from "../../core/api/plugin.ts";
import { deriveSocket } from "../../core/api/tcp/derived_socket.ts";
import { readChunk } from "../../core/api/tcp/read_chunk.ts";
import { Pace } from "../shared/pace.ts";

/** Options of {@link shape}; a direction without a rate is not limited. */
export interface ShapeOptions {
  /** Bytes per second received from peers. */
  receiveRate?: number | undefined;
  /** Bytes per second sent to peers. */
  sendRate?: number | undefined;
  /** Burst size in bytes. Default: a tenth of a second at the rate. */
  burst?: number | undefined;
  /** All connections share the rates. Default false: the rates apply to each connection. */
  shared?: boolean | undefined;
}

const rate = perSecond(1).optional();

/**
 * Limits the bytes per second of each connection, or of all connections together, in each direction.
 *
 * It buffers at most one chunk of 16 KiB: for a peer that sends too fast, the receive window closes;
 * a handler that sends too fast waits in `write()`. Connections that share a rate take turns of at most
 * 16 KiB.
 *
 * @example
 * ```ts
 * import { createStack } from "@berth/berth";
 * import { linkPair } from "@berth/berth/links";
 * import { shape } from "@berth/berth/middleware";
 * import { chargen } from "@berth/berth/plugins";
 *
 * const [here, there] = linkPair();
 * await using server = createStack({ link: here, addresses: ["10.0.0.1/24"] });
 * server.use(19, shape({ sendRate: 1_000_000, burst: 10_000 }), chargen({ limit: 60_000 }));
 *
 * await using client = createStack({ link: there, addresses: ["10.0.0.2/24"] });
 * await using socket = client.connect("10.0.0.1:19");
 * const began = performance.now();
 * for await (const chunk of socket) console.log(chunk.length);
 * if (performance.now() - began < 45) throw new Error("faster than 1 MB/s");
 * ```
 */
export const shape: PluginFactory<ShapeOptions> = definePlugin({
  name: "shape",
  options: z.strictObject({
    receiveRate: rate,
    sendRate: rate,
    burst: number(1, MAX_BYTES, "bytes").optional(),
    shared: z.boolean().default(false),
  }),
  setup: ({ receiveRate, sendRate, burst, shared }) => {
    const paceOf = (bytesPerSecond: number | undefined, clock: Clock) =>
      bytesPerSecond === undefined ? undefined : new Pace(bytesPerSecond, burst, clock);
    const makePaces = (clock: Clock) => [paceOf(receiveRate, clock), paceOf(sendRate, clock)];
    let common: ReturnType<typeof makePaces> | undefined;
    return async ({ socket, clock }, next) => {
      const [receive, send] = shared ? common ??= makePaces(clock) : makePaces(clock);
      const ended = new AbortController();
      socket.closed.catch(() => {}).finally(() => ended.abort());
      await next(deriveSocket(socket, {
        ...receive && {
          readChunk: async () => {
            const chunk = await readChunk(socket, receive.most);
            if (chunk !== undefined) await receive.wait(chunk.length, ended.signal);
            return chunk;
          },
        },
        ...send && {
          write: async (bytes) => {
            for (let at = 0; at < bytes.length; at += send.most) {
              const part = bytes.subarray(at, at + send.most);
              await send.wait(part.length, ended.signal);
              await socket.write(part);
            }
          },
        },
      }));
    };
  },
});
