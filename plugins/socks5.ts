/**
 * A SOCKS version 5 proxy (RFC 1928) with passwords (RFC 1929).
 *
 * @module
 */
import { z } from "zod";
import { areCredentials, credentialsSchema } from "../core/api/credentials.ts";
import { formatHostPort, type HostPort } from "../core/api/host_port.ts";
import {
  type HostNetwork,
  Outbound,
  OutboundError,
  type OutboundOptions,
  outboundShape,
} from "../core/api/outbound.ts";
import { definePlugin, type PluginFactory } from "../core/api/plugin.ts";
import { type Duplex, relay } from "../core/api/relay.ts";
import type { Context, TcpSocket } from "../core/api/types.ts";
import {
  AUTHENTICATION_VERSION,
  COMMAND,
  METHOD,
  readCounted,
  readExactly,
  readRequest,
  REPLY,
  REPLY_TO,
  replyOf,
  VERSION,
} from "./socks5/protocol.ts";

/** What `socks5` can be told. */
export interface Socks5Options extends OutboundOptions {
  /** Passwords by name; without them everybody is let in. */
  users?: Readonly<Record<string, string>> | undefined;
  /** How long a client may take until it has asked for a target, in milliseconds. Default 10,000. */
  handshakeTimeoutMs?: number | undefined;
}

interface Settings {
  readonly users: Readonly<Record<string, string>> | undefined;
  readonly handshakeTimeoutMs: number;
  readonly outbound: Outbound;
}

/** Makes the `socks5` plugin of a way to connect. */
export function socks5Through(host: HostNetwork): PluginFactory<Socks5Options> {
  return definePlugin({
    name: "socks5",
    options: z.strictObject({
      ...outboundShape,
      users: credentialsSchema.optional(),
      handshakeTimeoutMs: z.number().positive().default(10_000),
    }),
    setup: ({ users, handshakeTimeoutMs, ...options }) => {
      const settings = { users, handshakeTimeoutMs, outbound: new Outbound(options, host) };
      return (c) => serve(c, settings);
    },
  });
}

async function serve(c: Context, settings: Settings): Promise<void> {
  const { socket, clock, log } = c;
  const tooLate = clock.schedule(clock.now() + settings.handshakeTimeoutMs, () => socket.abort());
  let target: HostPort | undefined;
  try {
    target = await readTarget(socket, settings);
  } catch (error) {
    return log.debug("socks5: no request", { reason: (error as Error).message });
  } finally {
    tooLate();
  }
  if (!target) return;
  const upstream = await connect(c, target, settings.outbound);
  if (!upstream) return;
  try {
    await relay(socket, upstream);
  } catch (error) {
    log.debug("socks5: connection broke", { reason: (error as Error).message });
  }
}

/** What a client that may ask asks for; `undefined`: it has been told why it does not get it. */
async function readTarget(socket: TcpSocket, settings: Settings): Promise<HostPort | undefined> {
  if (!await letIn(socket, settings.users)) return undefined;
  const request = await readRequest(socket);
  if (!request) return undefined;
  const { command, target } = request;
  if (command === COMMAND.CONNECT && target) return target;
  const known = command === COMMAND.CONNECT;
  await socket.write(
    replyOf(known ? REPLY.ADDRESS_TYPE_NOT_SUPPORTED : REPLY.COMMAND_NOT_SUPPORTED),
  );
  return undefined;
}

/** RFC 1928 3. */
async function letIn(socket: TcpSocket, users: Settings["users"]): Promise<boolean> {
  const [version] = await readExactly(socket, 1);
  if (version !== VERSION) return false;
  const offered = await readCounted(socket);
  const wanted = users ? METHOD.PASSWORD : METHOD.NONE;
  const method = offered.includes(wanted) ? wanted : METHOD.NO_ACCEPTABLE;
  await socket.write(Uint8Array.of(VERSION, method));
  if (method === METHOD.NO_ACCEPTABLE) return false;
  return users === undefined || await authenticate(socket, users);
}

/** RFC 1929 2. */
async function authenticate(
  socket: TcpSocket,
  users: Readonly<Record<string, string>>,
): Promise<boolean> {
  const [version] = await readExactly(socket, 1);
  if (version !== AUTHENTICATION_VERSION) return false;
  const decoder = new TextDecoder();
  const name = decoder.decode(await readCounted(socket));
  const password = decoder.decode(await readCounted(socket));
  const right = areCredentials(users, name, password);
  await socket.write(Uint8Array.of(AUTHENTICATION_VERSION, right ? 0 : 1));
  return right;
}

/** Connects and tells the client; `undefined`: there is no connection. */
async function connect(
  c: Context,
  target: HostPort,
  outbound: Outbound,
): Promise<Duplex | undefined> {
  let upstream: Duplex;
  try {
    upstream = await outbound.connect(target, c);
  } catch (error) {
    const { fault, message } = error as OutboundError;
    c.log.debug("socks5: not connected", { target: formatHostPort(target), reason: message });
    await c.socket.write(replyOf(REPLY_TO[fault])).catch(() => {});
    return undefined;
  }
  try {
    await c.socket.write(replyOf(REPLY.SUCCEEDED));
    return upstream;
  } catch (error) {
    upstream.abort(error);
    return undefined;
  }
}
