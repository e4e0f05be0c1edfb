/**
 * ARP and neighbor discovery messages, sent and received.
 *
 * @module
 */
import type { Logger } from "../../../core/api/environment.ts";
import { OutgoingPacket } from "../../../core/stack/link.ts";
import { IpAddress } from "../../../core/wire/address.ts";
import { ARP_LENGTH, ArpMessage, emitArp, parseArp } from "../../../core/wire/arp.ts";
import {
  BROADCAST_MAC,
  ETHER_TYPE,
  ETHERNET_HEADER,
  formatMac,
  isStationMac,
  multicastMac,
  readMac,
} from "../../../core/wire/ethernet.ts";
import { IpHeader, parseIp } from "../../../core/wire/ip.ts";
import {
  ALL_NODES,
  emitAdvertisement,
  emitSolicitation,
  NeighborMessage,
  parseNeighborMessage,
  solicitedNode,
} from "../../../core/wire/neighbor_discovery.ts";
import type { StationAddresses } from "./addresses.ts";
import type { Counts, EthernetCount } from "./counts.ts";
import type { DuplicateDetection } from "./duplicate_detection.ts";
import type { Neighbor } from "./neighbor.ts";
import type { NeighborClaim, Resolver } from "./resolver.ts";

const { HEADROOM } = OutgoingPacket;
const { ANY_V6 } = IpAddress;

/** RFC 5227 1.1: minimum interval between defences of an address, in milliseconds. */
const DEFEND_INTERVAL = 10_000;
/**
 * Maximum number of addresses defended within that interval, which bounds the announcements that
 * claims can trigger.
 */
const MAX_DEFENDED = 256;

/** The station whose messages these are. */
export interface Station {
  readonly mac: number;
  readonly addresses: StationAddresses;
  readonly resolver: Resolver;
  readonly detection: DuplicateDetection;
  readonly log: Logger;
  readonly counts: Counts<EthernetCount>;
  /** Sends a frame. */
  send(packet: OutgoingPacket, mac: number, type: number): void;
}

/** ARP and neighbor discovery of one station. */
export class NeighborProtocol {
  readonly #station: Station;
  readonly #out = new OutgoingPacket();
  readonly #arp = new ArpMessage();
  readonly #reply = new ArpMessage();
  readonly #neighbor = new NeighborMessage();
  readonly #ip = new IpHeader();
  /** When each address was last defended, oldest first. */
  readonly #defendedAt = new Map<string, number>();

  constructor(station: Station) {
    this.#station = station;
  }

  /** Sends a request for a neighbor, to the station `mac` or to all. */
  ask({ address, source }: Neighbor, mac: number | undefined): void {
    const { counts, mac: ownMac } = this.#station;
    counts.add("requestsSent");
    if (address.isV4) {
      this.#sendArp(true, source.w3, mac ?? 0, address.w3, mac === undefined);
      return;
    }
    const destination = mac === undefined ? solicitedNode(address) : address;
    const length = emitSolicitation(
      this.#out.header,
      HEADROOM,
      source,
      destination,
      address,
      ownMac,
    );
    this.#send(length, mac ?? multicastMac(destination), ETHER_TYPE.IPV6);
  }

  /** Sends a probe for a tentative own address (RFC 5227 2.1.1, RFC 4862 5.4.2). */
  probe(address: IpAddress): void {
    this.#station.counts.add("probes");
    if (address.isV4) return this.#sendArp(true, 0, 0, address.w3, true);
    const destination = solicitedNode(address);
    const { header } = this.#out;
    const length = emitSolicitation(header, HEADROOM, ANY_V6, destination, address, -1);
    this.#send(length, multicastMac(destination), ETHER_TYPE.IPV6);
  }

  /** Announces an address of this station (RFC 5227 2.3, RFC 4861 7.2.6). */
  announce(address: IpAddress): void {
    if (address.isV4) this.#sendArp(true, address.w3, 0, address.w3, true);
    else this.#advertise(ALL_NODES, multicastMac(ALL_NODES), address);
  }

  /** Handles a received ARP frame. */
  handleArp(frame: Uint8Array, size: number, now: number): void {
    const { addresses, counts } = this.#station;
    const arp = this.#arp;
    if (!parseArp(frame, ETHERNET_HEADER, size, arp) || !isStationMac(arp.senderMac)) {
      return counts.add("drop.arp");
    }
    const sender = IpAddress.v4(arp.senderIp);
    const target = IpAddress.v4(arp.targetIp);
    // RFC 5227 2.1.1: a station that probes an address does not have it yet.
    const isProbe = sender.isUnspecified && arp.isRequest;
    if (!isProbe && !sender.isUnicast) return counts.add("drop.arp");
    if (addresses.isOwn(sender)) return this.#defend(sender, arp.senderMac, now);
    // RFC 5227 2.1.1: a conflict with a station that has the address or is probing it too.
    if (this.#isTaken(sender, arp.senderMac)) return;
    if (isProbe && this.#isTaken(target, arp.senderMac)) return;
    const isForUs = addresses.isOwn(target);
    if (!isProbe) this.#handleClaim(sender, arp.senderMac, arpSays(arp, isForUs), target, now);
    if (!arp.isRequest || !isForUs) return;
    counts.add("requestsAnswered");
    this.#sendArp(false, arp.targetIp, arp.senderMac, arp.senderIp, false);
  }

  /** Handles a received neighbor discovery frame. */
  handleNeighborDiscovery(frame: Uint8Array<ArrayBuffer>, size: number, now: number): void {
    const { counts } = this.#station;
    const packet = frame.subarray(ETHERNET_HEADER, size);
    const isValid = parseIp(packet, packet.length, this.#ip) === undefined &&
      parseNeighborMessage(packet, this.#ip, this.#neighbor);
    const { mac, isSolicitation } = this.#neighbor;
    if (!isValid || (mac >= 0 && !isStationMac(mac))) return counts.add("drop.neighbor-discovery");
    if (isSolicitation) this.#handleSolicitation(readMac(frame, 6), now);
    else this.#handleAdvertisement(readMac(frame, 6), now);
  }

  #handleSolicitation(frameSource: number, now: number): void {
    const { addresses, counts } = this.#station;
    const { target, mac } = this.#neighbor;
    const { s0, s1, s2, s3 } = this.#ip;
    const source = new IpAddress(s0, s1, s2, s3);
    // RFC 4862 5.4.3: a probe by another station is a conflict; other requests are not answered
    // yet.
    if (source.isUnspecified && this.#isTaken(target, frameSource)) return;
    if (!addresses.isOwn(target)) return;
    counts.add("requestsAnswered");
    // RFC 4861 7.2.4: a probe comes from the unspecified address, so the answer goes to all nodes.
    if (source.isUnspecified) return this.#advertise(ALL_NODES, multicastMac(ALL_NODES), target);
    if (addresses.isOwn(source)) return this.#defend(source, frameSource, now);
    const asker = mac >= 0 ? mac : frameSource;
    if (mac >= 0) this.#handleClaim(source, mac, "request", target, now);
    if (isStationMac(asker)) this.#advertise(source, asker, target);
  }

  #handleAdvertisement(frameSource: number, now: number): void {
    const { addresses } = this.#station;
    const { target, mac, solicited, override } = this.#neighbor;
    const { d0, d1, d2, d3 } = this.#ip;
    const station = mac < 0 ? frameSource : mac;
    if (addresses.isOwn(target)) return this.#defend(target, station, now);
    if (this.#isTaken(target, station)) return;
    if (mac < 0) return this.#confirm(target, solicited, now);
    const says = solicited ? (override ? "override" : "reply") : "claim";
    this.#handleClaim(target, mac, says, new IpAddress(d0, d1, d2, d3), now);
  }

  /** RFC 4861 4.4: the answer to a unicast solicitation may omit the link-layer address. */
  #confirm(target: IpAddress, solicited: boolean, now: number): void {
    const known = this.#station.resolver.find(target);
    if (!solicited || known === undefined || known.state === "INCOMPLETE") return;
    this.#handleClaim(target, known.mac, "reply", known.source, now);
  }

  #handleClaim(
    address: IpAddress,
    mac: number,
    says: NeighborClaim,
    own: IpAddress,
    now: number,
  ): void {
    const { addresses, resolver, counts } = this.#station;
    const isHeard = address.isUnicast && addresses.isOnLink(address) &&
      resolver.handleClaim(address, mac, says, own, now);
    if (!isHeard) counts.add("drop.claim");
  }

  /** Whether a tentative address is in conflict with another station. */
  #isTaken(address: IpAddress, mac: number): boolean {
    const { detection, counts } = this.#station;
    if (!detection.isWithholding || !detection.conflict(address, mac)) return false;
    counts.add("drop.conflict");
    return true;
  }

  /**
   * Defends an address that another station claims, with limited frequency, and keeps it, since
   * clients are configured with it (RFC 5227 2.4 (c)).
   */
  #defend(address: IpAddress, mac: number, now: number): void {
    const { counts, log } = this.#station;
    counts.add("drop.conflict");
    const name = address.toString();
    for (const [other, at] of this.#defendedAt) {
      if (now - at < DEFEND_INTERVAL) break;
      this.#defendedAt.delete(other);
    }
    if (this.#defendedAt.has(name) || this.#defendedAt.size >= MAX_DEFENDED) return;
    this.#defendedAt.set(name, now);
    log.warn(
      `${name} is in use by the station ${formatMac(mac)} too; it was announced again`,
    );
    this.announce(address);
  }

  #advertise(destination: IpAddress, mac: number, target: IpAddress): void {
    const { header } = this.#out;
    const length = emitAdvertisement(header, HEADROOM, destination, target, this.#station.mac);
    this.#send(length, mac, ETHER_TYPE.IPV6);
  }

  #sendArp(
    isRequest: boolean,
    senderIp: number,
    targetMac: number,
    targetIp: number,
    toAllNodes: boolean,
  ): void {
    const senderMac = this.#station.mac;
    Object.assign(this.#reply, { isRequest, senderMac, senderIp, targetMac, targetIp });
    emitArp(this.#out.header, HEADROOM, this.#reply);
    this.#send(ARP_LENGTH, toAllNodes ? BROADCAST_MAC : targetMac, ETHER_TYPE.ARP);
  }

  #send(length: number, mac: number, type: number): void {
    this.#out.headerLength = this.#out.ipHeaderLength = length;
    this.#station.send(this.#out, mac, type);
  }
}

/**
 * A broadcast request for another address, or a gratuitous one, only claims the sender's address.
 */
function arpSays({ isRequest }: ArpMessage, isForUs: boolean): NeighborClaim {
  if (!isForUs) return "claim";
  return isRequest ? "request" : "override";
}
