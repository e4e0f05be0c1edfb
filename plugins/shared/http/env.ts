/**
 * The second argument of `fetch()`.
 *
 * @module
 */
import type { Logger } from "../../../core/api/environment.ts";
import type { NetAddr, TcpSocket } from "../../../core/api/types.ts";
import { TAKES_PREPARED } from "./prepared_response.ts";
import { UPGRADE, type Upgrade } from "./upgrade.ts";

/** The shape of Bun's `SocketAddress`. */
export interface PeerAddress {
  /** The address in text form. */
  address: string;
  /** Its address family. */
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
 * import type { HttpEnv } from "@berth/berth/plugins";
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
  /** The connection, for inspection; only the server reads and writes it. */
  socket: TcpSocket;
  /** The client's address, as `Bun.Server.requestIP` returns it. */
  requestIP(request?: Request): PeerAddress;
}

/** Key of the plugin's logger, for apps of this package. */
export const LOG: unique symbol = Symbol("log");

/**
 * The env that is actually passed, with the properties that `upgradeWebSocket` and `staticFiles`
 * use.
 */
export interface UpgradableEnv extends HttpEnv {
  /** The log of the connection. */
  readonly [LOG]: Logger;
  /** Responses of `respondPrepared` are accepted. */
  readonly [TAKES_PREPARED]: true;
  /** Takes over the connection of the current request. */
  readonly [UPGRADE]: Upgrade;
  /** Called by `upgradeWebSocket` of `hono/bun`, as in Bun's `Server`; the error that it throws says what to import. */
  upgrade(request: Request): false;
}

/** Makes the env of each request of a connection: a new object, since applications may add properties. */
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
    upgrade: refuseBunUpgrade,
    [LOG]: log,
    [TAKES_PREPARED]: true,
    [UPGRADE]: upgrade,
  });
}

function refuseBunUpgrade(request: Request): false {
  if (!request.headers.has("upgrade")) return false;
  throw new TypeError(
    "server.upgrade(), which upgradeWebSocket of hono/bun calls, needs Bun.serve: " +
      "import upgradeWebSocket from @berth/berth/plugins instead",
  );
}
