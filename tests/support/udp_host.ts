/**
 * A stack for tests of UDP.
 *
 * @module
 */
import type { Binding } from "../../core/stack/binding_table.ts";
import { type Flow, FlowPort } from "../../core/udp/flow.ts";
import { UdpSocket } from "../../core/udp/socket.ts";
import { IpAddress, Subnet } from "../../core/wire/address.ts";
import { decodeUdp, type SentDatagram } from "./dsl/decode_udp.ts";
import { encodeUdp } from "./dsl/encode.ts";
import { FragmentHost } from "./fragments.ts";

/** The stack at 10.0.0.2 and fd00::2 of a {@link FragmentHost}. */
export class UdpHost extends FragmentHost {
  /** Binds a socket, for example to `udpBinding(53)`. */
  socket(binding: Binding): UdpSocket {
    const bound = this.stack.udp.bindSocket(binding);
    if (typeof bound === "string") throw new Error(bound);
    return bound.socket;
  }

  /** Binds a flow port. */
  flowPort(binding: Binding): FlowPort {
    const bound = this.stack.udp.bindFlows(binding);
    if (typeof bound === "string") throw new Error(bound);
    return bound;
  }

  /** Delivers a datagram from a peer; `from` and `to` have the form `"10.0.0.1 4000"`. */
  datagram(from: string, to: string, data: Uint8Array, isSummed = true): Uint8Array[] {
    const [source, sourcePort] = split(from);
    const [destination, port] = split(to);
    return this.receive(encodeUdp(source, destination, sourcePort, port, data, isSummed));
  }

  /** Sends a datagram; returns the packets, which must not be fragments. */
  send(from: string, to: string, data: Uint8Array): SentDatagram[] {
    const [source, sourcePort] = split(from);
    const [remote, port] = split(to);
    const local = IpAddress.parse(source)!;
    const { udp } = this.stack;
    const refused = udp.send(local, sourcePort, IpAddress.parse(remote)!, port, data, this.now);
    if (refused !== undefined) throw new Error(refused);
    return this.sent().map(decodeUdp);
  }
}

/** A binding of ports of all addresses, one address or a network. */
export function udpBinding(
  firstPort: number,
  subnet?: string,
  lastPort: number = firstPort,
): Binding {
  return { subnet: subnet === undefined ? undefined : Subnet.parse(subnet)!, firstPort, lastPort };
}

/** The queued datagrams, as text. */
export function textsOf({ queue }: UdpSocket | Flow): string[] {
  const texts: string[] = [];
  for (let one = queue.shift(); one !== undefined; one = queue.shift()) {
    texts.push(new TextDecoder().decode(one.data));
  }
  return texts;
}

function split(endpoint: string): [hostname: string, port: number] {
  const [hostname, port] = endpoint.split(" ");
  return [hostname!, Number(port)];
}
