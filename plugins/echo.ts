/**
 * The echo service (RFC 862).
 *
 * @module
 */
import { z } from "zod";
import { definePlugin, type PluginFactory } from "../core/api/plugin.ts";
import type { TcpSocket } from "../core/api/types.ts";
import { isSimpleService } from "./shared/simple_services.ts";

/**
 * Sockets with a pending write, and the number of bytes that still count as unread although they have been passed to
 * `write` already.
 */
const waiting = new WeakMap<TcpSocket, number>();

/** Sends back what it receives, without the first `sent` bytes, which another stack has written. */
async function sendBack(socket: TcpSocket, sent: number): Promise<void> {
  let skip = sent;
  for await (const view of socket.views()) {
    const rest = skip > 0 ? view.subarray(skip) : view;
    skip = Math.max(0, skip - view.length);
    const taken = socket.tryWrite(rest);
    if (taken === rest.length) continue;
    // The view counts as unread until the next one.
    waiting.set(socket, view.length);
    await socket.write(rest.subarray(taken));
    waiting.delete(socket);
  }
}

/** Options of {@link echo}: none. */
export type EchoOptions = Record<string, never>;

/**
 * Sends back what it receives, over TCP and UDP (RFC 862).
 *
 * A connection ends when the peer closes its side. Datagrams from the ports of other simple
 * services are not answered: the two services would answer each other forever.
 *
 * @example
 * ```ts
 * import { createStack } from "@berth/berth";
 * import { linkPair } from "@berth/berth/links";
 * import { echo } from "@berth/berth/plugins";
 *
 * const [here, there] = linkPair();
 * await using server = createStack({ link: here, addresses: ["10.0.0.1/24"] });
 * server.use([7, "udp/7"], echo());
 *
 * await using client = createStack({ link: there, addresses: ["10.0.0.2/24"] });
 * await using socket = client.connect("10.0.0.1:7", { allowHalfOpen: true });
 * await socket.write(new TextEncoder().encode("ahoy"));
 * await socket.closeWrite();
 * const answer = await new Response(socket.readable).text();
 * if (answer !== "ahoy") throw new Error(answer);
 * ```
 */
export const echo: PluginFactory<EchoOptions> = definePlugin({
  name: "echo",
  options: z.strictObject({}),
  setup: () => ({
    handle: ({ socket }) => sendBack(socket, 0),
    freeze: ({ socket }) => waiting.get(socket) ?? 0,
    thaw: ({ socket }, sent) => sendBack(socket, Number(sent)),
    async flow({ flow }) {
      if (isSimpleService(flow.remoteAddr.port)) return;
      for await (const datagram of flow) await flow.send(datagram);
    },
  }),
});
