/**
 * A client of UDP ASSOCIATE (RFC 1928 7) on a stack.
 *
 * @module
 */
import { formatHostPort, type HostPort } from "../../core/api/host_port.ts";
import type { Stack, TcpSocket } from "../../core/api/types.ts";
import type { DatagramConn } from "../../core/api/udp/datagram.ts";
import { unwrap } from "../../plugins/socks5/datagram.ts";
import { encodeAddress } from "../../plugins/socks5/protocol.ts";

/** A reply, as `TEXT from ADDRESS:PORT`. */
export type Answer = string;

/** An association. */
export class Socks5UdpClient {
  /** The control connection; the association lasts as long as it is open. */
  readonly control: TcpSocket;
  readonly socket: DatagramConn;
  readonly relay: HostPort;

  private constructor(control: TcpSocket, socket: DatagramConn, relay: HostPort) {
    this.control = control;
    this.socket = socket;
    this.relay = relay;
  }

  /**
   * Opens an association with `proxy`, such as `"10.0.0.2:1080"`, from the address `from`;
   * `claimed` is the source address in the request.
   */
  static async open(
    stack: Stack,
    proxy: string,
    claimed: HostPort = { hostname: "0.0.0.0", port: 0 },
    from?: string,
  ): Promise<Socks5UdpClient> {
    const local = from === undefined ? {} : { hostname: from, localHostname: from };
    const control = stack.connect(proxy, { allowHalfOpen: true, ...local });
    await control.write(Uint8Array.of(5, 1, 0, 5, 3, 0, ...encodeAddress(claimed)));
    const [, , , code = -1, , type] = await take(control, 6);
    if (code !== 0) throw new Error(`refused with ${code}`);
    const rest = await take(control, type === 1 ? 6 : 18);
    const bound = unwrap(Uint8Array.of(0, 0, 0, type!, ...rest));
    if (typeof bound === "string") throw new Error(bound);
    return new Socks5UdpClient(control, stack.listenDatagram({ port: 0, ...local }), bound.target);
  }

  /** Sends a text to an IP address and port. */
  async send(text: string, target: HostPort): Promise<void> {
    await this.sendRaw([0, 0, 0, ...encodeAddress(target), ...new TextEncoder().encode(text)]);
  }

  /** Sends a text to a name. */
  async sendToName(text: string, name: string, port: number): Promise<void> {
    const address = [3, name.length, ...new TextEncoder().encode(name), port >> 8, port & 255];
    await this.sendRaw([0, 0, 0, ...address, ...new TextEncoder().encode(text)]);
  }

  /** Sends raw bytes, including the header. */
  async sendRaw(bytes: number[]): Promise<void> {
    await this.socket.send(Uint8Array.from(bytes), this.relay);
  }

  /** The next reply. */
  async receive(): Promise<Answer> {
    const [datagram, from] = await this.socket.receive();
    if (formatHostPort(from) !== formatHostPort(this.relay)) throw new Error("not the relay's");
    const unwrapped = unwrap(datagram);
    if (typeof unwrapped === "string") throw new Error(unwrapped);
    return `${new TextDecoder().decode(unwrapped.payload)} from ${
      formatHostPort(unwrapped.target)
    }`;
  }
}

async function take(socket: TcpSocket, count: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(count);
  for (let at = 0; at < count;) {
    const size = await socket.read(bytes.subarray(at));
    if (size === null) throw new Error("the proxy has ended");
    at += size;
  }
  return bytes;
}
