/**
 * An HTTP CONNECT proxy (RFC 9110 9.3.6).
 *
 * @module
 */
import { z } from "zod";
import { messageOf } from "../core/api/error_text.ts";
import { milliseconds } from "../core/api/numbers.ts";
import { definePlugin, type PluginFactory } from "../core/api/plugin.ts";
import { unread } from "../core/api/tcp/derived_socket.ts";
import type { Context } from "../core/api/types.ts";
import {
  type ConnectRefusal,
  type ConnectRequest,
  readConnectRequest,
} from "./connect_proxy/request.ts";
import { areCredentials, credentialsSchema } from "./shared/credentials.ts";
import type { HostNetwork } from "./shared/host_network.ts";
import {
  Outbound,
  type OutboundFault,
  type OutboundOptions,
  outboundShape,
} from "./shared/outbound.ts";
import { tunnel, type TunnelProxy } from "./shared/tunnel.ts";
import { withTimeout } from "./shared/with_timeout.ts";

/** Options of `connectProxy`. */
export interface ConnectProxyOptions extends OutboundOptions {
  /** Passwords by user name, for `Proxy-Authorization: Basic`. Default: no authentication. */
  users?: Readonly<Record<string, string>> | undefined;
  /** Time limit for the client's request, in milliseconds. Default 10,000. */
  handshakeTimeoutMs?: number | undefined;
}

interface Settings {
  readonly users: Readonly<Record<string, string>> | undefined;
  readonly handshakeTimeoutMs: number;
  readonly proxy: TunnelProxy;
}

/** Makes the `connectProxy` plugin, which connects through `host`. */
export function connectProxyThrough(host: HostNetwork): PluginFactory<ConnectProxyOptions> {
  return definePlugin({
    name: "connectProxy",
    options: z.strictObject({
      ...outboundShape,
      users: credentialsSchema.optional(),
      handshakeTimeoutMs: milliseconds().default(10_000),
    }),
    setup: ({ users, handshakeTimeoutMs, ...options }) => {
      const proxy: TunnelProxy = {
        name: "connectProxy",
        outbound: new Outbound(options, host),
        connected: bytesOf("HTTP/1.1 200 Connection established\r\n\r\n"),
        refusal: (fault) => RESPONSES[REFUSAL_OF[fault]],
      };
      return (c) => serve(c, { users, handshakeTimeoutMs, proxy });
    },
  });
}

async function serve(c: Context, { users, handshakeTimeoutMs, proxy }: Settings): Promise<void> {
  const { socket, clock, log } = c;
  let request: ConnectRequest | ConnectRefusal | undefined;
  try {
    request = await withTimeout(
      clock,
      handshakeTimeoutMs,
      () => socket.abort(),
      () => readConnectRequest(socket),
    );
  } catch (error) {
    return log.debug("connectProxy: no request", { reason: messageOf(error) });
  }
  if (request === undefined) return;
  if (typeof request !== "number" && users && !isAuthorized(request, users)) request = 407;
  if (typeof request === "number") {
    // The client may be gone by now.
    return void await socket.write(RESPONSES[request]).catch(() => {});
  }
  await tunnel(proxy, request.target, unread(socket, request.rest), c);
}

function isAuthorized(
  { credentials }: ConnectRequest,
  users: Readonly<Record<string, string>>,
): boolean {
  return credentials !== undefined &&
    areCredentials(users, credentials.name, credentials.password);
}

/** The status of the response to each fault (RFC 9110 15.5.4, 15.6.3, 15.6.5). */
const REFUSAL_OF: Readonly<Record<OutboundFault, ConnectRefusal>> = {
  "denied": 403,
  "no-name": 502,
  "unknown-name": 502,
  "refused": 502,
  "unreachable": 502,
  "timed-out": 504,
  "failed": 502,
};

const RESPONSES: Readonly<Record<ConnectRefusal, Uint8Array>> = {
  400: responseOf("400 Bad Request"),
  403: responseOf("403 Forbidden"),
  405: responseOf("405 Method Not Allowed", "Allow: CONNECT"),
  407: responseOf("407 Proxy Authentication Required", 'Proxy-Authenticate: Basic realm="berth"'),
  431: responseOf("431 Request Header Fields Too Large"),
  502: responseOf("502 Bad Gateway"),
  504: responseOf("504 Gateway Timeout"),
  505: responseOf("505 HTTP Version Not Supported"),
};

function responseOf(status: string, ...fields: string[]): Uint8Array {
  const lines = [...fields, "Connection: close", "Content-Length: 0"];
  return bytesOf(`HTTP/1.1 ${status}\r\n${lines.join("\r\n")}\r\n\r\n`);
}

function bytesOf(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text);
}
