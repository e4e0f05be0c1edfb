import type { Clock, Logger } from "../../../core/api/environment.ts";
import {
  type Link,
  type LinkFeatures,
  OutgoingPacket,
  type PacketBatch,
} from "../../../core/stack/link.ts";
import { IpAddress } from "../../../core/wire/address.ts";
import { readI32 } from "../../../core/wire/bytes.ts";
import {
  BROADCAST_MAC,
  emitEthernetHeader,
  ETHER_TYPE,
  ETHERNET_HEADER,
  formatMac,
  isGroupMac,
  multicastMac,
  readEtherType,
  readMac,
} from "../../../core/wire/ethernet.ts";
import { isNeighborMessage } from "../../../core/wire/neighbor_discovery.ts";
import { StationAddresses } from "./addresses.ts";
import { Counts, type EthernetCount } from "./counts.ts";
import { type DuplicateAddress, DuplicateDetection } from "./duplicate_detection.ts";
import type { FramePort } from "./frame_port.ts";
import type { NeighborEntry } from "./neighbor.ts";
import { NeighborProtocol } from "./neighbor_protocol.ts";
import { type EthernetOptions, parseEthernetOptions, parseSubnet, placeOf } from "./options.ts";
import { Resolver } from "./resolver.ts";
import { Undeliverable } from "./undeliverable.ts";

const { HEADROOM } = OutgoingPacket;

/**
 * An Ethernet link: IP packets over a frame port; created by `ethernet()`.
 *
 * @example
 * ```ts
 * import { ethernet, type EthernetLink, framePortPair } from "@berth/berth/links";
 *
 * const [here, there] = framePortPair();
 * await using link: EthernetLink = ethernet(here, { addresses: ["10.0.0.1/24"], probe: false });
 * link.addAddress("10.0.0.9/24"); // ARP requests for it are answered from now on
 * console.log(link.neighbors, link.stats());
 * await there.close();
 * ```
 */
export class EthernetLink implements Link {
  /** The port's name. */
  readonly name: string;
  /** The port's features. */
  readonly features: LinkFeatures;
  /** Whether the port is full; see `FramePort`. */
  readonly isFull?: (onRoom: () => void) => boolean;
  readonly #port: FramePort;
  readonly #clock: Clock;
  readonly #mac: number;
  readonly #addresses: StationAddresses;
  readonly #counts = new Counts<EthernetCount>();
  readonly #resolver: Resolver;
  readonly #detection: DuplicateDetection;
  readonly #probes: boolean;
  readonly #log: Logger;
  readonly #talk: NeighborProtocol;
  readonly #undeliverable = new Undeliverable();
  /** The frame buffers of the last batch, and the packet views in them, for reuse. */
  readonly #frames: Uint8Array<ArrayBuffer>[] = [];
  readonly #packets: Uint8Array<ArrayBuffer>[] = [];
  /** The last destination that was reached through a gateway, and that gateway. */
  #far: { readonly destination: IpAddress; readonly gateway: IpAddress } | undefined;
  #cancelTimer: (() => void) | undefined;
  #timerAt = Infinity;
  #isClosed = false;

  /** Called by `ethernet()`. */
  constructor(port: FramePort, options: EthernetOptions) {
    const plan = parseEthernetOptions(options);
    this.name = port.name;
    this.features = port.features;
    if (port.isFull) this.isFull = (onRoom) => port.isFull!(onRoom);
    this.#port = port;
    this.#clock = plan.clock;
    this.#mac = plan.mac;
    this.#probes = plan.probe;
    this.#log = plan.log;
    this.#detection = new DuplicateDetection(plan.random, {
      probe: (address) => this.#talk.probe(address),
      announce: (address) => this.#talk.announce(address),
      found: ({ address, mac }) =>
        this.#log.error(
          `${address} is in use by the station ${mac} on ${port.name}, and is not used here`,
        ),
      schedule: (at) => this.#schedule(at),
    });
    this.#addresses = new StationAddresses(plan, this.#detection);
    this.#resolver = new Resolver(plan.maxNeighbors, {
      ask: (neighbor, mac) => this.#talk.ask(neighbor, mac),
      release: (packet, neighbor) => void this.#sendTo(packet, neighbor.mac),
      drop: (packet, _neighbor, reason) => {
        this.#counts.add(`drop.${reason}`);
        if (reason === "unreachable") this.#undeliverable.add(packet);
      },
      schedule: (at) => this.#schedule(at),
    });
    this.#talk = new NeighborProtocol({
      mac: plan.mac,
      addresses: this.#addresses,
      resolver: this.#resolver,
      detection: this.#detection,
      log: plan.log,
      counts: this.#counts,
      send: (packet, mac, type) => void this.#sendAs(packet, mac, type),
    });
    for (const [address, mac] of plan.neighbors) this.#resolver.setPermanent(address, mac);
    for (const address of this.#addresses.single) this.#begin(address);
  }

  /**
   * Adds an address in CIDR notation, probes it and announces it. Call the stack's
   * `addAddress()` as well.
   *
   * @throws {TypeError} The argument is not an address.
   */
  addAddress(cidr: string): void {
    const subnet = parseSubnet("addAddress", cidr);
    this.#addresses.add(subnet);
    this.#far = undefined;
    if (this.#addresses.single.includes(subnet.address)) this.#begin(subnet.address);
  }

  /**
   * Stops answering for an address or network.
   *
   * @throws {TypeError} The argument is not an address.
   */
  removeAddress(address: string): void {
    const place = placeOf(parseSubnet("removeAddress", address));
    this.#addresses.remove(place);
    this.#detection.stop(place.address);
    this.#far = undefined;
  }

  /**
   * Waits until all own addresses have been probed, and resolves with the duplicates, which are not used. Requires a
   * stack on the link, because only a stack makes the link receive.
   */
  async probed(): Promise<readonly DuplicateAddress[]> {
    await this.#detection.untilSettled();
    return this.#detection.duplicates;
  }

  #begin(address: IpAddress): void {
    if (!this.#probes) return this.#talk.announce(address);
    this.#log.debug(`probing ${address} on ${this.name}`);
    this.#detection.start(address, this.#clock.now());
  }

  /** A snapshot of the neighbor cache. */
  get neighbors(): readonly NeighborEntry[] {
    return Array.from(this.#resolver.neighbors, ({ address, mac, state }) => ({
      address: address.toString(),
      mac: state === "INCOMPLETE" ? undefined : formatMac(mac),
      state,
    }));
  }

  /** Counters by name, including those of the port. */
  stats(): Readonly<Record<string, number>> {
    return { ...this.#port.stats?.(), ...this.#counts.snapshot() };
  }

  /**
   * Receives packets, and handles ARP and neighbor discovery. Packets whose neighbor does not
   * answer come back as ICMP errors.
   */
  receive(batch: PacketBatch): number {
    if (this.#isClosed) return 0;
    const errors = this.#undeliverable.receive(batch);
    if (errors > 0) return errors;
    for (;;) {
      const count = this.#port.receive(batch);
      if (count === 0) return 0;
      const kept = this.#takeIn(batch, count);
      if (kept > 0) return kept;
    }
  }

  /** See `Link`; resolves with true even if only ARP or neighbor discovery messages have arrived. */
  ready(): Promise<boolean> {
    return this.#undeliverable.ready(this.#port);
  }

  /** Sends a packet; it is queued while its neighbor is being resolved. */
  send(packet: OutgoingPacket): boolean {
    if (this.#isClosed) return false;
    if (this.#detection.isWithholding && this.#isWithheld(packet)) return false;
    const { header } = packet;
    const isV4 = header[HEADROOM]! >>> 4 === 4;
    const at = HEADROOM + (isV4 ? 16 : 24);
    const w0 = isV4 ? 0 : readI32(header, at);
    const w1 = isV4 ? 0 : readI32(header, at + 4);
    const w2 = isV4 ? 0xffff : readI32(header, at + 8);
    const w3 = readI32(header, isV4 ? at : at + 12);
    const neighbor = this.#resolver.known(w0, w1, w2, w3, this.#clock.now());
    return neighbor !== undefined
      ? this.#sendTo(packet, neighbor.mac)
      : this.#route(packet, new IpAddress(w0, w1, w2, w3));
  }

  /** Closes the port. */
  close(): Promise<void> {
    this.#isClosed = true;
    this.#cancelTimer?.();
    this.#resolver.close();
    this.#detection.close();
    return this.#port.close();
  }

  /** The same as {@link close}. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #route(packet: OutgoingPacket, destination: IpAddress): boolean {
    if (destination.isMulticast) return this.#sendTo(packet, multicastMac(destination));
    if (this.#addresses.isBroadcast(destination)) return this.#sendTo(packet, BROADCAST_MAC);
    const hop = this.#nextHop(destination);
    if (hop === undefined) {
      this.#undeliverable.add(packet);
      return this.#drop("drop.no-route");
    }
    const now = this.#clock.now();
    const neighbor = this.#resolver.known(hop.w0, hop.w1, hop.w2, hop.w3, now);
    if (neighbor !== undefined) return this.#sendTo(packet, neighbor.mac);
    return this.#resolver.wait(hop, sourceOf(packet), packet, now) || this.#drop("drop.neighbors");
  }

  /**
   * RFC 4862 5.4: nothing is sent from a tentative or duplicate address. For a duplicate, the
   * sender gets an ICMP error.
   */
  #isWithheld(packet: OutgoingPacket): boolean {
    const reason = this.#detection.reasonFor(sourceOf(packet));
    if (reason === undefined) return false;
    if (reason === "drop.duplicate") this.#undeliverable.add(packet);
    this.#counts.add(reason);
    return true;
  }

  #nextHop(destination: IpAddress): IpAddress | undefined {
    if (this.#far?.destination.equals(destination)) return this.#far.gateway;
    const hop = this.#addresses.nextHop(destination);
    if (hop !== undefined && hop !== destination) this.#far = { destination, gateway: hop };
    return hop;
  }

  #sendTo(packet: OutgoingPacket, mac: number): boolean {
    const isV4 = packet.header[HEADROOM]! >>> 4 === 4;
    return this.#sendAs(packet, mac, isV4 ? ETHER_TYPE.IPV4 : ETHER_TYPE.IPV6);
  }

  #sendAs(packet: OutgoingPacket, mac: number, type: number): boolean {
    emitEthernetHeader(packet.header, HEADROOM, mac, this.#mac, type);
    return this.#port.send(packet) || this.#drop("drop.port");
  }

  #drop(reason: EthernetCount): false {
    this.#counts.add(reason);
    return false;
  }

  /** Moves the stack's packets to the start of the batch; returns their number. */
  #takeIn(batch: PacketBatch, count: number): number {
    let kept = 0;
    for (let i = 0; i < count; i++) {
      const size = batch.sizes[i]!;
      const frame = batch.packets[i]!;
      if (!this.#isForHost(frame, size)) continue;
      batch.packets[kept] = this.#packetIn(frame, i);
      batch.sizes[kept] = size - ETHERNET_HEADER;
      batch.checksums[kept] = batch.checksums[i]!;
      batch.segmentSizes[kept] = batch.segmentSizes[i]!;
      kept++;
    }
    return kept;
  }

  /** Whether the frame holds a packet for the stack; others are handled here. */
  #isForHost(frame: Uint8Array<ArrayBuffer>, size: number): boolean {
    if (size < ETHERNET_HEADER) return this.#drop("drop.short");
    const destination = readMac(frame, 0);
    const isGroup = isGroupMac(destination);
    if (destination !== this.#mac && !isGroup) return this.#drop("drop.station");
    if (readMac(frame, 6) === this.#mac) return this.#drop("drop.own");
    const now = this.#clock.now();
    switch (readEtherType(frame, 0)) {
      case ETHER_TYPE.ARP:
        this.#talk.handleArp(frame, size, now);
        return false;
      case ETHER_TYPE.IPV6:
        if (isNeighborMessage(frame, ETHERNET_HEADER, size)) {
          this.#talk.handleNeighborDiscovery(frame, size, now);
          return false;
        }
        if (isGroup && frame[ETHERNET_HEADER + 24] !== 0xff) return this.#drop("drop.group");
        return !this.#detection.isWithholding || this.#isUsable(frame, size);
      case ETHER_TYPE.IPV4:
        if (isGroup && !this.#isGroupV4(frame)) return this.#drop("drop.group");
        return !this.#detection.isWithholding || this.#isUsable(frame, size);
      default:
        return this.#drop("drop.type");
    }
  }

  /** RFC 4862 5.4: packets to a tentative or duplicate address are dropped. */
  #isUsable(frame: Uint8Array, size: number): boolean {
    const isV4 = readEtherType(frame, 0) === ETHER_TYPE.IPV4;
    if (size < ETHERNET_HEADER + (isV4 ? 20 : 40)) return true;
    const destination = isV4
      ? IpAddress.readV4(frame, ETHERNET_HEADER + 16)
      : IpAddress.readV6(frame, ETHERNET_HEADER + 24);
    const reason = this.#detection.reasonFor(destination);
    return reason === undefined || this.#drop(reason);
  }

  #isGroupV4(frame: Uint8Array): boolean {
    const destination = IpAddress.readV4(frame, ETHERNET_HEADER + 16);
    return destination.isMulticast || this.#addresses.isBroadcast(destination);
  }

  /** Reuses the view of the previous batch if the port reuses its buffer. */
  #packetIn(frame: Uint8Array<ArrayBuffer>, index: number): Uint8Array<ArrayBuffer> {
    if (this.#frames[index] !== frame) {
      this.#frames[index] = frame;
      this.#packets[index] = frame.subarray(ETHERNET_HEADER);
    }
    return this.#packets[index]!;
  }

  #schedule(at: number): void {
    if (at >= this.#timerAt || this.#isClosed) return;
    this.#cancelTimer?.();
    this.#timerAt = at;
    this.#cancelTimer = this.#clock.schedule(at, () => {
      this.#timerAt = Infinity;
      this.#resolver.handleTimeout(this.#clock.now());
      this.#detection.handleTimeout(this.#clock.now());
    });
  }
}

function sourceOf({ header }: OutgoingPacket): IpAddress {
  return header[HEADROOM]! >>> 4 === 4
    ? IpAddress.readV4(header, HEADROOM + 12)
    : IpAddress.readV6(header, HEADROOM + 8);
}
