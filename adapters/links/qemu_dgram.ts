import { formatHostPort, type HostPort } from "../../core/api/host_port.ts";
import { ETHERNET_HEADER } from "../../core/wire/ethernet.ts";
import { parseHostEndpoint } from "./endpoint.ts";
import { Counts } from "./ethernet/counts.ts";
import type { FramePort } from "./ethernet/frame_port.ts";
import { requireInteger } from "./integer_option.ts";
import { type Encapsulation, UdpPort } from "./udp_port.ts";

/** Options of {@link openQemuDgram}. */
export interface QemuDgramOptions {
  /** Address and port of the host to bind, such as `"127.0.0.1:5556"`. */
  local: string;
  /** Address and port of the peer; datagrams from other sources are dropped. */
  remote: string;
  /** Largest IP packet, in bytes. Default 1500. */
  mtu?: number;
  /** Maximum number of received frames queued for the stack. Default 1024. */
  queue?: number;
}

/**
 * Opens the peer of QEMU's `-netdev dgram`: each UDP datagram is one Ethernet frame.
 *
 * With `ethernet()` it is a link to the guest. Bounds: 1024 datagrams are queued for sending;
 * `stats()` counts every drop. Unix datagram sockets are not supported, since neither runtime has
 * them.
 *
 * @throws {TypeError} An address is invalid.
 * @throws {RangeError} A number is out of its range.
 * @throws {TcpError} The local address cannot be bound.
 *
 * @example
 * ```ts
 * import { createStack } from "@berth/berth";
 * import { ethernet, openQemuDgram } from "@berth/berth/links";
 * import { echo } from "@berth/berth/plugins";
 *
 * // -netdev dgram,id=n,remote.type=inet,remote.host=127.0.0.1,remote.port=...,local.type=inet,...
 * const port = await openQemuDgram({ local: "127.0.0.1:0", remote: "127.0.0.1:5557" });
 * const addresses = ["10.0.0.1/24"];
 * await using stack = createStack({ link: ethernet(port, { addresses }), addresses });
 * stack.use(7, echo());
 * ```
 */
export async function openQemuDgram(options: QemuDgramOptions): Promise<FramePort> {
  const { mtu = 1500, queue = 1024 } = options;
  const local = parseHostEndpoint("local", options.local);
  const remote = parseHostEndpoint("remote", options.remote);
  requireInteger("mtu", mtu, 68, 65_507 - ETHERNET_HEADER);
  requireInteger("queue", queue, 1, 1_000_000);
  if (local.hostname.includes(":") !== remote.hostname.includes(":")) {
    throw new TypeError("local and remote: must both be IPv4 or both be IPv6");
  }
  return await UdpPort.open(new Plain(remote), { local, mtu, queue, offload: false });
}

class Plain implements Encapsulation {
  readonly name: string;
  readonly headerSize: number = 0;
  readonly #remote: HostPort;
  readonly #remotes: readonly HostPort[];
  readonly #counts = new Counts<"drop.remote">();

  constructor(remote: HostPort) {
    this.name = `QEMU at ${formatHostPort(remote)}`;
    this.#remote = remote;
    this.#remotes = [remote];
  }

  destinations(): Iterable<HostPort> {
    return this.#remotes;
  }

  writeHeader(): void {}

  accepts(_datagram: Uint8Array, { hostname, port }: HostPort): boolean {
    if (hostname === this.#remote.hostname && port === this.#remote.port) return true;
    this.#counts.add("drop.remote");
    return false;
  }

  stats(): Readonly<Record<string, number>> {
    return this.#counts.snapshot();
  }
}
