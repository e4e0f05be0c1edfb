/**
 * The host's network for plugins and programs, the same on Deno and Bun.
 *
 * @example
 * ```ts no_run
 * import { connectHost } from "@berth/berth/host";
 *
 * await using socket = await connectHost("localhost:5432", { timeoutMs: 1000 });
 * await socket.write(new TextEncoder().encode("ahoy"));
 * for await (const chunk of socket) console.log(chunk);
 * ```
 *
 * @module
 */
export { connectHost, type ConnectHostOptions, connectHostUdp } from "../adapters/host/connect.ts";
export type { HostSocket } from "../adapters/host/host_socket.ts";
export type { DialTarget, UnixAddress } from "../plugins/shared/host_network.ts";
export type { HostPort } from "../core/api/host_port.ts";
