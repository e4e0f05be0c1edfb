import { formatHostPort } from "../../../../core/api/host_port.ts";
import { IpAddress } from "../../../../core/wire/address.ts";
import { readU16 } from "../../../../core/wire/bytes.ts";
import type { IpHeader } from "../../../../core/wire/ip.ts";
import { PROTOCOL } from "../../../../core/wire/ip.ts";
import type { Direction } from "./blocks.ts";

/** A TCP connection or UDP flow whose first packet is being recorded. */
export interface CapturedConnection {
  /** The transport protocol. */
  readonly transport: "tcp" | "udp";
  /** The endpoint on this side of the link. */
  readonly local: { readonly hostname: string; readonly port: number };
  /** The endpoint on the other side. */
  readonly remote: { readonly hostname: string; readonly port: number };
}

/** Returns a name for a connection, or `undefined` if it has none. */
export type NameConnection = (connection: CapturedConnection) => string | undefined;

/**
 * Maximum number of connections remembered. Beyond it the oldest are forgotten, and count as new
 * with their next packet.
 */
const MAX_CONNECTIONS = 65_536;
const SYN_AND_ACK = 0x12;
const SYN = 0x02;

/** Remembers the connections seen, to comment the first packet of each. */
export class SeenConnections {
  readonly #name: NameConnection;
  readonly #seen = new Set<string>();

  constructor(name: NameConnection) {
    this.#name = name;
  }

  /**
   * The comment for a packet with header `ip`; `undefined` unless it is the first of its
   * connection.
   */
  commentFor(ip: IpHeader, packet: Uint8Array, direction: Direction): string | undefined {
    if (!this.#isFirst(ip, packet, direction)) return undefined;
    const [source, destination] = [sourceOf(ip, packet), destinationOf(ip, packet)];
    const [local, remote] = direction === "out" ? [source, destination] : [destination, source];
    const transport = ip.protocol === PROTOCOL.TCP ? "tcp" : "udp";
    const name = this.#name({ transport, local, remote });
    const where = `${transport} ${formatHostPort(source)} > ${formatHostPort(destination)}`;
    return name === undefined ? where : `${where} ${name}`;
  }

  #isFirst(ip: IpHeader, packet: Uint8Array, direction: Direction): boolean {
    const { TCP, UDP } = PROTOCOL;
    // Later fragments have no ports.
    if (ip.isFragment && ip.fragmentOffset > 0) return false;
    if (ip.protocol !== TCP && ip.protocol !== UDP) return false;
    if (ip.payloadEnd - ip.payloadStart < (ip.protocol === TCP ? 20 : 8)) return false;
    const key = keyOf(ip, packet, direction);
    const isKnown = this.#seen.has(key);
    if (!isKnown) this.#remember(key);
    // A SYN for known addresses and ports opens a new connection.
    return !isKnown || (ip.protocol === TCP && isOpening(packet, ip.payloadStart));
  }

  #remember(key: string): void {
    if (this.#seen.size >= MAX_CONNECTIONS) {
      this.#seen.delete(this.#seen.values().next().value!);
    }
    this.#seen.add(key);
  }
}

function isOpening(packet: Uint8Array, at: number): boolean {
  return (packet[at + 13]! & SYN_AND_ACK) === SYN;
}

/** Key of a connection, the same for both directions. */
function keyOf(ip: IpHeader, packet: Uint8Array, direction: Direction): string {
  const { s0, s1, s2, s3, d0, d1, d2, d3, payloadStart } = ip;
  const source = `${s0},${s1},${s2},${s3},${readU16(packet, payloadStart)}`;
  const destination = `${d0},${d1},${d2},${d3},${readU16(packet, payloadStart + 2)}`;
  const [local, remote] = direction === "out" ? [source, destination] : [destination, source];
  return `${ip.protocol} ${local} ${remote}`;
}

function sourceOf({ s0, s1, s2, s3, payloadStart }: IpHeader, packet: Uint8Array) {
  const hostname = new IpAddress(s0, s1, s2, s3).toString();
  return { hostname, port: readU16(packet, payloadStart) };
}

function destinationOf({ d0, d1, d2, d3, payloadStart }: IpHeader, packet: Uint8Array) {
  const hostname = new IpAddress(d0, d1, d2, d3).toString();
  return { hostname, port: readU16(packet, payloadStart + 2) };
}
