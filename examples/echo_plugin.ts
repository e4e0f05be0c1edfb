/**
 * The smallest plugin: it sends back what it receives.
 *
 *     deno task start --listen 9000=./examples/echo_plugin.ts
 *     nc 127.0.0.1 9000
 *
 * @module
 */
import { definePlugin, type PluginFactory } from "@berth/berth";
import { z } from "zod";

const echoPlugin: PluginFactory<{ prefix?: string | undefined }> = definePlugin({
  name: "echo-plugin",
  options: z.strictObject({ prefix: z.string().default("") }),
  setup: ({ prefix }) => async ({ socket }) => {
    if (prefix !== "") await socket.write(new TextEncoder().encode(prefix));
    // The loop ends at the peer's FIN. `write` waits while the peer does not read, and meanwhile
    // nothing more is read, so backpressure reaches the sender.
    for await (const chunk of socket) await socket.write(chunk);
  },
});

export default echoPlugin;
