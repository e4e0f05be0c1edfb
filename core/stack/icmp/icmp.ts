/**
 * ICMP and ICMPv6: echo is answered, errors go to the connection, flow or socket they are
 * about.
 *
 * @module
 */
import { takeNetworkError } from "../../tcp/path_mtu.ts";
import type { Tcb } from "../../tcp/tcb.ts";
import { addBytes, fold } from "../../wire/checksum.ts";
import type { DropReason } from "../../wire/drop_reason.ts";
import { IcmpMessage, parseIcmp } from "../../wire/icmp.ts";
import { type IpHeader, payloadChecksumHolds, PROTOCOL } from "../../wire/ip.ts";
import type { Demux } from "../demux.ts";
import { echoReply, type Packet } from "../replies.ts";
import type { UdpLayer } from "../udp/udp_layer.ts";
import type { IcmpPolicy } from "./icmp_policy.ts";
import { parseQuoted, type QuotedPacket } from "./quoted.ts";

/** What handling a message came to. */
export interface IcmpOutcome {
  /** Why it was dropped, if it was. */
  readonly drop?: DropReason;
  /** What is to be sent. */
  readonly reply?: Packet;
  /** The connection that something was changed of. */
  readonly tcb?: Tcb;
  /** What it is about, of which there is no connection or flow here. */
  readonly quoted?: QuotedPacket;
}

/** Takes a message in. */
export class Icmp {
  readonly #message = new IcmpMessage();
  readonly #demux: Demux;
  readonly #udp: UdpLayer;
  readonly #policy: IcmpPolicy;
  readonly #hopLimit: number;

  constructor(demux: Demux, udp: UdpLayer, policy: IcmpPolicy, hopLimit: number) {
    this.#hopLimit = hopLimit;
    this.#demux = demux;
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
    if (!takeNetworkError(tcb, meaning, mtu, seq)) return { drop: "icmp-no-connection" };
    return { tcb };
  }
}

/** ICMPv6 alone counts a pseudo-header in (RFC 4443 2.3). */
function checksumHolds(ip: IpHeader, packet: Uint8Array): boolean {
  if (ip.version === 6) return payloadChecksumHolds(ip, packet);
  return fold(addBytes(0, packet, ip.payloadStart, ip.payloadEnd)) === 0xffff;
}
