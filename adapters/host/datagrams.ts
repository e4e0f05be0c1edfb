/**
 * UDP sockets of the host's kernel.
 *
 * @module
 */
import { createSocket, type RemoteInfo, type Socket } from "node:dgram";
import { lookup } from "node:dns/promises";
import { TcpError } from "../../core/api/errors.ts";
import type { HostPort } from "../../core/api/host_port.ts";
import { bytesFault } from "../../core/api/tcp/bytes.ts";
import { flowRefusalOf } from "../../core/api/udp/flow_refusal.ts";
import { IpAddress } from "../../core/wire/address.ts";
import type { DatagramChannel } from "../../plugins/shared/host_network.ts";
import { hostError } from "./connection.ts";
import { dialNativeDatagrams } from "./native/datagrams.ts";
import { nativeSockets } from "./native/sockets.ts";
import { DatagramInbox } from "./datagram_inbox.ts";

/** Largest payload of a datagram of either family. */
const MAX_DATAGRAM = 65_507;

/** A UDP socket of the host for one remote address; datagrams from other addresses are dropped. */
export class HostDatagrams implements HostDatagramChannel {
  readonly #socket: Socket;
  readonly #inbox = new DatagramInbox();
  #closed = false;

  /** Takes over a connected socket. */
  constructor(socket: Socket) {
    this.#socket = socket;
    const { address, port } = socket.remoteAddress();
    const remote = IpAddress.parse(withoutZone(address));
    socket.on("message", (datagram: Uint8Array, from: RemoteInfo) => {
      // Not every runtime filters by the connected address.
      const isPeer = from.port === port &&
        remote?.equals(IpAddress.parse(withoutZone(from.address)) ?? IpAddress.ANY_V4);
      if (isPeer) this.#inbox.put(datagram);
    });
    socket.on("error", (error) => this.#inbox.end(hostError(error)));
    socket.on("close", () => this.#inbox.end());
  }

  /** Datagrams dropped because the queue of 1 MiB was full. */
  get dropped(): number {
    return this.#inbox.dropped;
  }

  /**
   * The next datagram; `null` once it is closed.
   *
   * @throws {TcpError} The kernel reports that the port or host is unreachable.
   */
  receive(): Promise<Uint8Array<ArrayBuffer> | null> {
    return this.#inbox.receive();
  }

  /**
   * Sends a datagram; resolves with its length once the kernel has accepted it.
   *
   * @throws {TcpError} The socket was closed, or the kernel refuses the datagram.
   * @throws {TypeError} `datagram` is not a `Uint8Array`.
   */
  send(datagram: Uint8Array): Promise<number> {
    const fault = bytesFault("send", datagram);
    if (fault !== undefined) return Promise.reject(fault);
    return new Promise((resolve, reject) => {
      if (this.#closed) return reject(new TcpError("CLOSING", "the socket was closed"));
      this.#socket.send(datagram, (error) => {
        if (error) reject(this.#fail(sendError(error, datagram.byteLength)));
        else resolve(datagram.byteLength);
      });
    });
  }

  /** Ends the socket if its port or host is unreachable, as the kernel reports after an ICMP error. */
  #fail(error: Error): Error {
    if (flowRefusalOf(error) !== undefined) this.#inbox.end(error);
    return error;
  }

  /** Closes the socket. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#inbox.discard();
    this.#socket.close();
  }
}

/** A UDP socket of the host for one remote address. */
export interface HostDatagramChannel extends DatagramChannel {
  /** Number of datagrams dropped because the queue of 1 MiB was full. */
  readonly dropped: number;
}

/**
 * Opens a UDP socket of the host for one remote address; a name is looked up once.
 *
 * @throws {TcpError} There is no such address or name, or `signal` was aborted.
 */
export async function dialHostDatagrams(
  { hostname, port }: HostPort,
  signal?: AbortSignal,
): Promise<HostDatagramChannel> {
  signal?.throwIfAborted();
  const address = IpAddress.parse(withoutZone(hostname)) ? hostname : await lookUp(hostname);
  signal?.throwIfAborted();
  // A link-local address with a zone does not parse.
  const ip = IpAddress.parse(address);
  const sockets = ip && nativeSockets();
  return ip && sockets
    ? dialNativeDatagrams(sockets, ip, port)
    : await dialRuntimeDatagrams(address, port, signal);
}

/** {@link dialHostDatagrams} with `node:dgram`, for an IP address. */
export async function dialRuntimeDatagrams(
  address: string,
  port: number,
  signal?: AbortSignal,
): Promise<HostDatagramChannel> {
  const socket = createSocket(address.includes(":") ? "udp6" : "udp4");
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once("error", reject);
      socket.connect(port, address, (error?: Error) => {
        socket.off("error", reject);
        if (error) reject(error);
        else resolve();
      });
    });
    signal?.throwIfAborted();
  } catch (error) {
    socket.close();
    throw signal?.aborted ? error : unreachable(error as Error);
  }
  return new HostDatagrams(socket);
}

async function lookUp(hostname: string): Promise<string> {
  try {
    return (await lookup(hostname)).address;
  } catch (error) {
    throw hostError(error as Error);
  }
}

/**
 * Deno reports most errors of the kernel as `UNKNOWN`; unless the datagram is too long, that means that there is no
 * route.
 */
function sendError(error: Error & { code?: string }, length: number): Error {
  return error.code === "UNKNOWN" && length <= MAX_DATAGRAM ? unreachable(error) : hostError(error);
}

/** Connecting a UDP socket only looks up a route, so any error means that there is none; Bun reports no error code. */
function unreachable(error: Error): Error {
  const known = hostError(error);
  if (known instanceof TcpError) return known;
  return new TcpError("UNREACHABLE", error.message, { cause: error });
}

function withoutZone(address: string): string {
  return address.replace(/%.*$/, "");
}
