/**
 * Ethernet: a link over anything that carries frames.
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
 * Turns a frame port into a link, with ARP (RFC 826) and neighbor discovery (RFC 4861).
 *
 * The link answers requests and probes for all of its addresses and networks. A single address is
 * probed for duplicates before it is used (RFC 5227, RFC 4862), which takes 4 to 7 s with IPv4 and
 * 1 to 2 s with IPv6: `probed()` waits for that; `probe: false` skips it where no other station can
 * have the address. An address that another station uses is not used, and `log` reports it. If a
 * station claims one of the addresses later, the link defends it, at most once in 10 s. Neighbors are
 * resolved on demand and kept in the states of RFC 4861 7.3. Only answers to this link's requests, and
 * requests to this link, update the cache, within the link's subnets. An unsolicited claim makes
 * the link probe the known neighbor, which stays in the cache as long as it answers.
 *
 * Bounds: `maxNeighbors` neighbors, of which 128 may be unresolved; 16 packets are queued for each
 * of these, 4 MiB for all; a request is sent three times, once a second. `stats()` counts every
 * drop. The clock must be the stack's.
 *
 * @throws {TypeError} An option is invalid; the message says what is valid.
 * @throws {RangeError} `maxNeighbors` is out of range.
 *
 * @example
 * ```ts
 * import { createStack } from "@berth/berth";
 * import { ethernet, framePortPair } from "@berth/berth/links";
 * import { echo } from "@berth/berth/plugins";
 *
 * const [here, there] = framePortPair();
 * const addresses = ["10.0.0.1/24"];
 * // A cable with two ends: no other station can have the address.
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
