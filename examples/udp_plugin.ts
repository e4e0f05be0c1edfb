/**
 * A UDP plugin: a key-value store that answers one datagram with one datagram.
 *
 *     deno task start --listen udp/9000=./examples/udp_plugin.ts
 *     nc -u 127.0.0.1 9000
 *     SET colour blue
 *     GET colour
 *
 * @module
 */
import { definePlugin, type PluginFactory } from "@berth/berth";
import { z } from "zod";

const keyValueStore: PluginFactory<{ maxKeys?: number | undefined }> = definePlugin({
  name: "key-value-store",
  options: z.strictObject({ maxKeys: z.int().min(1).default(1000) }),
  setup: ({ maxKeys }) => {
    const values = new Map<string, string>();

    function answer(request: string): string {
      const [verb, key, value] = request.trim().split(" ");
      if (key !== undefined && verb === "GET") return values.get(key) ?? "no such key";
      if (key === undefined || value === undefined || verb !== "SET") {
        return "use GET key or SET key value";
      }
      if (!values.has(key) && values.size >= maxKeys) return "full";
      values.set(key, value);
      return "ok";
    }

    return {
      // There is one flow for each peer address and port; it ends after an idle timeout.
      async flow({ flow }) {
        for await (const datagram of flow) {
          await flow.send(
            new TextEncoder().encode(`${answer(new TextDecoder().decode(datagram))}\n`),
          );
        }
      },
    };
  },
});

export default keyValueStore;
