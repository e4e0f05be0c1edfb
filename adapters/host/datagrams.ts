/**
 * UDP through the host's kernel.
 *
 * @module
 */
import { createSocket, type RemoteInfo, type Socket } from "node:dgram";
import { lookup } from "node:dns/promises";
import type { DatagramChannel } from "../../core/api/dial.ts";
import { TcpError } from "../../core/api/errors.ts";
import type { HostPort } from "../../core/api/host_port.ts";
import { IpAddress } from "../../core/wire/address.ts";
import { hostError } from "./connection.ts";

/** Bytes of datagrams that wait to be received, at most; what comes then is dropped. */
const MAX_WAITING_BYTES = 1 << 20;
/** Datagrams that wait, at most: empty ones count as well. */
const MAX_WAITING = 1024;

/** A socket of the host that speaks with one address; what others send to it is dropped. */
export class HostDatagrams implements DatagramChannel {
  /** Datagrams that were dropped because nobody received those before them. */
  dropped = 0;
  readonly #socket: Socket;
  #waiting: Uint8Array<ArrayBuffer>[] = [];
  #waitingBytes = 0;
  #wake: (() => void) | undefined;
  #failure: Error | undefined;
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
      if (isPeer) this.#take(datagram);
    });
    socket.on("error", (error) => this.#end(hostError(error)));
    socket.on("close", () => this.#end());
  }

  /**
   * The next datagram; `null` once it is closed.
   *
   * @throws {TcpError} The kernel says that nobody is there.
   */
  async receive(): Promise<Uint8Array<ArrayBuffer> | null> {
    for (;;) {
      const next = this.#waiting.shift();
      if (next !== undefined) {
        this.#waitingBytes -= next.byteLength;
        return next;
      }
      if (this.#failure !== undefined) throw this.#failure;
      if (this.#closed) return null;
      await new Promise<void>((resolve) => this.#wake = resolve);
    }
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
        if (error) reject(hostError(error));
        else resolve(datagram.byteLength);
      });
    });
  }

  /** Takes and gives no more. */
  close(): void {
    if (this.#closed) return;
    this.#waiting = [];
    this.#end();
    this.#socket.close();
  }

  #take(datagram: Uint8Array): void {
    const isFull = this.#waiting.length >= MAX_WAITING ||
      this.#waitingBytes + datagram.byteLength > MAX_WAITING_BYTES;
    if (isFull) return void this.dropped++;
    // A copy: a small datagram must not keep the runtime's whole receive buffer.
    this.#waiting.push(new Uint8Array(datagram));
    this.#waitingBytes += datagram.byteLength;
    this.#wakeUp();
  }

  #end(failure?: Error): void {
    this.#failure ??= failure;
    if (failure === undefined) this.#closed = true;
    this.#wakeUp();
  }

  #wakeUp(): void {
    this.#wake?.();
    this.#wake = undefined;
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
      socket.connect(port, address, () => {
        socket.off("error", reject);
        resolve();
      });
    });
    signal?.throwIfAborted();
  } catch (error) {
    socket.close();
    throw signal?.aborted ? error : hostError(error as Error);
  }
  return new HostDatagrams(socket);
}

function withoutZone(address: string): string {
  return address.replace(/%.*$/, "");
}
