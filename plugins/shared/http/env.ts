/**
 * What an application gets beside the Request.
 *
 * @module
 */
import type { Logger } from "../../../core/api/environment.ts";
import type { NetAddr, TcpSocket } from "../../../core/api/types.ts";
import { UPGRADE, type Upgrade } from "./upgrade.ts";

/** The shape of Bun's `SocketAddress`. */
export interface PeerAddress {
  /** The address in text form. */
  address: string;
  /** Which of the two it is. */
  family: "IPv4" | "IPv6";
  /** 1 to 65535. */
  port: number;
}

/**
 * The second argument of `fetch`, in Hono `c.env`. It is shaped like Deno's and like Bun's, so that
 * `getConnInfo` of `hono/deno` and of `hono/bun` both work, on either runtime.
 *
 * @example
 * ```ts
 * import type { HttpEnv } from "@berth/berth";
 * import { Hono } from "hono";
 *
 * const app = new Hono<{ Bindings: HttpEnv }>();
 * app.get("/", (c) => c.text(`${c.env.remoteAddr.hostname} is ${c.env.socket.state}`));
 * ```
 */
export interface HttpEnv {
  /** The client's address. */
  remoteAddr: NetAddr;
  /** The address that the client connected to. */
  localAddr: NetAddr;
  /** The connection, to look at: reading and writing it is the server's business. */
  socket: TcpSocket;
  /** The client's address as `Bun.Server` tells it. */
  requestIP(request?: Request): PeerAddress;
}

/** Where the apps of this package find the log of the plugin that serves them. */
export const LOG: unique symbol = Symbol("log");

/** What is passed on in truth: `upgradeWebSocket` finds the connection in it. */
export interface UpgradableEnv extends HttpEnv {
  /** The log of the connection. */
  readonly [LOG]: Logger;
  /** Asks for the connection of the request in hand. */
  readonly [UPGRADE]: Upgrade;
}

/** Makes the env of one connection's requests: a fresh object each, applications may add to it. */
export function envOf(socket: TcpSocket, log: Logger): (upgrade: Upgrade) => UpgradableEnv {
  const { remoteAddr, localAddr } = socket;
  const peer: PeerAddress = {
    address: remoteAddr.hostname,
    family: remoteAddr.hostname.includes(":") ? "IPv6" : "IPv4",
    port: remoteAddr.port,
  };
  const requestIP = () => peer;
  return (upgrade) => ({
    remoteAddr,
    localAddr,
    socket,
    requestIP,
    [LOG]: log,
    [UPGRADE]: upgrade,
  });
}
