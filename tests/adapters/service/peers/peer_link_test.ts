import { describe, expect, test } from "bun:test";
import { linkPair } from "../../../../adapters/links/memory.ts";
import { openPeers } from "../../../../adapters/service/peers/open_peers.ts";
import { PeerLink } from "../../../../adapters/service/peers/peer_link.ts";
import { silentLogger } from "../../../../core/api/environment.ts";
import { createStack } from "../../../../core/api/stack.ts";
import type { Stack } from "../../../../core/api/types.ts";
import type { Link } from "../../../../core/stack/link.ts";
import { PacketBatch } from "../../../../core/stack/link.ts";
import { OutgoingPacket } from "../../../../core/buffers/outgoing_packet.ts";
import { echo } from "../../../../plugins/echo.ts";
import { bytes } from "../../../support/conversation.ts";
import { TemporaryFolder } from "../../../support/temporary_folder.ts";
import { until } from "../../../support/until.ts";

const SECRET = "0123456789abcdef0123456789abcdef";

/** Two instances with sockets on the loopback interface, each on a link of its own. */
async function twoInstances(folder: TemporaryFolder) {
  folder.write("secret", SECRET);
  const secretFile = `${folder.path}/secret`;
  const open = (self: number) =>
    openPeers(
      { self, secretFile, listen: { hostname: "127.0.0.1", port: 0 }, members: {} },
      silentLogger,
    );
  const peers = [await open(0), await open(1)];
  const members = Object.fromEntries(peers.map(({ socket }, i) => [i, socket.address]));
  for (const [self, each] of peers.entries()) {
    each.update({ self, secretFile, listen: each.socket.address, members });
  }
  await until(() => peers.every((each, self) => each.addressOf(1 - self) !== undefined));
  const links = peers.map(() => linkPair());
  const stacks: Stack[] = links.map(([link], i) => {
    const stack = createStack({
      link: new PeerLink(link, peers[i]!),
      addresses: ["10.0.0.2/24"],
      tcp: { timestamps: true },
    });
    stack.use(7, echo());
    return stack;
  });
  return { peers, stacks, outer: links.map(([, outer]) => outer) };
}

/** A link that sends to one of several links, and receives from all. */
class Router implements Link {
  readonly name = "router";
  readonly features;
  to = 0;
  readonly #links: readonly Link[];

  constructor(links: readonly Link[]) {
    this.#links = links;
    this.features = links[0]!.features;
  }

  receive(batch: PacketBatch): number {
    for (const link of this.#links) {
      const count = link.receive(batch);
      if (count > 0) return count;
    }
    return 0;
  }

  ready(): Promise<boolean> {
    return Promise.race(this.#links.map((link) => link.ready()));
  }

  send(packet: OutgoingPacket): boolean {
    return this.#links[this.to]!.send(packet);
  }

  async close(): Promise<void> {
    for (const link of this.#links) await link.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

describe("PeerLink", () => {
  // The segments of a running connection reach the other instance, and the owner's answers the client.
  test("carries packets between instances over UDP", async () => {
    using folder = new TemporaryFolder();
    const { stacks, outer } = await twoInstances(folder);
    const router = new Router(outer);
    const client = createStack({
      link: router,
      addresses: ["10.0.0.1/24"],
      tcp: { timestamps: true },
    });
    const socket = client.connect("10.0.0.2:7");
    const buffer = new Uint8Array(100_000);
    const say = async (text: string) => {
      await socket.write(bytes(text));
      let answer = "";
      while (answer.length < text.length) {
        const size = await socket.read(buffer);
        answer += new TextDecoder().decode(buffer.subarray(0, size ?? 0));
        if (size === null) break;
      }
      return answer;
    };
    expect(await say("one")).toBe("one");
    router.to = 1;
    expect(await say("two")).toBe("two");
    const long = "x".repeat(200_000);
    expect(await say(long)).toBe(long);
    const counter = (of: number, name: string) => stacks[of]!.stats()[name]!;
    await until(() => counter(0, "receivedFromPeer") === counter(1, "handedToPeer"));
    expect(counter(1, "handedToPeer")).toBeGreaterThan(2);
    expect(counter(1, "connections")).toBe(0);
    await client.close();
    for (const stack of stacks) await stack.close();
  });

  // Any host can send to the port; its datagrams only increment a counter.
  test("drops datagrams of other senders", async () => {
    using folder = new TemporaryFolder();
    const { peers, stacks } = await twoInstances(folder);
    const [one, other] = peers;
    for (let i = 0; i < 100; i++) {
      one!.socket.send(new Uint8Array(i).fill(0xb1), other!.socket.address);
    }
    const dropped = () => {
      const stats = stacks[1]!.stats();
      return (stats["drop.peer-short"] ?? 0) + (stats["drop.peer-address"] ?? 0);
    };
    await until(() => dropped() === 100);
    expect(stacks[1]!.stats()["receivedFromPeer"]).toBe(0);
    for (const stack of stacks) await stack.close();
  });

  // The instances report to each other; one that drains says so.
  test("reports to the others that an instance drains", async () => {
    using folder = new TemporaryFolder();
    const { peers, stacks } = await twoInstances(folder);
    const ownersOf = () =>
      new Set(
        Array.from(
          { length: 64 },
          (_, i) =>
            peers[0]!.group.membership.instanceForNew(Math.imul(i, 0x9e3779b1), performance.now()),
        ),
      );
    await until(() => ownersOf().size === 2);
    peers[1]!.refuseNew();
    await until(() => ownersOf().size === 1);
    for (const stack of stacks) await stack.close();
  });
});
