/**
 * UDP through the host's kernel.
 *
 * @module
 */
import { createSocket, type RemoteInfo, type Socket } from "node:dgram";
import { lookup } from "node:dns/promises";
import { TcpError } from "../../core/api/errors.ts";
import type { HostPort } from "../../core/api/host_port.ts";
import { flowRefusalOf } from "../../core/api/udp/flow_refusal.ts";
import { IpAddress } from "../../core/wire/address.ts";
import type { DatagramChannel } from "../../plugins/shared/host_network.ts";
import { hostError } from "./connection.ts";
import { DatagramInbox } from "./datagram_inbox.ts";

/** Data that fits into a datagram of either family. */
const MAX_DATAGRAM = 65_507;

/** A socket of the host that speaks with one address; what others send to it is dropped. */
export class HostDatagrams implements DatagramChannel {
  readonly #socket: Socket;
  readonly #inbox = new DatagramInbox();
  #closed = false;

  /** Takes a connected socket over. */
  constructor(socket: Socket) {
    this.#socket = socket;
    const { address, port } = socket.remoteAddress();
    const remote = IpAddress.parse(withoutZone(address));
    socket.on("message", (datagram: Uint8Array, from: RemoteInfo) => {
      // A runtime may leave it to the program to look who it is.
      const isPeer = from.port === port &&
        remote?.equals(IpAddress.parse(withoutZone(from.address)) ?? IpAddress.ANY_V4);
      if (isPeer) this.#inbox.put(datagram);
    });
    socket.on("error", (error) => this.#inbox.end(hostError(error)));
    socket.on("close", () => this.#inbox.end());
  }

  /** Datagrams that were dropped because nobody received those before them; a megabyte waits. */
  get dropped(): number {
    return this.#inbox.dropped;
  }

  /**
   * The next datagram; `null` once it is closed.
   *
   * @throws {TcpError} The kernel says that nobody is there.
   */
  receive(): Promise<Uint8Array<ArrayBuffer> | null> {
    return this.#inbox.receive();
  }

  /**
   * Resolves with its length once the kernel has taken it.
   *
   * @throws {TcpError} It was closed, or the kernel does not take it.
   */
  send(datagram: Uint8Array): Promise<number> {
    return new Promise((resolve, reject) => {
      if (this.#closed) return reject(new TcpError("CLOSING", "the socket was closed"));
      this.#socket.send(datagram, (error) => {
        if (error) reject(this.#fail(sendError(error, datagram.byteLength)));
        else resolve(datagram.byteLength);
      });
    });
  }

  /** Nobody there, or no way: that ends it, as an ICMP error does where the kernel tells of these. */
  #fail(error: Error): Error {
    if (flowRefusalOf(error) !== undefined) this.#inbox.end(error);
    return error;
  }

  /** Takes and gives no more. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#inbox.discard();
    this.#socket.close();
  }
}

/**
 * Makes a socket of the host for datagrams to and from one address; a name is looked up once.
 *
 * @throws {TcpError} There is no such address or name, or `signal` was aborted.
 */
export async function dialHostDatagrams(
  { hostname, port }: HostPort,
  signal?: AbortSignal,
): Promise<HostDatagrams> {
  signal?.throwIfAborted();
  const { address, family } = await lookup(hostname).catch((error) => {
    throw hostError(error);
  });
  const socket = createSocket(family === 6 ? "udp6" : "udp4");
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

/** Deno gives most of the kernel's errors the code `UNKNOWN`; what is not too long has no way to go. */
function sendError(error: Error & { code?: string }, length: number): Error {
  return error.code === "UNKNOWN" && length <= MAX_DATAGRAM ? unreachable(error) : hostError(error);
}

/** Connecting a UDP socket asks for a route, no more; Bun does not say which error came of it. */
function unreachable(error: Error): Error {
  const known = hostError(error);
  if (known instanceof TcpError) return known;
  return new TcpError("UNREACHABLE", error.message, { cause: error });
}

function withoutZone(address: string): string {
  return address.replace(/%.*$/, "");
}
