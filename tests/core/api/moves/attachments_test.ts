import { describe, expect, test } from "bun:test";
import type { Attachment } from "../../../../core/api/moves/types.ts";
import type { Plugin } from "../../../../core/api/types.ts";
import { SERVER, ThreeStacks } from "./three_stacks.ts";

/** Records what happens to it. */
class RecordedAttachment implements Attachment {
  readonly calls: string[] = [];

  hold(): void {
    this.calls.push("hold");
  }

  resume(): void {
    this.calls.push("resume");
  }

  release(): void {
    this.calls.push("release");
  }
}

/** Attaches `own`, and keeps what it gets in thaw. */
function attaching(own: readonly Attachment[], got: Attachment[] = []): Plugin {
  return {
    name: "attaching",
    handle: ({ socket }) => socket.closed.then(() => {}),
    freeze(_c, attach) {
      for (const each of own) attach(each);
      return null;
    },
    async thaw({ socket }, _state, _next, attachments) {
      got.push(...attachments);
      for (const each of attachments) each.resume();
      await socket.closed;
    },
  };
}

async function connected(net: ThreeStacks): Promise<void> {
  await net.run(net.client.connect(`${SERVER}:80`).opened);
}

const everything = { carries: () => true };

describe("an attachment", () => {
  // freeze() holds the attachment at once, before anything else can happen. The old side releases it when the new
  // side has the connection.
  test("is held here, passed on, and given up", async () => {
    await using net = new ThreeStacks();
    const [here, there] = [new RecordedAttachment(), new RecordedAttachment()];
    const got: Attachment[] = [];
    net.servers[0].use(80, attaching([here]));
    net.servers[1].use(80, attaching([], got));
    await connected(net);
    const [connection] = net.servers[0].connections();
    const frozen = await net.run(net.servers[0].freeze(connection!, everything));
    expect(here.calls).toEqual(["hold"]);
    expect(frozen.attachments).toEqual([here]);
    net.servers[1].thaw(frozen.record, { attachments: [there] });
    frozen.redirect((packet) => net.servers[1].receive(packet));
    expect(here.calls).toEqual(["hold", "release"]);
    expect(got).toEqual([there]);
    expect(there.calls).toEqual(["resume"]);
  });

  test("is used again after resume", async () => {
    await using net = new ThreeStacks();
    const own = new RecordedAttachment();
    net.servers[0].use(80, attaching([own]));
    await connected(net);
    const [connection] = net.servers[0].connections();
    (await net.run(net.servers[0].freeze(connection!, everything))).resume();
    await net.clock.advance(1);
    expect(own.calls).toEqual(["hold", "resume"]);
  });

  // After release() no stack has the connection, so its attachments end.
  test("is given up by release", async () => {
    await using net = new ThreeStacks();
    const own = new RecordedAttachment();
    net.servers[0].use(80, attaching([own]));
    await connected(net);
    const [connection] = net.servers[0].connections();
    (await net.run(net.servers[0].freeze(connection!, everything))).release();
    expect(own.calls).toEqual(["hold", "release"]);
  });

  // A caller that does not say which attachments it can carry gets no connection that has one.
  test("keeps the connection where it cannot be carried", async () => {
    await using net = new ThreeStacks();
    const own = new RecordedAttachment();
    net.servers[0].use(80, attaching([own]));
    await connected(net);
    const [connection] = net.servers[0].connections();
    await expect(net.run(net.servers[0].freeze(connection!))).rejects.toThrow(
      "attaching has a socket of the host that cannot be passed on",
    );
    expect(own.calls).toEqual([]);
    expect(net.servers[0].connections().length).toBe(1);
  });

  // A record without its attachments, or with too many, is refused, and the caller keeps them.
  test.each([0, 1, 3])("is refused if their number differs, %d of 2", async (count) => {
    await using net = new ThreeStacks();
    const own = [new RecordedAttachment(), new RecordedAttachment()];
    for (const server of net.servers) server.use(80, attaching(own));
    await connected(net);
    const [connection] = net.servers[0].connections();
    const { record } = await net.run(net.servers[0].freeze(connection!, everything));
    const attachments = Array.from({ length: count }, () => new RecordedAttachment());
    expect(() => net.servers[1].thaw(record, { attachments })).toThrow(
      `it has 2 attachments, and ${count} were passed`,
    );
    expect(attachments.flatMap(({ calls }) => calls)).toEqual([]);
    expect(net.servers[1].connections()).toEqual([]);
  });

  // A plugin that fails before it uses an attachment would leave a socket open for ever.
  test("is given up if thaw fails", async () => {
    await using net = new ThreeStacks();
    net.servers[0].use(80, attaching([new RecordedAttachment()]));
    const failing: Plugin = {
      ...attaching([]),
      thaw: () => Promise.reject(new Error("the state is of another time")),
    };
    net.servers[1].use(80, failing);
    await connected(net);
    const [connection] = net.servers[0].connections();
    const frozen = await net.run(net.servers[0].freeze(connection!, everything));
    const there = new RecordedAttachment();
    net.servers[1].thaw(frozen.record, { attachments: [there] });
    frozen.redirect((packet) => net.servers[1].receive(packet));
    await net.clock.advance(1);
    expect(there.calls).toEqual(["release"]);
    expect(net.servers[1].connections()).toEqual([]);
  });

  test("is limited to eight for each plugin", async () => {
    await using net = new ThreeStacks();
    net.servers[0].use(80, attaching(Array.from({ length: 9 }, () => new RecordedAttachment())));
    await connected(net);
    const [connection] = net.servers[0].connections();
    await expect(net.run(net.servers[0].freeze(connection!, everything))).rejects.toThrow(
      "more than 8 attachments",
    );
  });
});

describe("the state of a plugin", () => {
  // New code that cannot read the state of the old one says so with its version; the connection stays.
  test("is read only by its own version", async () => {
    await using net = new ThreeStacks();
    net.servers[0].use(80, attaching([]));
    net.servers[1].use(80, { ...attaching([]), stateVersion: 2 });
    await connected(net);
    const [connection] = net.servers[0].connections();
    const frozen = await net.run(net.servers[0].freeze(connection!));
    expect(() => net.servers[1].thaw(frozen.record)).toThrow("not served by attaching here");
    frozen.resume();
    expect(net.servers[0].connections().length).toBe(1);
  });

  // The reason names the one plugin of the chain that keeps the connection.
  test("is missing where a plugin does not take part", async () => {
    await using net = new ThreeStacks();
    const tls: Plugin = { name: "tls", handle: (_c, next) => next() };
    net.servers[0].use(80, tls, attaching([]));
    await connected(net);
    const [connection] = net.servers[0].connections();
    await expect(net.run(net.servers[0].freeze(connection!))).rejects.toThrow(
      "tls does not take part in moves",
    );
  });
});

describe("a connection of a stack to itself", () => {
  // The end that stays would send its segments to its own stack, where the other end no longer is.
  test("does not move", async () => {
    await using net = new ThreeStacks();
    const [server] = net.servers;
    server.use(80, attaching([]));
    await net.run(server.connect(`${SERVER}:80`).opened);
    const served = server.connections().find(({ plugin }) => plugin !== undefined);
    await expect(net.run(server.freeze(served!))).rejects.toThrow(
      "both of its ends are in this stack",
    );
    expect(server.connections().length).toBe(2);
  });
});
