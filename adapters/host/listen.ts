/**
 * TCP listeners of the host's kernel.
 *
 * @module
 */
import { createServer } from "node:net";
import type { Logger } from "../../core/api/environment.ts";
import { messageOf } from "../../core/api/error_text.ts";
import { formatHostPort, type HostPort } from "../../core/api/host_port.ts";
import { IpAddress } from "../../core/wire/address.ts";
import type { Duplex } from "../../plugins/shared/relay.ts";
import { HostConnection } from "./connection.ts";
import { keepAccepting } from "./descriptors.ts";
import { listenNative, takeOverListener } from "./native/listener.ts";
import { nativeSockets } from "./native/sockets.ts";

/** An open port of the host. */
export interface HostListener {
  /** Its address; the port is the one that was chosen for port 0. */
  readonly address: HostPort;
  /** Stops accepting connections. */
  close(): void;
  /** The descriptor of the socket, to be passed to another process; `undefined` if the runtime does not expose it. */
  readonly descriptor: number | undefined;
  /** Stops accepting until `resume()`, so that another process with the same socket accepts new connections. */
  pause?(): void;
  /** Accepts connections again. */
  resume?(): void;
}

/** Options of {@link listenHost}. */
export interface HostListenOptions {
  readonly log: Logger;
  /** As in `DialOptions`; default two hours. */
  readonly keepAliveMs?: number | undefined;
  /** The descriptor of a socket that another process has opened for this address; the listener starts paused. */
  readonly descriptor?: number | undefined;
  /**
   * Called for each connection, with the address of the client, or `undefined` if the client has already
   * disconnected.
   */
  onConnection(connection: Duplex, client: HostPort | undefined): void;
}

/**
 * Listens on an address and port of the host; port 0 stands for any free port. If there are no file descriptors left,
 * connections wait until one is free.
 *
 * @throws {Error} The port cannot be opened; `code` is the kernel's.
 */
export async function listenHost(
  place: HostPort,
  options: HostListenOptions,
): Promise<HostListener> {
  const sockets = IpAddress.parse(place.hostname) && nativeSockets();
  const { descriptor } = options;
  if (sockets && descriptor !== undefined) {
    const listener = takeOverListener(sockets, descriptor, options);
    // The other process accepts until it hands over.
    listener.pause();
    return listener;
  }
  return sockets ? listenNative(sockets, place, options) : await listenRuntime(place, options);
}

/** {@link listenHost} with `node:net`. */
export function listenRuntime(
  { hostname, port }: HostPort,
  { log, keepAliveMs, onConnection }: HostListenOptions,
): Promise<HostListener> {
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    const { remoteAddress, remotePort } = socket;
    const client = remoteAddress === undefined || remotePort === undefined
      ? undefined
      : { hostname: remoteAddress, port: remotePort };
    onConnection(new HostConnection(socket, { keepAliveMs }), client);
  });
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen({ host: hostname, port }, () => {
      server.off("error", reject);
      server.on("error", (error) => log.error("cannot accept", { reason: messageOf(error) }));
      const bound = server.address();
      const address = {
        hostname,
        port: typeof bound === "object" && bound !== null ? bound.port : port,
      };
      keepAccepting(server, { log, name: formatHostPort(address) });
      resolve({ address, descriptor: undefined, close: () => void server.close() });
    });
  });
}
