/**
 * UDP ports of the host's kernel, with any number of clients.
 *
 * @module
 */
import { createSocket, type Socket } from "node:dgram";
import { isIPv6 } from "node:net";
import type { HostPort } from "../../core/api/host_port.ts";
import { IpAddress } from "../../core/wire/address.ts";
import { runtimeName } from "../runtime/runtime.ts";
import { listenNativeDatagrams, takeOverDatagrams } from "./native/datagram_port.ts";
import { nativeSockets } from "./native/sockets.ts";

/** The sender of a datagram. */
export interface DatagramClient extends HostPort {
  /** Its `struct sockaddr`; absent if the runtime does not expose it. */
  readonly socketAddress?: Uint8Array<ArrayBuffer>;
}

/** An open port of the host. */
export interface HostDatagramPort {
  /** Its address; the port is the one that was chosen for port 0. */
  readonly address: HostPort;
  /** The descriptor of the socket, to be passed to another process; `undefined` if the runtime does not expose it. */
  readonly descriptor: number | undefined;
  /** The client at an address, to send it several datagrams. Host names and IPv6 zones work with `node:dgram` only. */
  clientAt(address: HostPort): DatagramClient;
  /**
   * Sends a datagram; resolves with its length once the kernel has accepted it.
   *
   * @throws {Error} The kernel refuses it, or the port is closed.
   */
  send(datagram: Uint8Array, client: DatagramClient): Promise<number>;
  /**
   * Stops receiving until {@link resume}, so that another process with the same socket receives the datagrams.
   * Sending still works.
   */
  pause(): void;
  /** Receives datagrams again. */
  resume(): void;
  /**
   * Opens a second socket for the datagrams of one client, which this process then receives even if another process
   * receives those of all other clients. Returns `undefined` if the kernel or the runtime does not allow it.
   */
  separate?(client: DatagramClient): { close(): void } | undefined;
  /** Receives what has arrived, then pauses; see {@link pause}. */
  handOver?(): void;
  /** Closes the port; resolves when it is free. */
  close(): Promise<void>;
}

/** Options of {@link listenHostDatagrams}. */
export interface HostDatagramOptions {
  /** Called for an error that does not concern a single datagram. */
  onError(error: Error): void;
  /** The descriptor of a socket that another process has opened for this address; the port starts paused. */
  readonly descriptor?: number | undefined;
  /** A socket on `::` does not receive IPv4. Default false. */
  readonly ipv6Only?: boolean;
  /** Size of the kernel's receive buffer in bytes, which the kernel may limit. Default: the kernel's. */
  readonly receiveBuffer?: number;
  /** Called for each datagram; its bytes are valid only during the call. */
  onDatagram(datagram: Uint8Array, client: DatagramClient): void;
}

/**
 * Listens on an address and port of the host; port 0 stands for any free port.
 *
 * @throws {Error} The port cannot be opened; `code` is the kernel's.
 */
export async function listenHostDatagrams(
  place: HostPort,
  options: HostDatagramOptions,
): Promise<HostDatagramPort> {
  const sockets = IpAddress.parse(place.hostname) && nativeSockets();
  if (!sockets) return await listenRuntimeDatagrams(place, options);
  if (options.descriptor === undefined) return listenNativeDatagrams(sockets, place, options);
  const port = takeOverDatagrams(sockets, options.descriptor, options);
  // The other process receives until it hands over.
  port.pause();
  return port;
}

/** {@link listenHostDatagrams} with `node:dgram`. */
export async function listenRuntimeDatagrams(
  { hostname, port }: HostPort,
  { ipv6Only = false, receiveBuffer, onError, onDatagram }: HostDatagramOptions,
): Promise<HostDatagramPort> {
  const socket = createSocket({
    ...(isIPv6(hostname) ? { type: "udp6", ipv6Only } : { type: "udp4" }),
    // Deno allocates an array of that size for each datagram.
    ...(receiveBuffer !== undefined && runtimeName() === "bun"
      ? { recvBufferSize: receiveBuffer }
      : {}),
  });
  const bound = await bind(socket, hostname, port);
  let isPaused = false;
  let closed: Promise<void> | undefined;
  socket.on("message", (datagram: Uint8Array, { address, port }) => {
    if (!isPaused) onDatagram(datagram, { hostname: address, port });
  });
  socket.on("error", onError);
  return {
    address: { hostname, port: bound },
    descriptor: undefined,
    clientAt: (address) => address,
    send: (datagram, client) =>
      new Promise((resolve, reject) => {
        socket.send(datagram, client.port, client.hostname, (error) => {
          if (error) reject(error);
          else resolve(datagram.byteLength);
        });
      }),
    pause: () => isPaused = true,
    resume: () => isPaused = false,
    close() {
      closed ??= new Promise((resolve) => void socket.close(() => resolve()));
      return closed;
    },
  };
}

function bind(socket: Socket, address: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    socket.once("error", (error) => {
      socket.close();
      reject(error);
    });
    socket.bind({ address, port }, () => {
      socket.removeAllListeners("error");
      resolve(socket.address().port);
    });
  });
}
