import { rmSync } from "node:fs";
import { createConnection, createServer, type Server, type Socket } from "node:net";
import { type Clock, type Logger, silentLogger, systemClock } from "../../core/api/environment.ts";
import { TcpError } from "../../core/api/errors.ts";
import { formatHostPort } from "../../core/api/host_port.ts";
import type { LinkFeatures, OutgoingPacket, PacketBatch } from "../../core/stack/link.ts";
import { writeU32 } from "../../core/wire/bytes.ts";
import { ETHERNET_HEADER } from "../../core/wire/ethernet.ts";
import { hostError } from "../host/connection.ts";
import { listening, ReopeningServer } from "../host/reopening_server.ts";
import { parseHostEndpoint } from "./endpoint.ts";
import { Counts } from "./ethernet/counts.ts";
import type { FramePort } from "./ethernet/frame_port.ts";
import { FrameReader } from "./frame_reader.ts";
import { requireInteger } from "./integer_option.ts";
import { PacketQueue } from "./packet_queue.ts";

/** Options of {@link openQemuStream}: where to listen or connect. */
export interface QemuStreamOptions {
  /**
   * Address to listen on for QEMU (`server=off`): `"127.0.0.1:5555"`, or the path of a Unix socket.
   */
  listen?: string;
  /**
   * Address of QEMU to connect to (`server=on`), in the form of `listen`; reconnects once a second.
   */
  connect?: string;
  /** Largest IP packet, in bytes. Default 1500. */
  mtu?: number;
  /** Maximum number of received frames queued for the stack. Default 1024. */
  queue?: number;
  /** Clock for the interval between attempts to connect. Default the runtime's. */
  clock?: Clock;
  /** Logs that no file descriptor is left to accept a peer. Default: no log. */
  log?: Logger;
}

const RECONNECT_MS = 1000;
/** Idle time after which keep-alive probes are sent to the peer, in milliseconds. */
const KEEP_ALIVE_MS = 60_000;
/** How long a peer may take to read the remaining data after the close, in milliseconds. */
const LINGER_MS = 1000;
/** Maximum number of bytes queued for the peer. */
const MAX_WAITING = 1024 * 1024;
/** Frames sent in one turn of the event loop are written together, up to this size. */
const COALESCED = 64 * 1024;
const LENGTH = 4;

type StreamCount =
  | "peers" // connections so far
  | "drop.no-peer" // no peer is connected
  | "drop.busy" // the peer does not read
  | "drop.queue" // the stack's queue is full
  | "drop.size" // larger than the MTU
  | "drop.framing" // not a stream of frames: the connection was closed
  | "drop.second-peer"; // there already was a peer

/**
 * Opens the peer of QEMU's `-netdev stream`, over TCP or a Unix socket.
 *
 * With `ethernet()` it is a link to the guest; passt and other programs use the same protocol.
 * There is one peer at a time; after it disconnects another may connect, and frames in between are
 * dropped. Bounds: 1 MiB is queued for the peer; a stream with an invalid frame length is closed.
 * `stats()` counts every drop.
 *
 * @throws {TypeError} An address is invalid, or not exactly one of `listen` and `connect` is given.
 * @throws {RangeError} A number is out of its range.
 * @throws {TcpError} The address cannot be bound.
 *
 * @example
 * ```ts
 * import { createStack } from "@berth/berth";
 * import { ethernet, openQemuStream } from "@berth/berth/links";
 * import { echo } from "@berth/berth/plugins";
 *
 * // -netdev stream,id=n,addr.type=inet,addr.host=127.0.0.1,addr.port=... -device e1000,netdev=n
 * const port = await openQemuStream({ listen: "127.0.0.1:0" });
 * const addresses = ["10.0.0.1/24"];
 * await using stack = createStack({ link: ethernet(port, { addresses }), addresses });
 * stack.use(7, echo());
 * ```
 */
export async function openQemuStream(options: QemuStreamOptions): Promise<FramePort> {
  const { listen, connect, mtu = 1500, queue = 1024 } = options;
  requireInteger("mtu", mtu, 68, 65_535);
  requireInteger("queue", queue, 1, 1_000_000);
  if ((listen === undefined) === (connect === undefined)) {
    throw new TypeError("openQemuStream needs one of listen and connect");
  }
  const port = new StreamPort(
    mtu,
    queue,
    options.clock ?? systemClock,
    options.log ?? silentLogger,
  );
  if (listen !== undefined) await port.listen(placeOf("listen", listen));
  else port.connect(placeOf("connect", connect!));
  return port;
}

/** Address for `node:net`. */
type Endpoint = { readonly path: string } | { readonly host: string; readonly port: number };

function placeOf(option: string, text: string): Endpoint {
  if (text.includes("/")) return { path: text };
  const { hostname, port } = parseHostEndpoint(option, text);
  return { host: hostname, port };
}

function textOf(place: Endpoint): string {
  if ("path" in place) return place.path;
  return formatHostPort({ hostname: place.host, port: place.port });
}

/** A program that was killed leaves its socket file behind. */
function listenError(error: Error & { code?: string }, place: Endpoint): Error {
  if (!("path" in place) || error.code !== "EADDRINUSE") return hostError(error);
  const advice = `${place.path} already exists: remove it unless a program listens on it`;
  return new TcpError("ADDRESS_IN_USE", advice, { cause: error });
}

class StreamPort implements FramePort {
  name = "QEMU";
  readonly features: LinkFeatures;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #incoming: PacketQueue;
  readonly #counts = new Counts<StreamCount>();
  #server: ReopeningServer | undefined;
  #place: Endpoint | undefined;
  #isBound = false;
  #peer: Socket | undefined;
  /** Frames of this turn, not written yet. */
  readonly #out: Uint8Array<ArrayBuffer>;
  #outLength = 0;
  #cancelRetry: (() => void) | undefined;
  #closing: Promise<void> | undefined;

  constructor(mtu: number, queue: number, clock: Clock, log: Logger) {
    this.features = { mtu, maxSuperPacket: 0, checksumOffload: false };
    this.#clock = clock;
    this.#log = log;
    this.#out = new Uint8Array(Math.max(COALESCED, LENGTH + ETHERNET_HEADER + mtu));
    this.#incoming = new PacketQueue(queue, this.features, ETHERNET_HEADER);
  }

  async listen(place: Endpoint): Promise<void> {
    this.#place = place;
    this.#server = new ReopeningServer({
      log: this.#log,
      name: `QEMU at ${textOf(place)}`,
      create: () => createServer((socket) => this.#acceptPeer(socket)),
      bind: (server) => this.#bind(server),
    });
    await this.#server.open();
  }

  /**
   * Listens. When it is called again, it uses the port that was chosen the first time, and replaces the socket's own
   * file.
   */
  async #bind(server: Server): Promise<void> {
    const place = this.#place!;
    if (this.#isBound && "path" in place) rmSync(place.path, { force: true });
    await listening(server, place).catch((error) => {
      throw listenError(error, place);
    });
    this.#isBound = true;
    const bound = server.address();
    if (!("path" in place) && bound !== null && typeof bound !== "string") {
      this.#place = { host: bound.address, port: bound.port };
    }
    this.name = `QEMU at ${textOf(this.#place!)}`;
  }

  connect(place: Endpoint): void {
    this.#place = place;
    this.name = `QEMU at ${textOf(place)}`;
    this.#attempt();
  }

  receive(batch: PacketBatch): number {
    const count = this.#incoming.takeInto(batch);
    if (count === 0 && this.#peer?.isPaused()) this.#peer.resume();
    return count;
  }

  ready(): Promise<boolean> {
    if (this.#incoming.isEmpty && this.#peer?.isPaused()) this.#peer.resume();
    return this.#incoming.ready();
  }

  send(frame: OutgoingPacket): boolean {
    if (this.#closing || frame.byteLength > this.features.mtu) return false;
    if (this.#peer === undefined) return this.#drop("drop.no-peer");
    const size = ETHERNET_HEADER + frame.byteLength;
    if (this.#peer.writableLength + this.#outLength + size > MAX_WAITING) {
      return this.#drop("drop.busy");
    }
    if (this.#outLength + LENGTH + size > this.#out.length) this.#flush();
    if (this.#outLength === 0) queueMicrotask(() => this.#flush());
    writeU32(this.#out, this.#outLength, size);
    frame.copyTo(this.#out, this.#outLength + LENGTH, ETHERNET_HEADER);
    this.#outLength += LENGTH + size;
    return true;
  }

  stats(): Readonly<Record<string, number>> {
    return this.#counts.snapshot();
  }

  close(): Promise<void> {
    return this.#closing ??= this.#close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    this.#incoming.close();
    this.#cancelRetry?.();
    this.#flush();
    if (this.#peer !== undefined) this.#dropPeer(this.#peer);
    if (this.#server === undefined) return;
    await this.#server.close();
    // Not every runtime removes the socket file.
    if (this.#isBound && "path" in this.#place!) rmSync(this.#place.path, { force: true });
  }

  /** Closes the connection after the remaining data, unless the peer does not read. */
  #dropPeer(peer: Socket): void {
    const cancel = this.#clock.schedule(this.#clock.now() + LINGER_MS, () => peer.destroy());
    peer.once("close", cancel);
    peer.end(() => peer.destroy());
  }

  #attempt(): void {
    if (this.#closing) return;
    const socket = createConnection(this.#place!);
    socket.once("connect", () => this.#acceptPeer(socket));
    socket.on("error", () => {});
    socket.once("close", () => {
      if (this.#closing) return;
      const at = this.#clock.now() + RECONNECT_MS;
      this.#cancelRetry = this.#clock.schedule(at, () => this.#attempt());
    });
  }

  #acceptPeer(socket: Socket): void {
    if (this.#closing || this.#peer !== undefined) {
      if (this.#peer !== undefined) this.#counts.add("drop.second-peer");
      socket.destroy();
      return;
    }
    this.#counts.add("peers");
    this.#peer = socket;
    const reader = new FrameReader(
      this.features.mtu + ETHERNET_HEADER,
      (frame) => this.#take(frame),
      () => this.#counts.add("drop.size"),
    );
    socket.setNoDelay?.(true);
    // A peer that disappeared without closing would block the next one.
    socket.setKeepAlive?.(true, KEEP_ALIVE_MS);
    socket.on("data", (chunk: Uint8Array) => {
      if (reader.take(chunk)) return this.#throttle(socket);
      this.#counts.add("drop.framing");
      socket.destroy();
    });
    socket.on("error", () => {});
    socket.once("end", () => socket.destroy());
    socket.once("close", () => {
      if (this.#peer === socket) this.#peer = undefined;
      this.#outLength = 0;
    });
  }

  #take(frame: Uint8Array): void {
    const isTaken = frame.length >= ETHERNET_HEADER && this.#incoming.putBytes(frame);
    if (!isTaken && !this.#closing) this.#counts.add("drop.queue");
  }

  /** Stops reading until the stack has received the queued frames. */
  #throttle(socket: Socket): void {
    if (!this.#incoming.isEmpty) socket.pause();
  }

  #flush(): void {
    if (this.#outLength === 0 || this.#peer === undefined) return;
    // A copy, so that data queued for a slow peer does not hold the whole buffer.
    this.#peer.write(this.#out.slice(0, this.#outLength));
    this.#outLength = 0;
  }

  #drop(reason: StreamCount): false {
    this.#counts.add(reason);
    return false;
  }
}
