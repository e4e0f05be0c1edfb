/**
 * A link over a WebSocket: each binary message is an IP packet.
 *
 * @module
 */
import type { Link, LinkFeatures, OutgoingPacket, PacketBatch } from "../../core/stack/link.ts";
import { dropStats } from "./drops.ts";
import { requireInteger } from "./integer_option.ts";
import { PacketQueue } from "./packet_queue.ts";

/** The part of a WebSocket that a link needs for sending. */
export interface PacketSocket {
  /** 1 if the WebSocket is open. */
  readonly readyState: number;
  /** Number of bytes waiting to be sent. */
  readonly bufferedAmount: number;
  /** Sends a binary message. */
  send(data: Uint8Array<ArrayBuffer>): void;
  /** Starts the closing handshake. */
  close(code?: number, reason?: string): void;
}

/** A `WebSocket` of a browser, Deno or Bun, or a compatible object. */
export interface WebSocketLike extends PacketSocket {
  /** Set to `"arraybuffer"`. */
  binaryType: string;
  /** Calls `listener` for each message. */
  addEventListener(type: "message", listener: (event: { readonly data: unknown }) => void): void;
  /** Calls `listener` for the other events. */
  addEventListener(type: "open" | "close" | "error", listener: () => void): void;
}

/** Options of a link on a WebSocket. */
export interface WebSocketLinkOptions {
  /** Largest IP packet, in bytes, 68 to 65535. Default 1500. */
  mtu?: number;
  /** Maximum number of bytes waiting to be sent; beyond it packets are dropped. Default 262,144. */
  maxBufferedBytes?: number;
  /** Maximum number of received packets queued for the stack; more are dropped. Default 1024. */
  queue?: number;
}

/** Dropped messages, by reason. */
export interface WebSocketLinkDrops {
  /** Text, or a `Blob`. */
  "not-binary": number;
  /** Larger than the MTU. */
  "too-large": number;
  /** The stack did not keep up. */
  "queue-full": number;
}

/**
 * Makes a WebSocket a link: one binary message is one IP packet. Runs in browsers too.
 *
 * Closing either the link or the WebSocket closes the other. Packets sent while the WebSocket is
 * still connecting are dropped; {@link openWebSocketLink} waits for the connection.
 *
 * @throws {RangeError} An option is out of range.
 *
 * @example
 * ```ts
 * import { createStack } from "@berth/berth";
 * import { webSocketLink } from "@berth/berth/links";
 *
 * const link = webSocketLink(new WebSocket("ws://127.0.0.1:9/"), { mtu: 1400 });
 * await using stack = createStack({ link, addresses: ["10.9.0.2/24"] });
 * await stack.finished; // nothing listens on the discard port, so the WebSocket fails at once
 * ```
 */
export function webSocketLink(
  webSocket: WebSocketLike,
  options: WebSocketLinkOptions = {},
): WebSocketLink {
  const link = new WebSocketLink(options);
  webSocket.binaryType = "arraybuffer";
  link.attach(webSocket);
  webSocket.addEventListener("message", ({ data }) => link.take(data));
  webSocket.addEventListener("close", () => link.end());
  webSocket.addEventListener("error", () => link.end());
  return link;
}

/** Timeout of {@link openWebSocketLink}, in milliseconds. */
const OPEN_MS = 15_000;

/**
 * Connects to a WebSocket server that carries IP packets; resolves once packets can be sent.
 *
 * @throws {Error} The connection was not established within 15 seconds.
 *
 * @example
 * ```ts
 * import { createStack } from "@berth/berth";
 * import { openWebSocketLink } from "@berth/berth/links";
 *
 * try {
 *   const link = await openWebSocketLink("ws://127.0.0.1:9/");
 *   await using stack = createStack({ link, addresses: ["10.9.0.2/24"] });
 *   await stack.finished;
 * } catch (error) {
 *   console.log((error as Error).message); // nothing listens on the discard port
 * }
 * ```
 */
export async function openWebSocketLink(
  url: string | URL,
  options: WebSocketLinkOptions = {},
): Promise<WebSocketLink> {
  const webSocket = new WebSocket(url);
  const link = webSocketLink(webSocket as unknown as WebSocketLike, options);
  const opened = Promise.withResolvers<void>();
  webSocket.addEventListener("open", () => opened.resolve());
  link.ended.then(() =>
    opened.reject(new Error(`there is no WebSocket at ${url}: is its server running?`))
  );
  const limit = setTimeout(() => void link.close(), OPEN_MS);
  try {
    await opened.promise;
    return link;
  } finally {
    clearTimeout(limit);
  }
}

const OPEN = 1;

/**
 * A link over a WebSocket; created by {@link webSocketLink}.
 *
 * @example
 * ```ts
 * import { type WebSocketLink, webSocketLink } from "@berth/berth/links";
 *
 * const link: WebSocketLink = webSocketLink(new WebSocket("ws://127.0.0.1:9/"), { mtu: 1400 });
 * await link.ended; // nothing listens on the discard port
 * console.log(link.drops["queue-full"]);
 * ```
 */
export class WebSocketLink implements Link {
  /** Shown in logs. */
  readonly name: string = "websocket";
  /** No super-packets and no checksum offload. */
  readonly features: LinkFeatures;
  /** Counters of dropped messages. */
  readonly drops: WebSocketLinkDrops = { "not-binary": 0, "too-large": 0, "queue-full": 0 };
  /** Resolves when the link has ended. */
  readonly ended: Promise<void>;
  readonly #maxBufferedBytes: number;
  readonly #incoming: PacketQueue;
  #socket: PacketSocket | undefined;
  #end!: () => void;

  /** Creates a link without a WebSocket, which drops sent packets until {@link attach}. */
  constructor({ mtu = 1500, maxBufferedBytes = 262_144, queue = 1024 }: WebSocketLinkOptions) {
    requireInteger("mtu", mtu, 68, 65_535);
    requireInteger("maxBufferedBytes", maxBufferedBytes, mtu, 2 ** 30);
    requireInteger("queue", queue, 1, 1_000_000);
    this.features = { mtu, maxSuperPacket: 0, checksumOffload: false };
    this.#maxBufferedBytes = maxBufferedBytes;
    this.#incoming = new PacketQueue(queue, this.features);
    this.ended = new Promise((resolve) => this.#end = resolve);
  }

  /** Sets the WebSocket to send on; returns the previous one. */
  attach(socket: PacketSocket | undefined): PacketSocket | undefined {
    const before = this.#socket;
    this.#socket = socket;
    return before;
  }

  /** Handles the data of a received message. */
  take(data: unknown): void {
    const packet = bytesOf(data);
    if (packet === undefined) this.drops["not-binary"]++;
    else if (packet.length > this.features.mtu) this.drops["too-large"]++;
    else if (!this.#incoming.putBytes(packet)) this.drops["queue-full"]++;
  }

  /** Ends the link after its WebSocket has closed. */
  end(): void {
    this.#socket = undefined;
    this.#incoming.close();
    this.#end();
  }

  /** {@link WebSocketLinkDrops} by name. */
  stats(): Readonly<Record<string, number>> {
    return dropStats({ ...this.drops });
  }

  /** Receives the packets that have arrived. */
  receive(batch: PacketBatch): number {
    return this.#incoming.takeInto(batch);
  }

  /** Resolves with false once the WebSocket has closed. */
  ready(): Promise<boolean> {
    return this.#incoming.ready();
  }

  /**
   * Sends a packet; returns false if the WebSocket is not open or too much is waiting to be sent.
   */
  send(packet: OutgoingPacket): boolean {
    const socket = this.#socket;
    const size = packet.byteLength;
    if (socket?.readyState !== OPEN || size > this.features.mtu) return false;
    if (socket.bufferedAmount + size > this.#maxBufferedBytes) return false;
    // A copy, since the runtime may hold it until it is sent.
    const message = new Uint8Array(size);
    packet.copyTo(message, 0);
    socket.send(message);
    return true;
  }

  /** Closes the WebSocket; packets sent before are still delivered. */
  close(): Promise<void> {
    const socket = this.#socket;
    this.end();
    socket?.close(1000, "the link was closed");
    return Promise.resolve();
  }

  /** The same as {@link close}. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

function bytesOf(data: unknown): Uint8Array | undefined {
  if (data instanceof ArrayBuffer) return new Uint8Array(data);
  if (!ArrayBuffer.isView(data)) return undefined;
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}
