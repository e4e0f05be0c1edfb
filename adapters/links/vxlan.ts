import { formatHostPort, type HostPort } from "../../core/api/host_port.ts";
import { readU32, writeU32 } from "../../core/wire/bytes.ts";
import { ETHERNET_HEADER, isGroupMac, readMac } from "../../core/wire/ethernet.ts";
import { parseHostEndpoint } from "./endpoint.ts";
import { Counts } from "./ethernet/counts.ts";
import type { FramePort } from "./ethernet/frame_port.ts";
import { requireInteger } from "./integer_option.ts";
import { type Encapsulation, UdpPort } from "./udp_port.ts";

/** Options of {@link openVxlan}. */
export interface VxlanOptions {
  /** The VXLAN network identifier, 0 to 16777215. */
  vni: number;
  /**
   * The other tunnel endpoints, as `"192.0.2.2"`, `"192.0.2.2:4789"` or `"[2001:db8::2]:4789"`;
   * frames from others are dropped. Without any, up to 16 endpoints are learned from the frames
   * received for this network, which is safe only among trusted hosts.
   */
  remotes?: readonly string[];
  /** Address and port of the host to bind. Default: all addresses, port 4789. */
  local?: string;
  /** Largest IP packet in bytes. Default 1450, or 1430 if the tunnel runs over IPv6. */
  mtu?: number;
  /**
   * Accepts packets with partial checksums and TCP super-packets, as a Linux kernel on the same
   * host or in a container on it sends them. Default false: checksums are verified.
   */
  offload?: boolean;
  /** Maximum number of received frames queued for the stack. Default 1024. */
  queue?: number;
}

/** RFC 7348 5. */
const HEADER = 8;
const VALID_VNI = 0x08;
const PORT = 4789;
/** Maximum number of learned endpoints. */
const MAX_REMOTES = 16;
/** Maximum number of stations whose endpoint is remembered. */
const MAX_STATIONS = 1024;
const VNI_LIMIT = 2 ** 24;

/**
 * Opens a VXLAN tunnel (RFC 7348): Ethernet frames in UDP datagrams of the host, without privilege.
 *
 * With `ethernet()` it is a link. Frames to a station go to the endpoint from which the station's
 * frames arrive; multicast, broadcast and frames to unknown stations go to all endpoints. Datagrams
 * are sent from the bound port. Bounds: 1024 stations are remembered, 16 endpoints learned, 1024
 * datagrams queued for sending. `stats()` counts every drop.
 *
 * @throws {TypeError} An address is invalid.
 * @throws {RangeError} A number is out of its range.
 * @throws {TcpError} The local address cannot be bound.
 *
 * @example
 * ```ts
 * import { createStack } from "@berth/berth";
 * import { ethernet, openVxlan } from "@berth/berth/links";
 * import { echo } from "@berth/berth/plugins";
 *
 * const port = await openVxlan({ vni: 42, local: "127.0.0.1:0", remotes: ["127.0.0.2"] });
 * const addresses = ["10.0.0.1/24"];
 * await using stack = createStack({ link: ethernet(port, { addresses }), addresses });
 * stack.use(7, echo());
 * ```
 */
export async function openVxlan(options: VxlanOptions): Promise<FramePort> {
  const { vni, remotes = [], queue = 1024, offload = false } = options;
  requireInteger("vni", vni, 0, VNI_LIMIT - 1);
  requireInteger("queue", queue, 1, 1_000_000);
  const endpoints = remotes.map((text) => parseHostEndpoint("remotes", text, PORT));
  const isV6 = endpoints[0]?.hostname.includes(":");
  const local = parseHostEndpoint("local", options.local ?? (isV6 ? "::" : "0.0.0.0"), PORT);
  const mtu = options.mtu ?? vxlanMtu(remotes);
  requireInteger("mtu", mtu, 68, 65_535 - HEADER - ETHERNET_HEADER - 28);
  const isLocalV6 = local.hostname.includes(":");
  if (endpoints.some(({ hostname }) => hostname.includes(":") !== isLocalV6)) {
    throw new TypeError("local and remotes: must all be IPv4 or all be IPv6");
  }
  return await UdpPort.open(new Vxlan(vni, endpoints, local), { local, mtu, queue, offload });
}

/** The MTU of a tunnel over a path MTU of 1500. */
export function vxlanMtu(remotes: readonly string[]): number {
  const isV6 = parseHostEndpoint("remotes", remotes[0] ?? "0.0.0.0", PORT).hostname.includes(":");
  return 1500 - (isV6 ? 40 : 20) - 8 - HEADER - ETHERNET_HEADER;
}

type VxlanCount =
  | "drop.vxlan-short" // shorter than both headers
  | "drop.vxlan-flags" // without a network identifier              RFC 7348 5
  | "drop.vxlan-vni" // for another network
  | "drop.vxlan-remote" // from an unknown endpoint
  | "drop.no-remote"; // no endpoint is known yet

class Vxlan implements Encapsulation {
  readonly name: string;
  readonly headerSize: number = HEADER;
  readonly #vni: number;
  /** Endpoints by address; the source port of their datagrams is not significant. */
  readonly #remotes: Map<string, HostPort>;
  readonly #learnsRemotes: boolean;
  /** Endpoint of each station, in order of the last frame. */
  readonly #stations = new Map<number, HostPort>();
  readonly #counts = new Counts<VxlanCount>();

  constructor(vni: number, remotes: readonly HostPort[], local: HostPort) {
    this.name = `VXLAN ${vni} at ${formatHostPort(local)}`;
    this.#vni = vni;
    this.#remotes = new Map(remotes.map((remote) => [remote.hostname, remote]));
    this.#learnsRemotes = remotes.length === 0;
  }

  destinations(frame: Uint8Array): Iterable<HostPort> {
    const station = this.#stations.get(readMac(frame, 0));
    if (station !== undefined) return [station];
    if (this.#remotes.size === 0) this.#counts.add("drop.no-remote");
    return this.#remotes.values();
  }

  writeHeader(datagram: Uint8Array): void {
    writeU32(datagram, 0, VALID_VNI << 24);
    writeU32(datagram, 4, this.#vni << 8);
  }

  accepts(datagram: Uint8Array, { hostname }: HostPort): boolean {
    if (datagram.length < HEADER + ETHERNET_HEADER) return this.#drop("drop.vxlan-short");
    // Reserved bits are ignored (RFC 7348 5).
    if ((datagram[0]! & VALID_VNI) === 0) return this.#drop("drop.vxlan-flags");
    if (readU32(datagram, 4) >>> 8 !== this.#vni) return this.#drop("drop.vxlan-vni");
    const remote = this.#remotes.get(hostname) ?? this.#learnRemote(hostname);
    if (remote === undefined) return this.#drop("drop.vxlan-remote");
    this.#learnStation(readMac(datagram, HEADER + 6), remote);
    return true;
  }

  stats(): Readonly<Record<string, number>> {
    return this.#counts.snapshot();
  }

  #learnRemote(hostname: string): HostPort | undefined {
    if (!this.#learnsRemotes || this.#remotes.size >= MAX_REMOTES) return undefined;
    const remote = { hostname, port: PORT };
    this.#remotes.set(hostname, remote);
    return remote;
  }

  /** RFC 7348 4.1. */
  #learnStation(mac: number, remote: HostPort): void {
    if (isGroupMac(mac) || this.#stations.get(mac) === remote) return;
    this.#stations.delete(mac);
    if (this.#stations.size >= MAX_STATIONS) {
      this.#stations.delete(this.#stations.keys().next().value!);
    }
    this.#stations.set(mac, remote);
  }

  #drop(reason: VxlanCount): false {
    this.#counts.add(reason);
    return false;
  }
}
