/**
 * The echo service (RFC 862).
 *
 * @module
 */
import { z } from "zod";
import { definePlugin, type PluginFactory } from "../core/api/plugin.ts";
import { isSimpleService } from "./shared/simple_services.ts";

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
    async handle({ socket }) {
      for await (const view of socket.views()) await socket.write(view);
    },
    async flow({ flow }) {
      if (isSimpleService(flow.remoteAddr.port)) return;
      for await (const datagram of flow) await flow.send(datagram);
    },
  }),
});
