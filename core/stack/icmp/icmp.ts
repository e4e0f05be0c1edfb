/**
 * ICMP and ICMPv6 input: answers echo requests, and passes errors to the connection, flow or socket
 * that they concern.
 *
 * @module
 */
import { takeNetworkError } from "../../tcp/path_mtu.ts";
import { addBytes, fold } from "../../wire/checksum.ts";
import type { DropReason } from "../../wire/drop_reason.ts";
import { IcmpMessage, parseIcmp } from "../../wire/icmp.ts";
import { type IpHeader, payloadChecksumHolds, PROTOCOL } from "../../wire/ip.ts";
import type { Demux } from "../demux.ts";
import { echoReply, type Packet } from "../replies.ts";
import type { Connections } from "../tcp/connections.ts";
import type { TcpTables } from "../tcp/tcp_input.ts";
import type { UdpLayer } from "../udp/udp_layer.ts";
import type { IcmpPolicy } from "./icmp_policy.ts";
import { parseQuoted, type QuotedPacket } from "./quoted.ts";

/** Result of handling a message. */
export interface IcmpOutcome {
  /** Why it was dropped, if it was. */
  readonly drop?: DropReason;
  /** The packet to send. */
  readonly reply?: Packet;
  /** The quoted packet, if it belongs to no connection or flow of this stack. */
  readonly quoted?: QuotedPacket;
}

/** Handles received messages. */
export class Icmp {
  readonly #message = new IcmpMessage();
  readonly #demux: Demux;
  readonly #connections: Connections;
  readonly #udp: UdpLayer;
  readonly #policy: IcmpPolicy;
  readonly #hopLimit: number;

  constructor(
    { demux, connections }: Pick<TcpTables, "demux" | "connections">,
    udp: UdpLayer,
    policy: IcmpPolicy,
    hopLimit: number,
  ) {
    this.#hopLimit = hopLimit;
    this.#demux = demux;
    this.#connections = connections;
    this.#udp = udp;
    this.#policy = policy;
  }

  receive(ip: IpHeader, packet: Uint8Array, now: number): IcmpOutcome {
    if (ip.payloadEnd - ip.payloadStart < 8) return { drop: "icmp-short" };
    if (!checksumHolds(ip, packet)) return { drop: "icmp-checksum" };
    parseIcmp(ip.version, packet, ip.payloadStart, this.#message);
    if (this.#message.meaning === "echo-request") {
      const refused = this.#policy.refusalOfEcho(ip, now);
      if (refused !== undefined) return { drop: refused };
      return { reply: echoReply(ip, packet, this.#hopLimit) };
    }
    return this.#message.meaning === "other" ? { drop: "icmp-type" } : this.#error(ip, packet, now);
  }

  #error(ip: IpHeader, packet: Uint8Array, now: number): IcmpOutcome {
    const quoted = parseQuoted(packet, this.#message.bodyStart, ip.payloadEnd);
    if (quoted === undefined) return { drop: "icmp-no-connection" };
    const { protocol, local, localPort, remote, remotePort, seq } = quoted;
    const { meaning, mtu } = this.#message;
    if (protocol === PROTOCOL.UDP) {
      const isTaken = this.#udp.takeError(quoted, meaning, mtu, now);
      return isTaken ? {} : { drop: "icmp-no-connection", quoted };
    }
    const tcb = this.#demux.connections.get(local, localPort, remote, remotePort);
    if (tcb === undefined) return { drop: "icmp-no-connection", quoted };
    const isTaken = this.#connections.apply(takeNetworkError, tcb, meaning, mtu, seq);
    return isTaken ? {} : { drop: "icmp-no-connection" };
  }
}

/** Only the checksum of ICMPv6 covers a pseudo-header (RFC 4443 2.3). */
function checksumHolds(ip: IpHeader, packet: Uint8Array): boolean {
  if (ip.version === 6) return payloadChecksumHolds(ip, packet);
  return fold(addBytes(0, packet, ip.payloadStart, ip.payloadEnd)) === 0xffff;
}
