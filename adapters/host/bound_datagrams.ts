/**
 * A UDP socket of the host's kernel that receives from every address and sends to any.
 *
 * @module
 */
import { createSocket, type Socket } from "node:dgram";
import type { HostPort } from "../../core/api/host_port.ts";
import { Queue } from "../../core/buffers/queue.ts";
import { hostError } from "./connection.ts";
import { bindNativeDatagrams, takeOverNativeDatagrams } from "./native/bound_datagrams.ts";
import { nativeSockets } from "./native/sockets.ts";

/** Maximum number of received datagrams that wait in the process; only the sockets of `node:dgram` need this queue. */
const MAX_WAITING = 1024;
/** Maximum number of datagrams passed to the runtime and not sent yet. */
const MAX_SENDING = 1024;

/** Buffers for several datagrams, to be reused for every call. */
export interface DatagramBuffers {
  readonly buffers: readonly Uint8Array<ArrayBuffer>[];
  /** The length of the datagram in each buffer. */
  readonly sizes: Uint32Array;
}

/** A batch for `count` datagrams of up to `size` bytes. */
export function datagramBuffers(count: number, size: number): DatagramBuffers {
  return {
    buffers: Array.from({ length: count }, () => new Uint8Array(size)),
    sizes: new Uint32Array(count),
  };
}

/** An open socket. */
export interface BoundDatagrams {
  /** The address that it is bound to. */
  readonly address: HostPort;
  /** Whether {@link BoundDatagrams.receive} may return a datagram. */
  readonly isReadable: boolean;
  /**
   * Copies the next datagrams to the buffers and returns their number; datagrams longer than a buffer are truncated.
   */
  receive(batch: DatagramBuffers): number;
  /** Sends without waiting; returns false if the send buffer is full or the kernel has refused the datagram. */
  send(datagram: Uint8Array<ArrayBuffer>, to: HostPort): boolean;
  /** Stops receiving, so that another process with the same socket receives the datagrams. */
  pause(): void;
  /** Receives again. */
  resume(): void;
  /** Its descriptor, if the socket can be passed to another process. */
  readonly descriptor?: number;
  /** Closes the socket. */
  close(): void;
}

/** Callbacks for the owner of a socket. */
export interface DatagramHooks {
  /** Called when datagrams have arrived. */
  onReadable(): void;
  /**
   * Called when the network has reported that a datagram to `to` cannot be delivered, because no socket has the port or
   * there is no such host. `node:dgram` does not report this.
   */
  onRefused?(to: HostPort): void;
}

/**
 * Binds a socket to an IP address; port 0 stands for any free port. With the `descriptor` of a socket that another
 * process has bound, that socket is used, and starts paused.
 *
 * @throws {Error} The address cannot be bound.
 */
export async function bindDatagrams(
  local: HostPort,
  hooks: DatagramHooks,
  descriptor?: number,
): Promise<BoundDatagrams> {
  const sockets = nativeSockets();
  if (sockets && descriptor !== undefined) {
    return takeOverNativeDatagrams(sockets, descriptor, hooks);
  }
  return sockets
    ? bindNativeDatagrams(sockets, local, hooks)
    : await bindRuntimeDatagrams(local, hooks);
}

/** {@link bindDatagrams} with `node:dgram`. */
export async function bindRuntimeDatagrams(
  { hostname, port }: HostPort,
  { onReadable }: DatagramHooks,
): Promise<BoundDatagrams> {
  const socket = createSocket(hostname.includes(":") ? "udp6" : "udp4");
  await new Promise<void>((resolve, reject) => {
    socket.once("error", (error) => {
      socket.close();
      reject(hostError(error));
    });
    socket.bind(port, hostname, () => {
      socket.removeAllListeners("error");
      resolve();
    });
  });
  return new RuntimeBoundDatagrams(socket, onReadable);
}

class RuntimeBoundDatagrams implements BoundDatagrams {
  readonly address: HostPort;
  readonly #socket: Socket;
  readonly #waiting = new Queue<Uint8Array>();
  #waitingCount = 0;
  #sending = 0;
  #isPaused = false;
  #isClosed = false;

  constructor(socket: Socket, onReadable: () => void) {
    const { address, port } = socket.address();
    this.address = { hostname: address, port };
    this.#socket = socket;
    socket.on("message", (datagram: Uint8Array) => {
      if (this.#waitingCount >= MAX_WAITING || this.#isClosed) return;
      this.#waitingCount++;
      this.#waiting.push(datagram);
      onReadable();
    });
    // Errors of a single datagram are reported to its callback; later ones may succeed.
    socket.on("error", () => {});
  }

  get isReadable(): boolean {
    return this.#waitingCount > 0 && !this.#isClosed && !this.#isPaused;
  }

  receive({ buffers, sizes }: DatagramBuffers): number {
    let count = 0;
    while (count < buffers.length && this.isReadable) {
      const datagram = this.#waiting.shift()!;
      this.#waitingCount--;
      const buffer = buffers[count]!;
      const length = Math.min(datagram.length, buffer.length);
      buffer.set(datagram.subarray(0, length));
      sizes[count++] = length;
    }
    return count;
  }

  send(datagram: Uint8Array<ArrayBuffer>, { hostname, port }: HostPort): boolean {
    if (this.#isClosed || this.#sending >= MAX_SENDING) return false;
    this.#sending++;
    this.#socket.send(datagram, port, hostname, () => void this.#sending--);
    return true;
  }

  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    this.#isPaused = false;
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#socket.close();
  }
}
