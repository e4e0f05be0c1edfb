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

/** What {@link ethernet} takes. */
export interface EthernetOptions {
  /**
   * Own addresses in CIDR form, as the stack's: these are answered for. An address that is its
   * subnet's network stands for every address in the subnet.
   */
  addresses: readonly string[];
  /**
   * Addresses and networks in the own networks that are others': `"10.9.0.1"`, `"10.9.7.0/24"`. An
   * address that is not its network's is that address alone, whatever the prefix length.
   */
  exceptAddresses?: readonly string[];
  /** Routers for what is in none of the subnets, one IPv4 and one IPv6 address at most. */
  gateways?: readonly string[];
  /** This station's link-layer address; default one that follows from the first address. */
  mac?: string;
  /** Link-layer addresses of neighbors that are not to be asked for, by IP address. */
  neighbors?: Readonly<Record<string, string>>;
  /** Neighbors that are remembered, at most; default 1024. */
  maxNeighbors?: number;
  /**
   * Own addresses are used once nobody else on the link has turned out to have them (RFC 5227, RFC 4862
   * 5.4), which takes 4 to 7 s with IPv4 and 1 to 2 s with IPv6; default true. Networks that are own as
   * a whole are never probed.
   */
  probe?: boolean;
  /** Told of own addresses that another station has. Default nobody. */
  log?: Logger;
  /** Tells the time. Default the runtime's. */
  clock?: Clock;
  /** Chooses when to probe. Default the runtime's. */
  random?: Random;
}

/** The same, checked. */
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
 * What a user wrote, checked.
 *
 * @throws {TypeError} Something cannot be; the message says what would.
 * @throws {RangeError} `maxNeighbors` is out of range.
 */
export function parseEthernetOptions(options: EthernetOptions): EthernetPlan {
  const { exceptAddresses = [], gateways = [], neighbors = {}, maxNeighbors = 1024 } = options;
  const addresses = options.addresses.map((text) => parseSubnet("addresses", text));
  const routers = gateways.map((text) => parseAddress("gateways", text));
  if (new Set(routers.map(({ version }) => version)).size < routers.length) {
    throw new TypeError("gateways: there can be one for IPv4 and one for IPv6");
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

/** A network, or the one address. */
export function placeOf(subnet: Subnet): Subnet {
  return subnet.isNetwork ? subnet : Subnet.of(subnet.address);
}

/** Checks one of the addresses that a link answers for. */
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
    `${option}: "${text}" is not a station's address such as 02:00:00:00:00:01, whose first digits ` +
      "are even",
  );
}

/**
 * A locally administered address. The same addresses give the same one, so that neighbors still
 * know it after a restart.
 */
function macFor(addresses: readonly Subnet[]): number {
  const [first] = addresses;
  if (first === undefined) throw new TypeError("addresses: there has to be one");
  const bytes = new Uint8Array(16);
  const length = first.address.write(bytes, 0);
  let hash = 0x811c9dc5; // FNV-1a
  for (let i = 0; i < length; i++) hash = Math.imul(hash ^ bytes[i]!, 0x01000193);
  return 0x02be_0000_0000 + (hash >>> 0);
}
