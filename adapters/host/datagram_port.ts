/**
 * UDP ports of the host's kernel, with any number of clients.
 *
 * @module
 */
import { createSocket, type Socket } from "node:dgram";
import { isIPv6 } from "node:net";
import type { Logger } from "../../core/api/environment.ts";
import { messageOf } from "../../core/api/error_text.ts";
import type { HostPort } from "../../core/api/host_port.ts";
import { IpAddress } from "../../core/wire/address.ts";
import { adoptDatagrams, listenNativeDatagrams } from "./native/datagram_port.ts";
import { nativeSockets } from "./native/sockets.ts";

/** The sender of a datagram. */
export interface DatagramClient extends HostPort {
  /** Its address as the kernel reports it; absent: the runtime does not show it. */
  readonly socketAddress?: Uint8Array<ArrayBuffer>;
}

/** An open port of the host. */
export interface HostDatagramPort {
  /** Its address; the port is the one that was chosen for port 0. */
  readonly address: HostPort;
  /** The socket, for another process; `undefined`: the runtime does not show it. */
  readonly descriptor: number | undefined;
  /**
   * Resolves with the length of the datagram once the kernel has accepted it.
   *
   * @throws {Error} The kernel refuses it, or the port is closed.
   */
  send(datagram: Uint8Array, client: DatagramClient): Promise<number>;
  /** Leaves datagrams to another process with the same socket, or to {@link resume}; can still send. */
  pause(): void;
  /** Receives datagrams again. */
  resume(): void;
  close(): void;
}

/** Options of {@link listenHostDatagrams}. */
export interface HostDatagramOptions {
  readonly log: Logger;
  /** A socket that another process has opened for this address. */
  readonly descriptor?: number | undefined;
  /** Called for each datagram, which is valid during the call only. */
  onDatagram(datagram: Uint8Array, client: DatagramClient): void;
}

/**
 * Listens on an address and port of the host; port 0: any free one.
 *
 * @throws {Error} The port cannot be opened; `code` is the kernel's.
 */
export async function listenHostDatagrams(
  place: HostPort,
  options: HostDatagramOptions,
): Promise<HostDatagramPort> {
  const sockets = IpAddress.parse(place.hostname) && nativeSockets();
  if (!sockets) return await listenRuntimeDatagrams(place, options);
  return options.descriptor === undefined
    ? listenNativeDatagrams(sockets, place, options)
    : adoptDatagrams(sockets, options.descriptor, options);
}

/** {@link listenHostDatagrams} with `node:dgram`. */
export async function listenRuntimeDatagrams(
  { hostname, port }: HostPort,
  { log, onDatagram }: HostDatagramOptions,
): Promise<HostDatagramPort> {
  const socket = createSocket(isIPv6(hostname) ? "udp6" : "udp4");
  const bound = await bind(socket, hostname, port);
  let isPaused = false;
  socket.on("message", (datagram: Uint8Array, { address, port }) => {
    if (!isPaused) onDatagram(datagram, { hostname: address, port });
  });
  socket.on("error", (error) => log.error("cannot receive", { reason: messageOf(error) }));
  return {
    address: { hostname, port: bound },
    descriptor: undefined,
    send: (datagram, client) =>
      new Promise((resolve, reject) => {
        socket.send(datagram, client.port, client.hostname, (error) => {
          if (error) reject(error);
          else resolve(datagram.byteLength);
        });
      }),
    pause: () => isPaused = true,
    resume: () => isPaused = false,
    close: () => void socket.close(),
  };
}

function bind(socket: Socket, address: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    socket.once("error", reject);
    socket.bind({ address, port }, () => {
      socket.off("error", reject);
      resolve(socket.address().port);
    });
  });
}
