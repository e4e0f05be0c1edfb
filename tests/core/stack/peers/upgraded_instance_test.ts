import { describe, expect, test } from "bun:test";
import { bindingOf } from "../../../../core/api/listen_address.ts";
import type { PeerMessage } from "../../../../core/stack/peers/message.ts";
import { PeerGroup } from "../../../../core/stack/peers/peer_group.ts";
import { ALL_ASKED, Generations, NEWEST } from "../../../../core/stack/sharding/generations.ts";
import { CoreStack, SECRET_LENGTH } from "../../../../core/stack/stack.ts";
import { PROFILES } from "../../../../core/tcp/config.ts";
import type { Tcb } from "../../../../core/tcp/tcb.ts";
import { IpAddress, Subnet } from "../../../../core/wire/address.ts";
import { frozenReader, frozenWriter, withHeader } from "../../../../core/tcp/frozen/format.ts";
import { ANNOUNCE_MS } from "../../../../core/stack/peers/taken_over.ts";
import { type Bytes, packetsOf, PORT } from "./cluster.ts";

const NOW = 1000;
/** When the SYN is repeated: the initial sequence numbers of all instances advance with the clock. */
const LATER = 2000;

/** A process of an instance; it listens. */
class Process {
  readonly group: PeerGroup;
  readonly generations: Generations;
  readonly core: CoreStack;

  constructor(instance: number, generation: number) {
    this.group = new PeerGroup({
      self: instance,
      connectionKey: new Uint8Array(16).fill(3),
      messageKey: new Uint8Array(16).fill(4),
      now: NOW,
      wallOffset: 0,
    });
    this.group.membership.setMembers([0, 1]);
    this.generations = new Generations(generation, 5);
    this.core = stack("10.0.0.2/24", this.group, this.generations);
    this.core.tcp.listen({ ...bindingOf(PORT), backlog: 10, decides: false });
  }

  /** The messages to the other instance at `now`: its state, and lists of connections that it has taken over. */
  messages(now: number): PeerMessage[] {
    this.core.handleTimeout(now);
    const { peers } = this.core;
    const messages: PeerMessage[] = [];
    for (let one = peers!.next(); one !== undefined; one = peers!.next()) messages.push(one);
    return messages;
  }

  /** Receives packets and returns those that it sends. */
  take(packets: readonly Bytes[], now = LATER): Bytes[] {
    for (const packet of packets) this.core.receive(packet, packet.length, "full", 0, now);
    return packetsOf(this.core, now);
  }
}

function stack(
  address: string,
  peers?: PeerGroup,
  generations?: Generations,
): CoreStack {
  return new CoreStack({
    features: {
      mtu: 1500,
      maxSuperPacket: 0,
      checksumOffload: false,
      ...peers && { peers },
      ...generations && { generations },
    },
    subnets: [Subnet.parse(address)!],
    tcp: PROFILES.internet,
    secret: new Uint8Array(SECRET_LENGTH).fill(7),
    maxConnections: 100,
    maxTimeWait: 10,
  });
}

describe("an instance that was upgraded", () => {
  // The client has repeated its SYN over another path, so both instances have answered it. The connection
  // is that of instance 1; instance 0 has a half-open one. Then a segment takes the other path.
  test("hands on a segment of another instance that meets a half-open connection", () => {
    const client = stack("10.0.0.1/24");
    const [earlier, other] = [new Process(0, 1), new Process(1, 1)];
    const tcb = client.tcp.connect({
      remote: IpAddress.parse("10.0.0.2")!,
      remotePort: PORT,
      local: undefined,
      localPort: 0,
    }, NOW) as Tcb;
    const syn = packetsOf(client, NOW);
    expect(earlier.take(syn, NOW).length).toBe(1);
    for (const packet of other.take(syn)) client.receive(packet, packet.length, "full", 0, LATER);
    other.take(packetsOf(client, LATER));
    expect(tcb.state).toBe("ESTABLISHED");

    // The process that had the half-open connection does not answer it with a RST.
    earlier.generations.isRetired = true;
    earlier.group.isActive = false;
    earlier.generations.asked = ALL_ASKED;
    client.tcp.send(tcb, new Uint8Array(10), 0, LATER);
    const segment = packetsOf(client, LATER);
    expect(earlier.take(segment)).toEqual([]);
    const returned = earlier.generations.next()!;
    expect(returned).toMatchObject({ generation: NEWEST, packet: segment[0] });

    // The newest process hands it to instance 1.
    const newest = new Process(0, 2);
    newest.generations.addEarlier(1);
    newest.generations.asked = returned.asked;
    expect(newest.take([returned.packet])).toEqual([]);
    expect(newest.core.peers!.next()?.to).toBe(1);
    expect([earlier, newest].map(({ core }) => core.stats.resetsSent)).toEqual([0, 0]);
  });

  // Its earlier process has a connection of instance 1, which did not move to the newest one, and sends no messages
  // any more. Without an announcement instance 1 would answer segments of the connection with a RST.
  test("announces what its earlier process has taken over", () => {
    const client = stack("10.0.0.1/24");
    const [earlier, other] = [new Process(0, 1), new Process(1, 1)];
    const tcb = client.tcp.connect({
      remote: IpAddress.parse("10.0.0.2")!,
      remotePort: PORT,
      local: undefined,
      localPort: 0,
    }, NOW) as Tcb;
    const answers = other.take(packetsOf(client, NOW), NOW);
    for (const packet of answers) client.receive(packet, packet.length, "full", 0, NOW);
    other.take(packetsOf(client, NOW), NOW);
    const [connection] = other.core.tcp.connections();
    const writer = frozenWriter({ now: NOW, elapsedMs: 0 });
    other.core.tcp.forgetMoved(other.core.tcp.freeze(connection!, writer));
    const reader = frozenReader(withHeader(writer.take()), { now: NOW, elapsedMs: 0 });
    if (typeof reader === "string") throw new Error(reader);
    earlier.core.tcp.enterThawed(earlier.core.tcp.thaw(reader) as Tcb, NOW);

    const newest = new Process(0, 2);
    newest.generations.addEarlier(1);
    const endpoints = [...earlier.generations.endpoints()];
    expect(endpoints.map(({ remotePort, mark }) => [remotePort, mark]))
      .toEqual([[tcb.localPort, 1]]);
    for (const endpoint of endpoints) newest.generations.learn(endpoint);
    // A third process would learn of it from this one.
    expect([...newest.generations.endpoints()].map(({ mark }) => mark)).toEqual([1]);
    const lists = newest.messages(LATER);
    expect(lists.length).toBe(2);
    for (const { bytes } of lists) other.core.receiveFromPeer(bytes, bytes.length, LATER);

    client.tcp.send(tcb, new Uint8Array(10), 0, LATER);
    expect(other.take(packetsOf(client, LATER))).toEqual([]);
    const handed = other.core.peers!.next()!;
    expect(handed.to).toBe(0);
    newest.core.receiveFromPeer(handed.bytes, handed.bytes.length, LATER);
    expect(newest.generations.next()).toMatchObject({ generation: 1 });
    expect(other.core.stats.resetsSent).toBe(0);

    // Announced again until that process has ended.
    expect(newest.messages(LATER + ANNOUNCE_MS).length).toBe(2);
    newest.generations.removeEarlier(1);
    expect(newest.messages(LATER + 2 * ANNOUNCE_MS).length).toBe(1);
  });
});
