/**
 * The PROXY protocol, receiving side.
 *
 * @module
 */
import { z } from "zod";
import { formatHostPort } from "../../core/api/host_port.ts";
import { milliseconds } from "../../core/api/numbers.ts";
import { definePlugin, type PluginFactory } from "../../core/api/plugin.ts";
import { deriveSocket, unread } from "../../core/api/tcp/derived_socket.ts";
import type { TcpSocket } from "../../core/api/types.ts";
import { parseProxyHeader, type ProxyHeader } from "../shared/proxy_header.ts";
import { subnetSetSchema } from "../shared/subnet_set.ts";
import { withTimeout } from "../shared/with_timeout.ts";

/** Options of {@link proxyProtocol}. */
export interface ProxyProtocolOptions {
  /** Addresses and subnets of the proxies. Every address listed here can claim to be any client. */
  trusted: readonly string[];
  /**
   * How connections from other addresses are treated: refused with a RST, ignored, or served
   * without a header. Default `"refuse"`.
   */
  others?: "refuse" | "ignore" | "pass" | undefined;
  /** Time limit for the header, in milliseconds. Default 5000. */
  timeoutMs?: number | undefined;
}

/**
 * Removes the PROXY header from connections of proxies: later plugins see the client's address.
 *
 * It accepts versions 1 and 2, with TCP over IPv4 and IPv6; for `UNKNOWN`, `LOCAL` and Unix
 * sockets, the addresses of the connection are kept. A connection of a trusted proxy has to start
 * with a header of at most 4096 bytes. If the header is late or malformed, the connection is
 * aborted and the reason is logged.
 *
 * @example
 * ```ts
 * import { createStack } from "@berth/berth";
 * import { linkPair } from "@berth/berth/links";
 * import { proxyProtocol } from "@berth/berth/middleware";
 *
 * const [here, there] = linkPair();
 * await using server = createStack({ link: here, addresses: ["10.0.0.1/24"] });
 * server.use(7, proxyProtocol({ trusted: ["10.0.0.0/8"] }), async ({ socket }) => {
 *   await socket.write(new TextEncoder().encode(socket.remoteAddr.hostname));
 * });
 *
 * await using client = createStack({ link: there, addresses: ["10.0.0.2/24"] });
 * await using socket = client.connect("10.0.0.1:7");
 * await socket.write(new TextEncoder().encode("PROXY TCP4 192.0.2.7 10.0.0.1 5000 7\r\n"));
 * const remote = await new Response(socket.readable).text();
 * if (remote !== "192.0.2.7") throw new Error(remote);
 * ```
 */
export const proxyProtocol: PluginFactory<ProxyProtocolOptions> = definePlugin({
  name: "proxyProtocol",
  options: z.strictObject({
    trusted: subnetSetSchema,
    others: z.enum(["refuse", "ignore", "pass"]).default("refuse"),
    timeoutMs: milliseconds().default(5000),
  }),
  setup: ({ trusted, others, timeoutMs }) => ({
    onSyn: ({ remote }) => others === "pass" || trusted.has(remote.hostname) ? undefined : others,
    async handle(c, next) {
      const { socket, clock, log } = c;
      if (!trusted.has(socket.remoteAddr.hostname)) return await next();
      const drop = (reason: string) => {
        log.info("connection dropped", { proxy: socket.remoteAddr.hostname, reason });
        socket.abort(new Error(reason));
      };
      const late = () => drop("proxy-header-late");
      const beginning = await withTimeout(clock, timeoutMs, late, () => beginningOf(socket));
      if (typeof beginning === "string") return beginning === "" ? undefined : drop(beginning);
      const { endpoints } = beginning.header;
      const withoutHeader = unread(socket, beginning.rest);
      if (endpoints?.transport !== "tcp") return await next(withoutHeader);
      c.set("client", formatHostPort(endpoints.source));
      await next(deriveSocket(withoutHeader, {
        remoteAddr: { transport: "tcp", ...endpoints.source },
        localAddr: { transport: "tcp", ...endpoints.destination },
      }));
    },
  }),
});

/**
 * Returns the header and the bytes after it, or the reason why there is no header; `""` if the peer
 * has sent nothing.
 */
async function beginningOf(
  socket: TcpSocket,
): Promise<{ header: ProxyHeader; rest: Uint8Array<ArrayBuffer> } | string> {
  const bytes = new Uint8Array(4096);
  for (let length = 0;;) {
    const count = await socket.read(bytes.subarray(length));
    if (count === null) return length === 0 ? "" : "proxy-header-cut";
    length += count;
    const parsed = parseProxyHeader(bytes.subarray(0, length));
    if (parsed.state === "malformed") return `proxy-header-${parsed.fault}`;
    if (parsed.state === "complete") {
      return { header: parsed.header, rest: bytes.slice(parsed.length, length) };
    }
  }
}
