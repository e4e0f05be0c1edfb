import { z } from "zod";
import { parseHostPort } from "../../../core/api/host_port.ts";
import { openWebSocketLink } from "../../links/web_socket.ts";
import { defineLinkKind, type LinkKind } from "./kind.ts";
import { texts } from "./values.ts";
import { listenForWebSockets } from "./web_socket_server.ts";

const options = z.strictObject({
  url: z.string().regex(/^wss?:\/\//, {
    error: ({ input }) => `expected a URL such as ws://127.0.0.1:9000/, got ${input}`,
  }).optional(),
  listen: z.string().transform((text, c) => {
    const place = parseHostPort(/^\d+$/.test(text) ? `127.0.0.1:${text}` : text);
    if (place !== undefined) return place;
    c.addIssue(`expected [HOST:]PORT such as 127.0.0.1:9000, got ${text}`);
    return z.NEVER;
  }).optional(),
  origin: texts.optional(),
}).refine(({ url, listen }) => (url === undefined) !== (listen === undefined), {
  error: "one of url and listen is needed",
});

/** IP packets in WebSocket messages, to a server or from clients. */
export const ws: LinkKind = defineLinkKind({
  usage: "ws:URL or ws:listen=[HOST:]PORT[,origin=ORIGIN]",
  first: "url",
  options,
  throughKernel: false,
  open({ url, listen, origin = [] }, { mtu, log }) {
    return url === undefined
      ? listenForWebSockets({ listen: listen!, origins: origin, mtu, log })
      : openWebSocketLink(url, { mtu });
  },
});
