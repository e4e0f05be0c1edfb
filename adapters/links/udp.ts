/**
 * A link that carries each IP packet in a UDP datagram.
 *
 * @module
 */
import { lookup } from "node:dns/promises";
import { formatHostPort, type HostPort, parseHostPort } from "../../core/api/host_port.ts";
import type { Link, LinkFeatures, OutgoingPacket, PacketBatch } from "../../core/stack/link.ts";
import { IpAddress } from "../../core/wire/address.ts";
import { IpHeader, parseIp } from "../../core/wire/ip.ts";
import {
  type DatagramClient,
  type HostDatagramPort,
  listenHostDatagrams,
  listenRuntimeDatagrams,
} from "../host/datagram_port.ts";
import { dropStats } from "./drops.ts";
import { requireInteger } from "./integer_option.ts";
import { PacketQueue } from "./packet_queue.ts";

/** Options of {@link openUdpLink}. `local` or `remote` is required. */
export interface UdpLinkOptions {
  /**
   * Address and port to bind, `"127.0.0.1:5000"` or `"[::]:5000"`. Default any free port on all
   * addresses of the family of `remote`.
   */
  local?: string;
  /**
   * Address and port of the peer, `"192.0.2.1:5000"` or `"host.example:5000"`; datagrams from other
   * sources are dropped. Default: the source of the first packet.
   */
  remote?: string;
  /**
   * Largest IP packet in bytes, 68 to 65507. Default 1400, which a path MTU of 1500 carries
   * unfragmented.
   */
  mtu?: number;
  /** Maximum number of packets queued per direction; more are dropped. Default 1024. */
  queue?: number;
}

/** Packets and datagrams dropped, by reason. */
export interface UdpLinkDrops {
  /** Not from the peer. */
  "unknown-source": number;
  /** Larger than the MTU, or empty. */
  "bad-size": number;
  /** The stack did not keep up. */
  "queue-full": number;
  /** The host could not send the datagram, for example without a route. */
  "send-failed": number;
}

/**
 * Carries raw IP packets in UDP datagrams of the host, without root; inner and outer packets may be
 * IPv4 or IPv6.
 *
 * Without `remote`, the source of the first packet is the peer for as long as the link is open.
 * There is no authentication: anyone who is first, or can spoof the peer's address, can send
 * packets into the stack and may receive its answers. Set `remote`, and bind addresses other than
 * loopback only on a trusted network.
 *
 * @throws {TypeError} An address is invalid, or neither is given.
 * @throws {RangeError} A number is out of range.
 * @throws {Error} The port is in use, or the name of `remote` cannot be resolved.
 *
 * @example
 * ```ts
 * import { createStack } from "@berth/berth";
 * import { openUdpLink } from "@berth/berth/links";
 * import { echo } from "@berth/berth/plugins";
 *
 * const left = await openUdpLink({ local: "127.0.0.1:0" });
 * const right = await openUdpLink({ remote: left.localAddress });
 * await using server = createStack({ link: left, addresses: ["10.0.0.1/24"] });
 * server.use(7, echo());
 * await using client = createStack({ link: right, addresses: ["10.0.0.2/24"] });
 * await using socket = client.connect("10.0.0.1:7");
 * await socket.opened;
 * ```
 */
export async function openUdpLink(options: UdpLinkOptions): Promise<UdpLink> {
  const { mtu = 1400, queue = 1024 } = options;
  // A total length of 65,535 minus the headers of IPv4 and UDP.
  requireInteger("mtu", mtu, 68, 65_507);
  requireInteger("queue", queue, 1, 1_000_000);
  if (options.local === undefined && options.remote === undefined) {
    throw new TypeError('a UDP link needs "local" or "remote", such as "127.0.0.1:5000"');
  }
  const local = options.local === undefined ? undefined : await resolve("local", options.local);
  const remote = options.remote === undefined ? undefined : await resolve("remote", options.remote);
  if (remote?.port === 0) throw new TypeError(`remote: ${options.remote} has no port`);
  const isV6 = (local ?? remote)!.hostname.includes(":");
  if (remote !== undefined && remote.hostname.includes(":") !== isV6) {
    throw new TypeError(`local ${options.local} and remote ${options.remote} differ in IP version`);
  }
  return await UdpLink.open(
    local ?? { hostname: isV6 ? "::" : "0.0.0.0", port: 0 },
    remote,
    mtu,
    queue,
  );
}

/**
 * A link over UDP datagrams; created by {@link openUdpLink}.
 *
 * @example
 * ```ts
 * import { openUdpLink, type UdpLink } from "@berth/berth/links";
 *
 * const server: UdpLink = await openUdpLink({ local: "127.0.0.1:0" });
 * const client: UdpLink = await openUdpLink({ remote: server.localAddress });
 * if (client.remoteAddress !== server.localAddress) throw new Error(client.remoteAddress);
 * console.log(server.drops["unknown-source"]);
 * await client.close();
 * await server.close();
 * ```
 */
export class UdpLink implements Link {
  /** No super-packets and no checksum offload. */
  readonly features: LinkFeatures;
  /** Counters of drops. */
  readonly drops: UdpLinkDrops = {
    "unknown-source": 0,
    "bad-size": 0,
    "queue-full": 0,
    "send-failed": 0,
  };
  /** The socket; set when the link is open. */
  #socket!: HostDatagramPort;
  readonly #queue: number;
  readonly #incoming: PacketQueue;
  #outgoing: Uint8Array<ArrayBuffer>[] = [];
  #remote: HostPort | undefined;
  /** The peer in the form that the socket needs for sending. */
  #client: DatagramClient | undefined;
  /**
   * The object that the socket gave for the last sender that was the peer; for the same object, addresses need not be
   * compared.
   */
  #lastSender: DatagramClient | undefined;
  #closing: Promise<void> | undefined;

  private constructor(mtu: number, queue: number) {
    this.features = { mtu, maxSuperPacket: 0, checksumOffload: false };
    this.#queue = queue;
    this.#incoming = new PacketQueue(queue, this.features);
  }

  /**
   * Called by {@link openUdpLink}, which checks the arguments.
   *
   * @internal
   */
  static async open(
    local: HostPort,
    remote: HostPort | undefined,
    mtu: number,
    queue: number,
  ): Promise<UdpLink> {
    const link = new UdpLink(mtu, queue);
    // Only node:dgram takes the zone of a link-local address.
    const listen = remote?.hostname.includes("%") ? listenRuntimeDatagrams : listenHostDatagrams;
    try {
      link.#socket = await listen(local, {
        ipv6Only: true,
        receiveBuffer: RECEIVE_BUFFER,
        onDatagram: (packet, from) => link.#take(packet, from),
        // ICMP errors about a peer that may not have started yet.
        onError: () => link.drops["send-failed"]++,
      });
    } catch (cause) {
      const { code, message } = cause as Error & { code?: string };
      const why = code === "EADDRINUSE" ? "another program uses it" : message;
      throw new Error(`cannot receive UDP at ${formatHostPort(local)}: ${why}`, { cause });
    }
    link.#remote = remote;
    link.#client = remote && link.#socket.clientAt(remote);
    return link;
  }

  /** Shown in logs. */
  get name(): string {
    return `udp ${this.localAddress}`;
  }

  /** The bound address and port, which the peer uses as its `remote`. */
  get localAddress(): string {
    return formatHostPort(this.#socket.address);
  }

  /** The peer; `undefined` until it is known. */
  get remoteAddress(): string | undefined {
    return this.#remote && formatHostPort(this.#remote);
  }

  /** {@link UdpLinkDrops} by name. */
  stats(): Readonly<Record<string, number>> {
    return dropStats({ ...this.drops });
  }

  /** Receives the packets that have arrived. */
  receive(batch: PacketBatch): number {
    return this.#incoming.takeInto(batch);
  }

  /** Resolves with false once closed. */
  ready(): Promise<boolean> {
    return this.#incoming.ready();
  }

  /** Sends a packet; returns false while the peer is unknown or if the send queue is full. */
  send(packet: OutgoingPacket): boolean {
    const size = packet.byteLength;
    if (this.#closing || this.#client === undefined || size > this.features.mtu) return false;
    if (this.#outgoing.length >= this.#queue) return false;
    const datagram = new Uint8Array(size);
    packet.copyTo(datagram, 0);
    this.#outgoing.push(datagram);
    if (this.#outgoing.length === 1) this.#sendFirst();
    return true;
  }

  /** Sends the queued packets and closes the socket. */
  close(): Promise<void> {
    this.#closing ??= this.#end();
    return this.#closing;
  }

  /** The same as {@link close}. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Sends one at a time, since Deno reorders datagrams that are sent together. */
  #sendFirst(): void {
    this.#socket.send(this.#outgoing[0]!, this.#client!).catch(() => {
      this.drops["send-failed"]++;
    }).then(() => {
      this.#outgoing.shift();
      if (this.#outgoing.length > 0) this.#sendFirst();
    });
  }

  #take(packet: Uint8Array, from: DatagramClient): void {
    if (packet.length === 0 || packet.length > this.features.mtu) {
      this.drops["bad-size"]++;
      return;
    }
    if (!this.#isFromRemote(packet, from)) this.drops["unknown-source"]++;
    else if (!this.#incoming.putBytes(packet)) this.drops["queue-full"]++;
  }

  #isFromRemote(packet: Uint8Array, from: DatagramClient): boolean {
    if (from === this.#lastSender) return true;
    const remote = { hostname: canonical(from.hostname), port: from.port };
    if (this.#remote === undefined) {
      if (parseIp(packet, packet.length, new IpHeader()) !== undefined) return false;
      this.#remote = remote;
      this.#client = from;
    }
    const isRemote = this.#remote.port === remote.port && this.#remote.hostname === remote.hostname;
    if (isRemote) this.#lastSender = from;
    return isRemote;
  }

  async #end(): Promise<void> {
    this.#incoming.close();
    while (this.#outgoing.length > 0) await new Promise((resolve) => setTimeout(resolve, 0));
    await this.#socket.close();
  }
}

/** Requested size of the socket's receive buffer, in bytes. */
const RECEIVE_BUFFER = 2 ** 21;

async function resolve(option: string, text: string): Promise<HostPort> {
  const parsed = parseHostPort(text);
  if (parsed === undefined) {
    throw new TypeError(
      `${option} must be ADDRESS:PORT such as 127.0.0.1:5000 or [::1]:5000, not ${text}`,
    );
  }
  const { hostname, port } = parsed;
  if (hostname.includes("%") || IpAddress.parse(hostname)) {
    return { hostname: canonical(hostname), port };
  }
  try {
    return { hostname: canonical((await lookup(hostname)).address), port };
  } catch (cause) {
    throw new Error(`${option}: cannot resolve ${hostname}`, { cause });
  }
}

function canonical(address: string): string {
  return IpAddress.parse(address)?.toString() ?? address;
}
