/**
 * The daytime service (RFC 867).
 *
 * @module
 */
import { z } from "zod";
import { definePlugin, type PluginFactory } from "../core/api/plugin.ts";
import { isSimpleService } from "./shared/simple_services.ts";

/** Options of {@link daytime}: none. */
export type DaytimeOptions = Record<string, never>;

/**
 * Sends the date and time as a line of text, over TCP and UDP (RFC 867).
 *
 * The time is UTC. A connection gets one line and is closed; each datagram is answered with one line of
 * at most 50 bytes. Datagrams from the ports of other simple services are not answered.
 *
 * @example
 * ```ts
 * import { createStack } from "@berth/berth";
 * import { linkPair } from "@berth/berth/links";
 * import { daytime } from "@berth/berth/plugins";
 *
 * const [here, there] = linkPair();
 * await using server = createStack({ link: here, addresses: ["10.0.0.1/24"] });
 * server.use([13, "udp/13"], daytime());
 *
 * await using client = createStack({ link: there, addresses: ["10.0.0.2/24"] });
 * await using socket = client.connect("10.0.0.1:13");
 * console.log(await new Response(socket.readable).text());
 * ```
 */
export const daytime: PluginFactory<DaytimeOptions> = definePlugin({
  name: "daytime",
  options: z.strictObject({}),
  setup: () => ({
    async handle({ socket }) {
      await socket.write(formatDaytime(new Date()));
    },
    async flow({ flow }) {
      if (isSimpleService(flow.remoteAddr.port)) return;
      for await (const _ of flow) await flow.send(formatDaytime(new Date()));
    },
  }),
});

/** The first of RFC 867's forms: `Tuesday, February 22, 1982 17:37:43-UTC`. */
export function formatDaytime(date: Date): Uint8Array<ArrayBuffer> {
  const long = { weekday: "long", month: "long", day: "numeric", year: "numeric" } as const;
  const day = date.toLocaleDateString("en-US", { ...long, timeZone: "UTC" });
  const [, time = ""] = /T(\d\d:\d\d:\d\d)/.exec(date.toISOString()) ?? [];
  return new TextEncoder().encode(`${day} ${time}-UTC\r\n`);
}
