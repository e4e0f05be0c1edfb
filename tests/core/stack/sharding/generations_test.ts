import { describe, expect, test } from "bun:test";
import { OutgoingPacket } from "../../../../core/buffers/outgoing_packet.ts";
import { bindingOf } from "../../../../core/api/listen_address.ts";
import { unreachable } from "../../../../core/stack/replies.ts";
import {
  type GenerationPacket,
  Generations,
  MAX_EARLIER_ENDPOINTS,
  MAX_GENERATIONS,
  NEWEST,
  NO_PROCESS_ASKED,
} from "../../../../core/stack/sharding/generations.ts";
import { CoreStack, SECRET_LENGTH } from "../../../../core/stack/stack.ts";
import type { Listener } from "../../../../core/stack/tcp/listener.ts";
import type { BoundSocket } from "../../../../core/stack/udp/udp_layer.ts";
import { PROFILES } from "../../../../core/tcp/config.ts";
import type { Tcb } from "../../../../core/tcp/tcb.ts";
import type { FlowPort } from "../../../../core/udp/flow.ts";
import { IpAddress, Subnet } from "../../../../core/wire/address.ts";
import { IpHeader, parseIp, PROTOCOL } from "../../../../core/wire/ip.ts";

type Bytes = Uint8Array<ArrayBuffer>;

const PORT = 80;
const PAIRS = [["10.0.0.1", "10.0.0.2"], ["fd00::1", "fd00::2"]] as const;
const address = (text: string) => IpAddress.parse(text)!;

describe("generations of a stack", () => {
  // Three processes, each of which has opened connections: all of them go on, and none is reset.
  test.each(PAIRS)("keep their connections, %s to %s", (client, server) => {
    const net = new Network();
    const opened: Tcb[] = [];
    for (let generation = 1; generation <= 3; generation++) {
      if (generation > 1) net.upgrade();
      for (let i = 0; i < 5; i++) opened.push(net.connect(client, server));
      net.pump();
      for (const tcb of opened) net.client.tcp.send(tcb, new Uint8Array([7]), 0, net.now);
      net.pump();
    }
    expect(opened.map(({ state }) => state)).toEqual(opened.map(() => "ESTABLISHED"));
    const bytes = new Uint8Array(8);
    const read = net.processes.map(({ stack, listener }) =>
      listener.ready.map((tcb) => stack.tcp.read(tcb, bytes, net.now))
    );
    expect(read).toEqual([[3, 3, 3, 3, 3], [2, 2, 2, 2, 2], [1, 1, 1, 1, 1]]);
    expect(net.processes.map(({ stack }) => stack.stats.resetsSent)).toEqual([0, 0, 0]);
  });

  // The SYN,ACK is lost, another process takes over, and the client repeats its SYN.
  test("complete a handshake where it began", () => {
    const net = new Network();
    const tcb = net.connect("10.0.0.1", "10.0.0.2");
    net.toServer();
    expect(take(net.processes[0]!.stack, net.now)).toBeDefined();
    net.upgrade();
    net.now = 1000;
    net.client.handleTimeout(net.now);
    net.pump();
    expect(tcb.state).toBe("ESTABLISHED");
    expect(net.processes.map(({ listener }) => listener.ready.length)).toEqual([1, 0]);
  });

  // The backlog of the first process is full: the second accepts its cookie.
  test("accept SYN cookies of earlier ones", () => {
    const net = new Network(1);
    net.connect("10.0.0.1", "10.0.0.2");
    net.toServer();
    const second = net.connect("10.0.0.1", "10.0.0.2");
    net.toServer();
    expect(net.processes[0]!.stack.stats.synCookiesSent).toBe(1);
    net.upgrade();
    net.pump();
    net.client.tcp.send(second, new Uint8Array([7]), 0, net.now);
    net.pump();
    expect(net.processes[1]!.stack.stats.synCookiesReturned).toBe(1);
    expect(second.state).toBe("ESTABLISHED");
  });

  // A closed port is refused once, by the newest process, after the packet was passed to the others.
  test("refuse a packet of which none of them has the connection", () => {
    const net = new Network();
    net.upgrade();
    net.upgrade();
    const tcb = open(net.client, address("10.0.0.2"), address("10.0.0.1"), 81, net.now);
    net.pump();
    expect(tcb.error).toBe("CONNECTION_REFUSED");
    const resets = net.processes.map(({ stack }) => stack.stats.resetsSent);
    expect(resets).toEqual([0, 0, 1]);
  });

  // A retired process connects; the answer finds it. The newest does not choose the same ports.
  test.each(PAIRS)("may open connections, %s from %s", (peer, own) => {
    const net = new Network();
    net.client.tcp.listen({ ...bindingOf(PORT), backlog: 500, decides: false });
    net.upgrade();
    const ports = new Set<number>();
    for (const { stack } of net.processes) {
      for (let i = 0; i < 100; i++) {
        const tcb = open(stack, address(peer), address(own), PORT, net.now);
        net.pump();
        expect(tcb.state).toBe("ESTABLISHED");
        ports.add(tcb.localPort);
      }
    }
    expect(ports.size).toBe(200);
  });

  // Flows stay in the process where they began, and new flows begin in the newest process. A socket of a retired
  // process, on a port that it chose, gets answers.
  test.each(PAIRS)("keep their flows and sockets, %s to %s", (client, server) => {
    const net = new Network();
    const [local, remote] = [address(client), address(server)];
    const sendAll = () => {
      for (let port = 1000; port < 1010; port++) {
        net.client.udp.send(local, port, remote, PORT, new Uint8Array(8), net.now);
      }
      net.pump();
    };
    sendAll();
    net.upgrade();
    sendAll();
    net.client.udp.send(local, 2000, remote, PORT, new Uint8Array(8), net.now);
    net.pump();
    const queued = net.processes.map(({ flows }) => flows.fresh.map(({ queue }) => queue.count));
    expect(queued).toEqual([new Array(10).fill(2), [1]]);
    for (const { stack } of net.processes) {
      const { socket, binding } = stack.udp.bindSocket(bindingOf(0)) as BoundSocket;
      net.client.udp.send(local, 9, remote, binding.firstPort, new Uint8Array(1), net.now);
      net.pump();
      expect(socket.queue.count).toBe(1);
    }
  });

  // A router reports host unreachable: the quoted packet identifies the connection.
  test("pass on ICMP errors", () => {
    const net = new Network();
    const first = net.processes[0]!.stack;
    const tcb = open(first, address("10.0.0.1"), address("10.0.0.2"), PORT, net.now);
    const syn = take(first, net.now)!;
    net.upgrade();
    const ip = new IpHeader();
    parseIp(syn, syn.length, ip);
    net.deliver(unreachable(ip, syn, "port", 64));
    expect([tcb.state, tcb.error]).toEqual(["CLOSED", "CONNECTION_REFUSED"]);
    // An error about an unknown connection ends at the newest process.
    net.deliver(unreachable(ip, syn, "port", 64));
    const dropped = net.processes.map(({ stack }) => stack.stats.dropped("icmp-no-connection"));
    expect(dropped).toEqual([0, 1]);
  });

  // The connection has ended in the first process; the same 4-tuple opens a new one in the second.
  test("forget connections that have ended", () => {
    const net = new Network();
    const request = { remote: address("10.0.0.2"), remotePort: PORT, localPort: 4000 };
    const old = net.client.tcp.connect({ ...request, local: address("10.0.0.1") }, net.now) as Tcb;
    net.pump();
    net.upgrade();
    const first = net.processes[0]!;
    net.client.tcp.abort(old);
    net.pump();
    expect(first.stack.tcp.connectionCount).toBe(0);
    net.client.tcp.connect({ ...request, local: address("10.0.0.1") }, net.now);
    net.pump();
    expect(net.processes[1]!.listener.ready.length).toBe(1);
    expect(net.processes[1]!.generations.endpointCount).toBe(0);
  });

  // The newest process has ended: the one before receives the packets again.
  test("can take the packets back", () => {
    const net = new Network();
    const [before] = [net.connect("10.0.0.1", "10.0.0.2"), net.pump()];
    net.upgrade();
    net.processes.pop();
    net.processes[0]!.generations.isRetired = false;
    const after = net.connect("10.0.0.1", "10.0.0.2");
    net.pump();
    net.client.tcp.send(before, new Uint8Array([7]), 0, net.now);
    net.pump();
    expect([before.state, after.state]).toEqual(["ESTABLISHED", "ESTABLISHED"]);
    expect(net.processes[0]!.listener.ready.length).toBe(2);
  });
});

describe("endpoints of earlier processes", () => {
  // An endpoint beyond the bound is not kept; when the process has ended, none of its endpoints is.
  test("is bounded", () => {
    const generations = new Generations(2, 1);
    generations.addEarlier(1);
    const remote = address("10.0.0.1");
    for (let i = 0; i <= MAX_EARLIER_ENDPOINTS; i++) {
      const local = IpAddress.v4(i >>> 14);
      const endpoint = { protocol: PROTOCOL.TCP, local, localPort: 1 + (i & 0x3fff), remote };
      generations.learn({ ...endpoint, remotePort: 80, generation: 1 });
    }
    expect(generations.endpointCount).toBe(MAX_EARLIER_ENDPOINTS);
    generations.removeEarlier(1);
    expect(generations.endpointCount).toBe(0);
  });

  // Each retired process has its own ports, and the newest has the rest.
  test("divides the ephemeral ports", () => {
    const newest = new Generations(MAX_GENERATIONS, 1);
    const retired = Array.from(
      { length: MAX_GENERATIONS - 1 },
      (_, i) => new Generations(i + 1, 1),
    );
    for (const one of retired) {
      one.isRetired = true;
      newest.addEarlier(one.number);
    }
    for (let port = 49_152; port < 65_536; port++) {
      const owners = [newest, ...retired].filter((one) => one.isOurPort(port));
      expect(owners.length).toBe(1);
    }
  });
});

interface Process {
  readonly stack: CoreStack;
  readonly generations: Generations;
  readonly listener: Listener;
  readonly flows: FlowPort;
}

/** A client, and the processes of a service, of which the last one receives the client's packets. */
class Network {
  readonly client: CoreStack = stack(["10.0.0.1/24", "fd00::1/64"], undefined);
  readonly processes: Process[] = [];
  now = 0;
  readonly #backlog: number;

  constructor(backlog = 200) {
    this.#backlog = backlog;
    this.#start();
  }

  #start(): Process {
    const generations = new Generations(this.processes.length + 1, 1);
    const own = stack(["10.0.0.2/24", "fd00::2/64"], generations);
    const listener = own.tcp.listen({ ...bindingOf(PORT), backlog: this.#backlog, decides: false });
    const flows = own.udp.bindFlows(bindingOf(PORT));
    if (typeof listener === "string" || typeof flows === "string") throw new Error("cannot bind");
    const process = { stack: own, generations, listener, flows };
    this.processes.push(process);
    return process;
  }

  /** Another process takes over. */
  upgrade(): void {
    const old = this.processes.at(-1)!.generations;
    const { generations } = this.#start();
    for (const each of [...old.earlier, old.number]) generations.addEarlier(each);
    for (const endpoint of old.endpoints()) generations.learn(endpoint);
    old.isRetired = true;
  }

  connect(client: string, server: string): Tcb {
    return open(this.client, address(server), address(client), PORT, this.now);
  }

  /** Carries packets until none are left. */
  pump(): void {
    for (let moved = true; moved;) {
      moved = this.toServer();
      for (const { stack } of this.processes) {
        for (let packet = take(stack, this.now); packet; packet = take(stack, this.now)) {
          this.client.receive(packet, packet.length, "full", 0, this.now);
          moved = true;
        }
      }
    }
  }

  /** Carries the client's packets. */
  toServer(): boolean {
    let moved = false;
    for (let packet = take(this.client, this.now); packet; packet = take(this.client, this.now)) {
      this.deliver(packet);
      moved = true;
    }
    return moved;
  }

  /** Delivers a packet to the newest process, and to the processes that it is passed on to. */
  deliver(packet: Bytes): void {
    let [at, asked, checksum] = [this.processes.at(-1)!, NO_PROCESS_ASKED, "full" as const] as [
      Process,
      number,
      "full" | "verified",
    ];
    for (let hops = 0; hops < 2 * MAX_GENERATIONS; hops++) {
      at.generations.asked = asked;
      at.stack.receive(packet, packet.length, checksum, 0, this.now);
      const next = at.stack.sharding.next() as GenerationPacket | undefined;
      if (next === undefined) return;
      [packet, asked, checksum] = [next.packet, next.asked, "verified"];
      const { generation } = next;
      at = generation === NEWEST ? this.processes.at(-1)! : this.processes[generation - 1]!;
    }
    throw new Error("a packet is passed on for ever");
  }
}

function stack(subnets: readonly string[], generations: Generations | undefined): CoreStack {
  const features = { mtu: 1500, maxSuperPacket: 0, checksumOffload: false };
  return new CoreStack({
    features: generations === undefined ? features : { ...features, generations },
    subnets: subnets.map((text) => Subnet.parse(text)!),
    tcp: PROFILES.internet,
    secret: new Uint8Array(SECRET_LENGTH).fill(generations === undefined ? 99 : 7),
    maxConnections: 1000,
    maxTimeWait: 1000,
  });
}

function open(
  from: CoreStack,
  remote: IpAddress,
  local: IpAddress,
  remotePort: number,
  now: number,
): Tcb {
  const tcb = from.tcp.connect({ remote, remotePort, local, localPort: 0 }, now);
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
