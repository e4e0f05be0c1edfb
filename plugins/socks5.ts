/**
 * A SOCKS version 5 proxy (RFC 1928) with passwords (RFC 1929), for TCP and UDP.
 *
 * @module
 */
import { z } from "zod";
import { messageOf } from "../core/api/error_text.ts";
import { formatHostPort, type HostPort } from "../core/api/host_port.ts";
import { count, milliseconds } from "../core/api/numbers.ts";
import { definePlugin, type PluginFactory } from "../core/api/plugin.ts";
import type { Context, TcpSocket } from "../core/api/types.ts";
import { areCredentials, credentialsSchema } from "./shared/credentials.ts";
import type { HostNetwork } from "./shared/host_network.ts";
import { Outbound, type OutboundOptions, outboundShape } from "./shared/outbound.ts";
import { tunnel, type TunnelProxy } from "./shared/tunnel.ts";
import { withTimeout } from "./shared/with_timeout.ts";
import { Association, type AssociationLimits } from "./socks5/association.ts";
import {
  AUTHENTICATION_VERSION,
  COMMAND,
  METHOD,
  readCounted,
  readPart,
  readRequest,
  REPLY,
  REPLY_TO,
  replyOf,
  type Request,
  VERSION,
} from "./socks5/protocol.ts";

/** Options of `socks5`. */
export interface Socks5Options extends OutboundOptions {
  /** Passwords by user name (RFC 1929). Default: no authentication. */
  users?: Readonly<Record<string, string>> | undefined;
  /** Time limit for the client's request, in milliseconds. Default 10,000. */
  handshakeTimeoutMs?: number | undefined;
  /** Limits of `UDP ASSOCIATE`; `false` answers it with "command not supported". */
  udp?: Socks5UdpOptions | false | undefined;
}

/** Limits of one client's datagrams. */
export interface Socks5UdpOptions {
  /**
   * Maximum number of concurrent targets; one more replaces the one that has been idle longest.
   * Default 64.
   */
  maxTargets?: number | undefined;
  /** Milliseconds without a datagram after which a target's socket is closed. Default 60,000. */
  idleTimeoutMs?: number | undefined;
}

interface Settings {
  readonly users: Readonly<Record<string, string>> | undefined;
  readonly handshakeTimeoutMs: number;
  readonly proxy: TunnelProxy;
  readonly udp: AssociationLimits | false;
}

const udpSchema = z.strictObject({
  maxTargets: count().default(64),
  idleTimeoutMs: milliseconds().default(60_000),
});

/** Makes the `socks5` plugin, which connects through `host`. */
export function socks5Through(host: HostNetwork): PluginFactory<Socks5Options> {
  return definePlugin({
    name: "socks5",
    options: z.strictObject({
      ...outboundShape,
      users: credentialsSchema.optional(),
      handshakeTimeoutMs: milliseconds().default(10_000),
      udp: z.union([z.literal(false), udpSchema], "expected { maxTargets, idleTimeoutMs } or false")
        .default(udpSchema.parse({})),
    }),
    setup: ({ users, handshakeTimeoutMs, udp, ...options }) => {
      const proxy: TunnelProxy = {
        name: "socks5",
        outbound: new Outbound(options, host),
        connected: replyOf(REPLY.SUCCEEDED),
        refusal: (fault) => replyOf(REPLY_TO[fault]),
      };
      return (c) => serve(c, { users, handshakeTimeoutMs, udp, proxy });
    },
  });
}

async function serve(c: Context, settings: Settings): Promise<void> {
  const { socket, log } = c;
  let request: AcceptedRequest | undefined;
  try {
    request = await withTimeout(
      c.clock,
      settings.handshakeTimeoutMs,
      () => socket.abort(),
      () => readAcceptedRequest(socket, settings),
    );
  } catch (error) {
    return log.debug("socks5: no request", { reason: messageOf(error) });
  }
  if (!request) return;
  const { command, target } = request;
  if (command === COMMAND.CONNECT) await tunnel(settings.proxy, target, socket, c);
  else await associate(c, target, settings);
}

/** A request that was not refused, with a known target. */
type AcceptedRequest = Request & { readonly target: HostPort };

/** The request of an authenticated client; `undefined`: it was refused. */
async function readAcceptedRequest(
  socket: TcpSocket,
  settings: Settings,
): Promise<AcceptedRequest | undefined> {
  if (!await negotiate(socket, settings.users)) return undefined;
  const request = await readRequest(socket);
  if (!request) return undefined;
  const { command, target } = request;
  const isKnown = command === COMMAND.CONNECT ||
    command === COMMAND.UDP_ASSOCIATE && settings.udp !== false;
  if (isKnown && target) return { command, target };
  await socket.write(
    replyOf(isKnown ? REPLY.ADDRESS_TYPE_NOT_SUPPORTED : REPLY.COMMAND_NOT_SUPPORTED),
  );
  return undefined;
}

/** Chooses a method of authentication, and authenticates the client; false: it is refused (RFC 1928 3). */
async function negotiate(socket: TcpSocket, users: Settings["users"]): Promise<boolean> {
  const [version] = await readPart(socket, 1);
  if (version !== VERSION) return false;
  const offered = await readCounted(socket);
  const wanted = users ? METHOD.PASSWORD : METHOD.NONE;
  const method = offered.includes(wanted) ? wanted : METHOD.NO_ACCEPTABLE;
  await socket.write(Uint8Array.of(VERSION, method));
  if (method === METHOD.NO_ACCEPTABLE) return false;
  return users === undefined || await authenticate(socket, users);
}

/** Checks the client's user name and password (RFC 1929 2). */
async function authenticate(
  socket: TcpSocket,
  users: Readonly<Record<string, string>>,
): Promise<boolean> {
  const [version] = await readPart(socket, 1);
  if (version !== AUTHENTICATION_VERSION) return false;
  const decoder = new TextDecoder();
  const name = decoder.decode(await readCounted(socket));
  const password = decoder.decode(await readCounted(socket));
  const right = areCredentials(users, name, password);
  await socket.write(Uint8Array.of(AUTHENTICATION_VERSION, right ? 0 : 1));
  return right;
}

/** Relays datagrams for as long as the client keeps its connection (RFC 1928 7). */
async function associate(c: Context, claimed: HostPort, settings: Settings): Promise<void> {
  const { socket, log } = c;
  let association: Association;
  try {
    association = new Association(
      c,
      claimed,
      settings.proxy.outbound,
      settings.udp as AssociationLimits,
    );
  } catch (error) {
    log.debug("socks5: no association", { reason: messageOf(error) });
    return void await socket.write(replyOf(REPLY.GENERAL_FAILURE));
  }
  try {
    // Only keep-alive detects a client that has vanished.
    socket.setKeepAlive(true);
    await socket.write(replyOf(REPLY.SUCCEEDED, association.addr));
    const ignored = new Uint8Array(256);
    while (await socket.read(ignored) !== null);
  } catch (error) {
    log.debug("socks5: connection broke", { reason: messageOf(error) });
  } finally {
    association.close();
    log.debug("socks5: association ended", {
      remote: formatHostPort(socket.remoteAddr),
      ...association.counts,
    });
  }
}
