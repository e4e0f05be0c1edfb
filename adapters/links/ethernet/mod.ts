/**
 * Ethernet: a link of IP packets over whatever carries frames.
 *
 * @module
 */
import type { FramePort } from "./frame_port.ts";
import { EthernetLink } from "./link.ts";
import type { EthernetOptions } from "./options.ts";

export type { DuplicateAddress } from "./duplicate_detection.ts";
export { EthernetLink } from "./link.ts";
export type { FramePort } from "./frame_port.ts";
export type { NeighborEntry, NeighborState } from "./neighbor.ts";
export type { EthernetOptions } from "./options.ts";

/**
 * Makes a link of Ethernet frames: answers ARP and neighbor discovery, and asks by them.
 *
 * Own addresses, whole subnets included, are answered for (RFC 826, RFC 4861), probes for
 * duplicates too (RFC 5227, RFC 4862). A single own address is probed before it is used, for 4 to 7 s
 * with IPv4 and 1 to 2 s with IPv6: `probed()` waits for that; `probe: false` skips it where nobody else
 * can be on the link. An address that another station has is not used, and `log` says so. A station
 * that claims an own address later is answered, at most once in 10 s. Neighbors are resolved when a
 * packet goes to them, and kept in the states of RFC 4861 7.3. Only stations that answer a question of
 * this link or ask it one update the cache, within the link's subnets. An unsolicited claim makes the
 * link probe the known neighbor, which keeps its place while it answers.
 *
 * Bounds: `maxNeighbors` neighbors, of which 128 are being asked for; 16 packets wait for one of
 * them, 4 MiB for all; a question is asked three times, once a second. `stats()` counts every drop.
 * The clock has to be the stack's.
 *
 * @throws {TypeError} An option cannot be; the message says what would.
 * @throws {RangeError} `maxNeighbors` is out of range.
 *
 * @example
 * ```ts
 * import { createStack, echo, ethernet, framePortPair } from "@berth/berth";
 *
 * const [here, there] = framePortPair();
 * const addresses = ["10.0.0.1/24"];
 * // A cable with two ends: nobody else can have the address.
 * const link = ethernet(here, { addresses, probe: false });
 * await using server = createStack({ link, addresses });
 * server.use(7, echo());
 *
 * const others = ["10.0.0.2/24"];
 * await using client = createStack({
 *   link: ethernet(there, { addresses: others, gateways: ["10.0.0.254"], probe: false }),
 *   addresses: others,
 * });
 * await using socket = client.connect("10.0.0.1:7");
 * await socket.opened;
 * ```
 */
export function ethernet(port: FramePort, options: EthernetOptions): EthernetLink {
  return new EthernetLink(port, options);
}
