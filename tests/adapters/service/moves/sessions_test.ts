import { readdirSync } from "node:fs";
import { describe, expect } from "bun:test";
import { connectMessages } from "../../../../adapters/host/native/message_listener.ts";
import { MessageSender } from "../../../../adapters/host/native/descriptor_messages.ts";
import { nativeSockets } from "../../../../adapters/host/native/sockets.ts";
import { openEventfd } from "../../../../adapters/runtime/libc/host.ts";
import {
  DescriptorReceiver,
  MAX_WAITING_DESCRIPTORS,
} from "../../../../adapters/service/moves/descriptor_channel.ts";
import {
  decodeMessage,
  encodeMessage,
  type MoveMessage,
} from "../../../../adapters/service/moves/messages.ts";
import {
  IncomingSession,
  OutgoingSession,
  type Session,
} from "../../../../adapters/service/moves/sessions.ts";
import { silentLogger } from "../../../../core/api/environment.ts";
import { SERVER } from "../../../core/api/moves/three_stacks.ts";
import { testRequiring } from "../../../support/requirements.ts";
import { ForwardingStacks, PORT } from "./forwarded_connections.ts";

const NEEDS = ["native-sockets"] as const;

/** Two services with forwarded connections; their channel is in memory, their sockets pass through the kernel. */
function services(stacks: ForwardingStacks, isLocal: boolean) {
  const [first, second] = stacks.net.servers;
  const sent: MoveMessage["type"][] = [];
  const sendTo = (target: () => Session) => (message: MoveMessage) => {
    sent.push(message.type);
    const read = decodeMessage(encodeMessage(message))!;
    queueMicrotask(() => target().receive(read));
    return true;
  };
  const sockets = isLocal ? nativeSockets() : undefined;
  const outgoing: OutgoingSession = new OutgoingSession(first, {
    send: sendTo(() => incoming),
    log: silentLogger,
    sockets,
    clock: stacks.net.clock,
  });
  const incoming = new IncomingSession(second, {
    send: sendTo(() => outgoing),
    log: silentLogger,
    sockets,
  });
  incoming.begin();
  return { outgoing, incoming, sent };
}

async function exchange(stacks: ForwardingStacks): Promise<() => Promise<void>> {
  const accepted = stacks.accepts();
  const client = stacks.net.client.connect(`${SERVER}:${PORT}`);
  await stacks.until(client.opened);
  const host = await stacks.until(accepted);
  host.on("data", (chunk) => host.write(chunk));
  host.resume();
  return async () => {
    await stacks.until(client.write(new Uint8Array([1, 2, 3])));
    const answer = new Uint8Array(3);
    expect(await stacks.until(client.read(answer))).toBe(3);
    expect([...answer]).toEqual([1, 2, 3]);
  };
}

describe("a drain to another service", () => {
  // On one machine the sockets to the targets are passed; the targets notice nothing.
  testRequiring(NEEDS, "moves forwarded connections within one machine", async () => {
    await using stacks = await ForwardingStacks.open({});
    const exchanges = [];
    for (let i = 0; i < 20; i++) exchanges.push(await exchange(stacks));
    for (const each of exchanges) await each();
    const { outgoing, incoming } = services(stacks, true);
    const report = await stacks.until(outgoing.out.move());
    expect(report).toMatchObject({ moved: 20, stayed: 0, lost: 0, reasons: {} });
    for (const each of exchanges) await each();
    outgoing.out.release();
    for (const session of [outgoing, incoming]) session.end();
    stacks.net.route(1);
    for (const each of exchanges) await each();
  });

  // To another machine they cannot go, and continue here.
  testRequiring(NEEDS, "leaves forwarded connections on their machine", async () => {
    await using stacks = await ForwardingStacks.open({});
    const each = await exchange(stacks);
    const { outgoing, sent } = services(stacks, false);
    const report = await stacks.until(outgoing.out.move());
    const reasons = { "forward has a socket of the host that cannot be passed on": 1 };
    expect(report).toMatchObject({ moved: 0, stayed: 1, lost: 0, reasons });
    expect(sent).not.toContain("descriptors");
    await each();
  });

  // A record whose sockets are missing is refused: the connection goes on with its own.
  testRequiring(NEEDS, "takes back a connection whose socket was lost", async () => {
    await using stacks = await ForwardingStacks.open({});
    const each = await exchange(stacks);
    const [first] = stacks.net.servers;
    const elsewhere = DescriptorReceiver.open(nativeSockets()!);
    const misled: OutgoingSession = new OutgoingSession(first, {
      send: (message) => {
        queueMicrotask(() => incoming.receive(message));
        return true;
      },
      log: silentLogger,
      sockets: nativeSockets(),
      clock: stacks.net.clock,
    });
    const incoming = new IncomingSession(stacks.net.servers[1], {
      send: (message) => {
        queueMicrotask(() => misled.receive(message));
        return true;
      },
      log: silentLogger,
      sockets: undefined,
    });
    misled.receive({ type: "descriptors", id: 0, ...elsewhere.place });
    const report = await stacks.until(misled.out.move());
    expect(report).toMatchObject({ moved: 0, stayed: 1, lost: 0 });
    expect(Object.keys(report.reasons)[0]).toContain("it has 1 attachments, and 0 were passed");
    await each();
    for (const session of [misled, incoming]) session.end();
    elsewhere.close();
  });
});

describe("the socket for descriptors", () => {
  const open = () => readdirSync("/proc/self/fd").length;

  // Every process of the network namespace can find the name. A process without the token is disconnected, and its
  // descriptors are closed. The sender can still connect.
  testRequiring(NEEDS, "refuses strangers", () => {
    const sockets = nativeSockets()!;
    const before = open();
    const receiver = DescriptorReceiver.open(sockets);
    const { name, token } = receiver.place;
    const sender = new MessageSender(sockets.host);
    const message = (bytes: readonly number[], id: number) =>
      new Uint8Array([...bytes, 0, 0, 0, id]);
    for (const bytes of [[], [1], new Array(16).fill(0), [...token].slice(1), [...token, 0]]) {
      const stranger = connectMessages(sockets, name);
      const eventfd = openEventfd(sockets.host);
      expect(sender.send(stranger, message(bytes, 1), [eventfd])).toBe(0);
      expect(receiver.take(1)).toEqual([]);
      for (const each of [stranger, eventfd]) sockets.host.libc.close(each);
    }
    const own = connectMessages(sockets, name);
    const eventfd = openEventfd(sockets.host);
    expect(sender.send(own, message([...token], 2), [eventfd])).toBe(0);
    expect(() => receiver.take(2)).toThrow("is not a socket for a byte stream");
    for (const each of [own, eventfd]) sockets.host.libc.close(each);
    receiver.close();
    expect(open()).toBe(before);
  });

  // A sender that passes descriptors and never a record, or the same number twice, and then dies.
  testRequiring(NEEDS, "holds a bounded number, and none after the end", () => {
    const sockets = nativeSockets()!;
    const before = open();
    const receiver = DescriptorReceiver.open(sockets);
    const { name, token } = receiver.place;
    const own = connectMessages(sockets, name);
    const eventfd = openEventfd(sockets.host);
    const sender = new MessageSender(sockets.host);
    for (let i = 0; i < 2 * MAX_WAITING_DESCRIPTORS; i++) {
      const message = new Uint8Array([...token, 0, 0, 0, i >> 1]);
      expect(sender.send(own, message, [eventfd])).toBe(0);
      if (i % 16 === 15) receiver.take(200);
    }
    const held = open() - before;
    expect(held).toBeLessThanOrEqual(MAX_WAITING_DESCRIPTORS + 5);
    for (const each of [own, eventfd]) sockets.host.libc.close(each);
    receiver.close();
    expect(open()).toBe(before);
  });
});
