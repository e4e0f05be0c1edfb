import {
  type Clock,
  type Logger,
  type Random,
  silentLogger,
  systemClock,
  systemRandom,
} from "../../../core/api/environment.ts";
import { IpAddress, Subnet } from "../../../core/wire/address.ts";
import { isStationMac, parseMac } from "../../../core/wire/ethernet.ts";
import { requireInteger } from "../integer_option.ts";

/** Options of {@link ethernet}. */
export interface EthernetOptions {
  /**
   * Own addresses in CIDR notation, the same as the stack's. A network address stands for every
   * address in its subnet.
   */
  addresses: readonly string[];
  /**
   * Addresses and networks inside `addresses` that belong to other stations: `"10.9.0.1"`,
   * `"10.9.7.0/24"`. Anything but a network address stands for a single address, whatever its
   * prefix length.
   */
  exceptAddresses?: readonly string[];
  /** Gateways for addresses outside of the own networks: at most one IPv4 and one IPv6 address. Default: none. */
  gateways?: readonly string[];
  /** This station's link-layer address; by default derived from the first address. */
  mac?: string;
  /** Permanent entries of the neighbor cache: link-layer addresses by IP address. */
  neighbors?: Readonly<Record<string, string>>;
  /** Maximum number of neighbors in the cache. Default 1024. */
  maxNeighbors?: number;
  /**
   * Whether own addresses are probed for duplicates before they are used (RFC 5227, RFC 4862 5.4),
   * which takes 4 to 7 s with IPv4 and 1 to 2 s with IPv6. Default true. Own networks are never
   * probed.
   */
  probe?: boolean;
  /** Logs conflicts with other stations about own addresses. Default: no log. */
  log?: Logger;
  /** The clock, which must be the stack's. Default the runtime's. */
  clock?: Clock;
  /** Randomness for the times of probes. Default the runtime's. */
  random?: Random;
}

/** Validated {@link EthernetOptions}. */
export interface EthernetPlan {
  readonly addresses: readonly Subnet[];
  readonly except: readonly Subnet[];
  readonly gateways: readonly IpAddress[];
  readonly mac: number;
  readonly neighbors: readonly (readonly [address: IpAddress, mac: number])[];
  readonly maxNeighbors: number;
  readonly probe: boolean;
  readonly log: Logger;
  readonly clock: Clock;
  readonly random: Random;
}

/**
 * Validates the options.
 *
 * @throws {TypeError} An option is invalid; the message says what is valid.
 * @throws {RangeError} `maxNeighbors` is out of range.
 */
export function parseEthernetOptions(options: EthernetOptions): EthernetPlan {
  const { exceptAddresses = [], gateways = [], neighbors = {}, maxNeighbors = 1024 } = options;
  const addresses = options.addresses.map((text) => parseSubnet("addresses", text));
  const routers = gateways.map((text) => parseAddress("gateways", text));
  if (new Set(routers.map(({ version }) => version)).size < routers.length) {
    throw new TypeError("gateways: at most one for IPv4 and one for IPv6");
  }
  requireInteger("maxNeighbors", maxNeighbors, 1, 65_536);
  const known = Object.entries(neighbors);
  if (known.length > maxNeighbors) {
    throw new TypeError(
      `neighbors: there are ${known.length}, but maxNeighbors is ${maxNeighbors}`,
    );
  }
  return {
    addresses,
    except: exceptAddresses.map((text) => placeOf(parseSubnet("exceptAddresses", text))),
    gateways: routers,
    mac: options.mac === undefined ? macFor(addresses) : parseStation("mac", options.mac),
    neighbors: known.map(([address, mac]) =>
      [parseAddress("neighbors", address), parseStation("neighbors", mac)] as const
    ),
    maxNeighbors,
    probe: parseBoolean("probe", options.probe ?? true),
    log: options.log ?? silentLogger,
    clock: options.clock ?? systemClock,
    random: options.random ?? systemRandom,
  };
}

function parseBoolean(option: string, value: unknown): boolean {
  if (typeof value === "boolean") return value;
  throw new TypeError(`${option}: ${JSON.stringify(value)} is not true or false`);
}

/** The subnet itself if it is a network, otherwise the subnet of its single address. */
export function placeOf(subnet: Subnet): Subnet {
  return subnet.isNetwork ? subnet : Subnet.of(subnet.address);
}

/** Validates one of the station's addresses. */
export function parseSubnet(option: string, text: string): Subnet {
  const subnet = Subnet.parse(text);
  if (subnet !== undefined) return subnet;
  throw new TypeError(`${option}: "${text}" is not an address such as 10.7.0.2/24 or fd00::2/64`);
}

function parseAddress(option: string, text: string): IpAddress {
  const address = IpAddress.parse(text);
  if (address?.isUnicast) return address;
  throw new TypeError(`${option}: "${text}" is not an address such as 10.7.0.1 or fd00::1`);
}

function parseStation(option: string, text: string): number {
  const mac = parseMac(text);
  if (mac !== undefined && isStationMac(mac)) return mac;
  throw new TypeError(
    `${option}: "${text}" is not a unicast MAC address such as 02:00:00:00:00:01, whose first byte ` +
      "is even",
  );
}

/**
 * A locally administered address derived from the IP addresses, so that it stays the same after a
 * restart.
 */
function macFor(addresses: readonly Subnet[]): number {
  const [first] = addresses;
  if (first === undefined) throw new TypeError("addresses: at least one is required");
  const bytes = new Uint8Array(16);
  const length = first.address.write(bytes, 0);
  let hash = 0x811c9dc5; // FNV-1a
  for (let i = 0; i < length; i++) hash = Math.imul(hash ^ bytes[i]!, 0x01000193);
  return 0x02be_0000_0000 + (hash >>> 0);
}
