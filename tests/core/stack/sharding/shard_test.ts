import { describe, expect, test } from "bun:test";
import { bindingOf } from "../../../../core/api/listen_address.ts";
import { OutgoingPacket } from "../../../../core/buffers/outgoing_packet.ts";
import { unreachable } from "../../../../core/stack/replies.ts";
import { type Shard, shardOf } from "../../../../core/stack/sharding/shard.ts";
import { CoreStack, SECRET_LENGTH } from "../../../../core/stack/stack.ts";
import type { Listener } from "../../../../core/stack/tcp/listener.ts";
import type { BoundSocket } from "../../../../core/stack/udp/udp_layer.ts";
import { PROFILES } from "../../../../core/tcp/config.ts";
import type { Tcb } from "../../../../core/tcp/tcb.ts";
import type { FlowPort } from "../../../../core/udp/flow.ts";
import { IpAddress, Subnet } from "../../../../core/wire/address.ts";
import { IpHeader, parseIp } from "../../../../core/wire/ip.ts";
import { cut } from "../../../support/fragments.ts";

type Bytes = Uint8Array<ArrayBuffer>;

const SEED = [0x5bd1e995, 0x2c1b3c6d] as const;
const PORT = 80;
const PAIRS = [["10.0.0.1", "10.0.0.2"], ["fd00::1", "fd00::2"]] as const;

const address = (text: string) => IpAddress.parse(text)!;

const hex = (n: number) => (n & 0xffff).toString(16);

function shardOfClient(
  count: number,
  client: string,
  server: string,
  remotePort: number,
  seed: Shard["seed"] = SEED,
): number {
  const flow = { remote: address(client), remotePort, local: address(server), localPort: PORT };
  return shardOf({ index: 0, count, seed }, flow);
}

describe("shardOf", () => {
  // A kernel uses every second port in sequence; a load balancer has adjacent addresses.
  test.each([2, 3, 4, 7])("distributes adjacent ports and addresses over %d shards", (count) => {
    const counts = new Array<number>(count).fill(0);
    for (let i = 0; i < 4000; i++) {
      counts[shardOfClient(count, `10.0.${i & 3}.${i % 251}`, "10.1.0.2", 32768 + 2 * i)]!++;
    }
    for (const each of counts) expect(Math.abs(each / (4000 / count) - 1)).toBeLessThan(0.15);
  });

  // A client has 2^64 addresses of its own, and can choose them so that all words of an address cancel out, or that
  // only bits differ which a multiplication does not spread. Its connections are spread like those of any other.
  test.each([
    [
      "equal in both halves",
      (i: number) => `fd00::${hex(i)}:${hex(i >>> 16)}:${hex(i)}:${hex(i >>> 16)}`,
    ],
    ["in the highest bits only", (i: number) => `fd00:0:0:0:${hex(i << 4)}:0:${hex(i << 12)}:0`],
    ["in sequence", (i: number) => `fd00::${hex(i)}`],
  ])("distributes the addresses of one client that are %s", (_, client) => {
    const counts = new Array<number>(4).fill(0);
    for (let i = 1; i <= 4000; i++) counts[shardOfClient(4, client(i), "fd00:1::2", 50_000)]!++;
    for (const each of counts) expect(Math.abs(each / 1000 - 1)).toBeLessThan(0.15);
  });

  // Whoever has seen the shards of one service knows nothing about those of another.
  test("depends on both words of its seed", () => {
    const of = (seed: Shard["seed"]) =>
      Array.from(
        { length: 64 },
        (_, i) => shardOfClient(2, "10.0.0.1", "10.1.0.2", 32768 + i, seed),
      ).join("");
    const [first, second] = SEED;
    expect(new Set([of(SEED), of([first ^ 1, second]), of([first, second ^ 1])]).size).toBe(3);
  });
});

describe("shards of a stack", () => {
  // Every packet is delivered to the wrong shard: each is passed on exactly once.
  test.each(PAIRS)(
    "serve connections whose packets reach another shard, %s to %s",
    (client, server) => {
      const net = new Network(3, (owner) => (owner + 1) % 3);
      const listeners = net.listen();
      const clients = Array.from({ length: 60 }, () => net.connectFromClient(client, server));
      net.pump();
      for (const tcb of clients) net.client.tcp.send(tcb, new Uint8Array([1, 2, 3]), 0, net.now);
      net.pump();
      expect(clients.map(({ state }) => state)).toEqual(clients.map(() => "ESTABLISHED"));
      const accepted = listeners.map(({ ready }) => ready.length);
      expect(accepted.reduce((sum, each) => sum + each)).toBe(60);
      expect(Math.min(...accepted)).toBeGreaterThan(8);
      for (const [index, { ready }] of listeners.entries()) {
        const text = new Uint8Array(8);
        for (const tcb of ready) expect(net.shards[index]!.tcp.read(tcb, text, net.now)).toBe(3);
      }
      expect(net.forwardedToShard()).toBe(net.received);
    },
  );

  // The port is chosen so that the answer to the SYN reaches the shard of the connection.
  test.each(PAIRS)("connect from ports that hash to them, %s from %s", (client, server) => {
    const net = new Network(4, (owner) => owner);
    net.client.tcp.listen({ ...bindingOf(PORT), backlog: 200, decides: false });
    const opened = net.shards.flatMap((shard) =>
      Array.from(
        { length: 30 },
        () => open(shard, { remote: address(client), local: address(server) }, net.now),
      )
    );
    net.pump();
    expect(opened.map(({ state }) => state)).toEqual(opened.map(() => "ESTABLISHED"));
    expect(net.forwardedToShard()).toBe(0);
  });

  // The answers would reach another shard.
  test("cannot connect from another shard's port", () => {
    const net = new Network(2, (owner) => owner);
    const [remote, local] = [address("10.0.0.1"), address("10.0.0.2")];
    const request = { remote, remotePort: PORT, local, localPort: 5000 };
    const owner = net.ownerOf(local, 5000, remote, PORT);
    expect(net.shards[1 - owner]!.tcp.connect(request, 0)).toBe("ADDRESS_NOT_AVAILABLE");
    expect(typeof net.shards[owner]!.tcp.connect(request, 0)).toBe("object");
  });

  // An own address is reached without the link, so any port will do.
  test("connect to themselves from any port", () => {
    const net = new Network(2, (owner) => owner);
    const listeners = net.listen();
    const remote = address("10.0.0.2");
    for (const shard of net.shards) {
      for (let i = 0; i < 10; i++) open(shard, { remote, local: remote }, 0);
    }
    net.pump();
    expect(listeners.map(({ ready }) => ready.length)).toEqual([10, 10]);
    expect(net.forwardedToShard()).toBe(0);
  });

  // Only the first fragment has ports, so all go to one shard, which passes on the reassembled
  // packet.
  test("pass on reassembled packets", () => {
    let id = 0;
    const divide = (packet: Bytes) => packet.length > 120 ? cut(packet, [64], ++id) : [packet];
    const net = new Network(2, () => 0, divide);
    const listeners = net.listen();
    const clients = Array.from(
      { length: 20 },
      () => net.connectFromClient("10.0.0.1", "10.0.0.2"),
    );
    net.pump();
    for (const tcb of clients) net.client.tcp.send(tcb, new Uint8Array(100), 0, net.now);
    net.pump();
    expect(id).toBe(20);
    expect(listeners[1]!.ready.length).toBeGreaterThan(0);
    for (const [index, { ready }] of listeners.entries()) {
      const text = new Uint8Array(200);
      for (const tcb of ready) expect(net.shards[index]!.tcp.read(tcb, text, net.now)).toBe(100);
    }
    expect(net.shards.map(({ stats }) => stats.reassembled)).toEqual([20, 0]);
  });

  // A router reports host unreachable; the quoted packet identifies the connection.
  test("pass on ICMP errors about connections of other shards", () => {
    const net = new Network(2, () => 0);
    const [remote, local] = [address("10.0.0.1"), address("10.0.0.2")];
    const tcb = open(net.shards[1]!, { remote, local }, 0);
    const syn = take(net.shards[1]!, 0)!;
    const ip = new IpHeader();
    expect(parseIp(syn, syn.length, ip)).toBeUndefined();
    net.deliver(unreachable(ip, syn, "port", 64), 0);
    expect(net.shards[0]!.stats.forwardedToShard).toBe(1);
    expect([tcb.state, tcb.error]).toEqual(["CLOSED", "CONNECTION_REFUSED"]);
    // An error about an unknown connection ends at the shard that would have it.
    net.deliver(unreachable(ip, syn, "port", 64), 0);
    expect(net.shards.map(({ stats }) => stats.forwardedToShard)).toEqual([2, 0]);
    expect(net.shards[1]!.stats.dropped("icmp-no-connection")).toBe(1);
  });

  // Whichever queue its datagrams use, a flow stays in one shard, and answers reach it.
  test.each(PAIRS)("serve flows whose packets reach another shard, %s to %s", (client, server) => {
    let turn = 0;
    const net = new Network(3, () => turn++ % 3);
    const ports = net.shards.map(({ udp }) => udp.bindFlows(bindingOf(PORT)) as FlowPort);
    const [local, remote] = [address(client), address(server)];
    for (let round = 0; round < 3; round++) {
      for (let port = 1000; port < 1060; port++) {
        net.client.udp.send(local, port, remote, PORT, new Uint8Array(8), net.now);
      }
      net.pump();
    }
    const flows = ports.map(({ fresh }) => fresh);
    expect(flows.flat().length).toBe(60);
    expect(flows.flat().every(({ queue }) => queue.count === 3)).toBe(true);
    expect(Math.min(...flows.map(({ length }) => length))).toBeGreaterThan(8);
  });

  // Datagrams to an ephemeral port reach the shard that chose it, from any peer.
  test.each(PAIRS)("choose ephemeral ports of their own, %s to %s", (client, server) => {
    let turn = 0;
    const net = new Network(3, () => turn++ % 3);
    const [remote, local] = [address(client), address(server)];
    for (const { udp } of net.shards) {
      for (let i = 0; i < 10; i++) {
        const { socket, binding } = udp.bindSocket(bindingOf(0)) as BoundSocket;
        for (const from of [7, 50_000]) {
          net.client.udp.send(remote, from, local, binding.firstPort, new Uint8Array(1), net.now);
        }
        net.pump();
        expect(socket.queue.count).toBe(2);
      }
    }
  });

  // An error about a datagram reaches the shard that sent it.
  test("pass on ICMP errors about datagrams of other shards", () => {
    const net = new Network(2, () => 0);
    const [remote, local] = [address("10.0.0.1"), address("10.0.0.2")];
    const sockets = net.shards.map(({ udp }) => udp.bindSocket(bindingOf(0)) as BoundSocket);
    for (const [index, { binding }] of sockets.entries()) {
      const { udp } = net.shards[index]!;
      udp.send(local, binding.firstPort, remote, 9, new Uint8Array(8), net.now);
    }
    for (const shard of net.shards) {
      const sent = take(shard, 0)!;
      const ip = new IpHeader();
      expect(parseIp(sent, sent.length, ip)).toBeUndefined();
      net.deliver(unreachable(ip, sent, "port", 64), 0);
    }
    expect(sockets.map(({ socket }) => socket.errors.length)).toEqual([1, 1]);
    expect(net.shards.map(({ stats }) => stats.forwardedToShard)).toEqual([1, 0]);
  });

  // Closed port: one RST, from the shard that the connection would belong to.
  test("refuse a connection once", () => {
    const net = new Network(2, (owner) => 1 - owner);
    const tcb = net.connectFromClient("10.0.0.1", "10.0.0.2");
    net.pump();
    expect(tcb.error).toBe("CONNECTION_REFUSED");
    const resets = net.shards.map(({ stats }) => stats.resetsSent);
    expect(resets.reduce((sum, each) => sum + each)).toBe(1);
  });
});

/** A client, shards, and a switch that chooses the shard for each packet. */
class Network {
  readonly client: CoreStack;
  readonly shards: readonly CoreStack[];
  readonly now = 0;
  /** Number of packets delivered to shards from the client. */
  received = 0;
  readonly #direct: (owner: number) => number;
  readonly #divide: (packet: Bytes) => Bytes[];

  constructor(
    count: number,
    direct: (owner: number) => number,
    divide: (packet: Bytes) => Bytes[] = (packet) => [packet],
  ) {
    this.#direct = direct;
    this.#divide = divide;
    this.client = stack(["10.0.0.1/24", "fd00::1/64"]);
    this.shards = Array.from(
      { length: count },
      (_, index) => stack(["10.0.0.2/24", "fd00::2/64"], { index, count, seed: SEED }),
    );
  }

  listen(): Listener[] {
    return this.shards.map((shard) => {
      const listener = shard.tcp.listen({
        ...bindingOf(PORT),
        backlog: 200,
        decides: false,
      });
      if (typeof listener === "string") throw new Error(listener);
      return listener;
    });
  }

  connectFromClient(client: string, server: string): Tcb {
    return open(this.client, { remote: address(server), local: address(client) }, this.now);
  }

  ownerOf(one: IpAddress, localPort: number, other: IpAddress, remotePort: number): number {
    const shard = { index: 0, count: this.shards.length, seed: SEED };
    return shardOf(shard, { local: one, localPort, remote: other, remotePort });
  }

  forwardedToShard(): number {
    return this.shards.reduce((sum, { stats }) => sum + stats.forwardedToShard, 0);
  }

  /** Carries packets until none are left. */
  pump(): void {
    for (let moved = true; moved;) {
      moved = false;
      for (let packet = take(this.client, this.now); packet; packet = take(this.client, this.now)) {
        this.received++;
        const index = this.#direct(this.#ownerOfPacket(packet));
        for (const piece of this.#divide(packet)) this.deliver(piece, index);
        moved = true;
      }
      for (const shard of this.shards) {
        for (let packet = take(shard, this.now); packet; packet = take(shard, this.now)) {
          this.client.receive(packet, packet.length, "full", 0, this.now);
          moved = true;
        }
      }
    }
  }

  /** Delivers a packet to a shard, and to the shards that it is passed on to. */
  deliver(packet: Bytes, index: number): void {
    const shard = this.shards[index]!;
    shard.receive(packet, packet.length, "full", 0, this.now);
    const foreign = shard.sharding.next();
    if (foreign === undefined || !("shard" in foreign)) return;
    const owner = this.shards[foreign.shard]!;
    const { packet: whole, segmentSize } = foreign;
    owner.receive(whole, whole.length, "verified", segmentSize, this.now);
    expect(owner.sharding.next()).toBeUndefined();
  }

  #ownerOfPacket(packet: Bytes): number {
    const ip = new IpHeader();
    expect(parseIp(packet, packet.length, ip)).toBeUndefined();
    const view = new DataView(packet.buffer);
    const [remotePort, localPort] = [0, 2].map((at) => view.getUint16(ip.payloadStart + at));
    const remote = new IpAddress(ip.s0, ip.s1, ip.s2, ip.s3);
    return this.ownerOf(new IpAddress(ip.d0, ip.d1, ip.d2, ip.d3), localPort!, remote, remotePort!);
  }
}

function stack(subnets: readonly string[], shard?: Shard) {
  const features = { mtu: 1500, maxSuperPacket: 0, checksumOffload: false };
  return new CoreStack({
    features: shard === undefined ? features : { ...features, shard },
    subnets: subnets.map((text) => Subnet.parse(text)!),
    tcp: PROFILES.internet,
    secret: new Uint8Array(SECRET_LENGTH).fill(7 + (shard?.index ?? 99)),
    maxConnections: 1000,
    maxTimeWait: 1000,
  });
}

function open(
  from: CoreStack,
  { remote, local }: { remote: IpAddress; local: IpAddress },
  now: number,
): Tcb {
  const tcb = from.tcp.connect({ remote, remotePort: PORT, local, localPort: 0 }, now);
  if (typeof tcb === "string") throw new Error(tcb);
  return tcb;
}

function take(from: CoreStack, now: number): Bytes | undefined {
  const out = new OutgoingPacket();
  if (!from.pollTransmit(out, now)) return undefined;
  const packet = new Uint8Array(out.byteLength);
  out.copyTo(packet, 0);
  return packet;
}
