/**
 * A stub resolver on a stack, and upstream servers implemented as functions.
 *
 * @module
 */
import { decode, encode, type Packet } from "@dnsquery/dns-packet";
import { type DnsOptions, dnsThrough } from "../../../plugins/dns.ts";
import { formatDialTarget } from "../../../plugins/shared/dial.ts";
import type { HostDialer, RouteIntoStack } from "../../../plugins/shared/host_network.ts";
import type { Duplex } from "../../../plugins/shared/relay.ts";
import { StackPair } from "../../core/api/stack_pair.ts";
import { socketPair } from "../../support/fake_socket.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** Behaviour of a server; a rejection means that it is unreachable. */
export type Upstream = (query: Bytes, transport: "udp" | "tcp", server: string) => Promise<Bytes>;

const nobody: Upstream = () => Promise.reject(new Error("nobody is there"));

/** The server on port 53 of both transports, and a client. */
export class DnsPair extends StackPair {
  constructor(options: DnsOptions, upstream: Upstream = nobody, routeIntoStack?: RouteIntoStack) {
    super();
    const network = { ...networkOf(upstream), routeIntoStack };
    this.server.use([53, "udp/53"], dnsThrough(network)(options));
  }

  /** The answer to a question, in the format of dig. */
  async ask(name: string, type: string, more: Partial<Packet> = {}): Promise<string> {
    return describe(decode(await this.exchange(query(name, type, more))));
  }

  /** The reply to a datagram. */
  async exchange(message: Uint8Array): Promise<Bytes> {
    using socket = this.client.listenDatagram({ port: 0 });
    await socket.send(message, "10.0.0.2:53");
    const [reply] = await this.run(socket.receive());
    return reply;
  }

  /** Whether a datagram is answered within ten seconds. */
  async isAnswered(message: Uint8Array): Promise<boolean> {
    using socket = this.client.listenDatagram({ port: 0 });
    await socket.send(message, "10.0.0.2:53");
    const answered = socket.receive().then(() => true, () => false);
    return await Promise.race([answered, this.clock.advance(10_000).then(() => false)]);
  }
}

/** A query; `more` overrides its fields. */
export function query(name: string, type: string, more: Partial<Packet> = {}): Bytes {
  const questions = [{ name, type: type as "A" }];
  const packet: Packet = { type: "query", id: 4711, flags: 256, questions, ...more };
  return new Uint8Array(encode(packet));
}

/** An OPT record of a query (RFC 6891). */
export function edns(udpPayloadSize: number, ednsVersion = 0): Partial<Packet> {
  const opt = { type: "OPT", name: ".", udpPayloadSize, ednsVersion, flags: 0, options: [] };
  return { additionals: [opt as never] };
}

/** The packet as text, such as `NOERROR aa rd: A 10.0.0.1, A 10.0.0.2`. */
export function describe(packet: Packet): string {
  const flags = (["aa", "tc", "rd", "ra"] as const).filter((flag) => packet[`flag_${flag}`]);
  const records = packet.answers!.map((answer) => {
    const { type, data } = answer as { type: string; data: unknown };
    const shown = Array.isArray(data)
      ? data.map((one) => JSON.stringify(new TextDecoder().decode(one))).join(" ")
      : typeof data === "object"
      ? JSON.stringify(data)
      : String(data);
    return `${type} ${shown}`;
  });
  const head = [packet.rcode, ...flags].join(" ");
  return records.length === 0 ? head : `${head}: ${records.join(", ")}`;
}

/** The reply of a server, with the records given. */
export function replyTo(asked: Uint8Array, more: Partial<Packet> = {}): Bytes {
  const { id, questions } = decode(asked);
  return new Uint8Array(
    encode({ type: "response", id: id!, flags: 0x180, questions: questions!, ...more }),
  );
}

function networkOf(upstream: Upstream): HostDialer {
  return {
    dialDatagrams({ hostname, port }) {
      const closed = Promise.withResolvers<null>();
      let asked = new Uint8Array(0);
      return Promise.resolve({
        send(datagram) {
          asked = new Uint8Array(datagram);
          return Promise.resolve(datagram.length);
        },
        receive() {
          const replied = upstream(new Uint8Array(asked), "udp", `${hostname}:${port}`);
          return Promise.race([replied, closed.promise]);
        },
        close: () => closed.resolve(null),
      });
    },
    dial(target): Promise<Duplex> {
      const server = formatDialTarget(target);
      const { client, server: peer } = socketPair();
      void (async () => {
        const message = new Uint8Array(65_535);
        const size = await peer.read(message);
        const asked = message.slice(2, size!);
        const reply = await upstream(asked, "tcp", server);
        await peer.write(Uint8Array.of(reply.length >> 8, reply.length));
        await peer.write(reply);
      })();
      return Promise.resolve(client);
    },
  };
}
