/**
 * The discard service (RFC 863).
 *
 * @module
 */
import { z } from "zod";
import { definePlugin, type PluginFactory } from "../core/api/plugin.ts";
import type { TcpSocket } from "../core/api/types.ts";

async function readAll(socket: TcpSocket): Promise<void> {
  const views = socket.views();
  while (!(await views.next()).done);
}

/** Options of {@link discard}: none. */
export type DiscardOptions = Record<string, never>;

/**
 * Reads everything and answers nothing, over TCP and UDP (RFC 863).
 *
 * @example
 * ```ts
 * import { createStack } from "@berth/berth";
 * import { linkPair } from "@berth/berth/links";
 * import { discard } from "@berth/berth/plugins";
 *
 * const [here, there] = linkPair();
 * await using server = createStack({ link: here, addresses: ["10.0.0.1/24"] });
 * server.use([9, "udp/9"], discard());
 *
 * await using client = createStack({ link: there, addresses: ["10.0.0.2/24"] });
 * await using socket = client.connect("10.0.0.1:9", { allowHalfOpen: true });
 * await socket.write(new Uint8Array(100_000));
 * await socket.closeWrite();
 * if (await socket.read(new Uint8Array(1)) !== null) throw new Error("discard answered");
 * ```
 */
export const discard: PluginFactory<DiscardOptions> = definePlugin({
  name: "discard",
  options: z.strictObject({}),
  setup: () => ({
    handle: ({ socket }) => readAll(socket),
    freeze: () => null,
    thaw: ({ socket }) => readAll(socket),
    async flow({ flow }) {
      while (await flow.receive() !== null);
    },
  }),
});
