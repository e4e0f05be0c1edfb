import { describe, expect, test } from "bun:test";
import type { Plugin, TcpSocket } from "../../../../core/api/types.ts";
import { echo } from "../../../../plugins/echo.ts";
import { SERVER, ThreeStacks } from "./three_stacks.ts";

/** Answers each byte with `word`; its state is the number of bytes so far. */
function answering(word: string, options: Partial<Plugin> = {}): Plugin {
  const counts = new WeakMap<TcpSocket, number>();
  const answer = async (socket: TcpSocket, start: number) => {
    counts.set(socket, start);
    for await (const chunk of socket) {
      counts.set(socket, counts.get(socket)! + chunk.length);
      await socket.write(new TextEncoder().encode(`${word}${counts.get(socket)} `));
    }
  };
  return {
    name: "answering",
    handle: ({ socket }) => answer(socket, 0),
    freeze: ({ socket }) => counts.get(socket) ?? 0,
    thaw: ({ socket }, start) => answer(socket, Number(start)),
    ...options,
  };
}

async function ask(net: ThreeStacks, client: TcpSocket): Promise<string> {
  await net.run(client.write(new Uint8Array(1)));
  const answer = new Uint8Array(20);
  const count = await net.run(client.read(answer));
  return new TextDecoder().decode(answer.subarray(0, count ?? 0));
}

for (const profile of ["local", "internet"] as const) {
  describe(`handlers that were replaced, profile ${profile}`, () => {
    // The peer notices nothing: the next answer is that of the new code, which continues the count.
    test("leave their connections to the new ones", async () => {
      await using net = new ThreeStacks({ profile });
      const [server] = net.servers;
      const binding = server.use(80, answering("old"));
      const clients = [1, 2, 3].map(() => net.client.connect(`${SERVER}:80`));
      for (const client of clients) expect(await ask(net, client)).toBe("old1 ");
      const retired = binding.replace(answering("new"));
      expect(await ask(net, clients[0]!)).toBe("old2 ");
      expect(await net.run(retired.move())).toEqual({ moved: 3, stayed: 0 });
      await net.run(retired.finished);
      expect(binding.running).toBe(3);
      expect(await ask(net, clients[0]!)).toBe("new3 ");
      expect(await ask(net, clients[1]!)).toBe("new2 ");
      expect(net.client.connections().length).toBe(3);
    });
  });
}

describe("handlers that were replaced", () => {
  // The handlers were replaced by other plugins, by a plugin with another version of the state, or by one that does
  // not take part.
  test.each(
    [
      ["another plugin", echo()],
      ["another version", answering("new", { stateVersion: 1 })],
      ["no thaw", { name: "answering", handle: ({ socket }) => void socket.close() } as Plugin],
    ] as const,
  )("keep their connections: %s", async (_why, plugin) => {
    await using net = new ThreeStacks();
    const binding = net.servers[0].use(80, answering("old"));
    const client = net.client.connect(`${SERVER}:80`);
    expect(await ask(net, client)).toBe("old1 ");
    const retired = binding.replace(plugin);
    expect(await net.run(retired.move())).toEqual({ moved: 0, stayed: 1 });
    expect(await ask(net, client)).toBe("old2 ");
    expect(retired.running).toBe(1);
  });

  // The connection is busy at first; a later attempt moves it.
  test("leave a connection that is busy for later", async () => {
    await using net = new ThreeStacks();
    let isBusy = true;
    const old = answering("old");
    const busy = (c: Parameters<NonNullable<Plugin["freeze"]>>[0]) =>
      isBusy ? undefined : old.freeze!(c, () => {});
    const binding = net.servers[0].use(80, { ...old, freeze: busy });
    const client = net.client.connect(`${SERVER}:80`);
    expect(await ask(net, client)).toBe("old1 ");
    const retired = binding.replace(answering("new"));
    expect(await net.run(retired.move())).toEqual({ moved: 0, stayed: 1 });
    isBusy = false;
    expect(await net.run(retired.move())).toEqual({ moved: 1, stayed: 0 });
    expect(await ask(net, client)).toBe("new2 ");
  });

  // The binding is gone: there is nobody to continue the connection.
  test("keep their connections after the binding was removed", async () => {
    await using net = new ThreeStacks();
    const binding = net.servers[0].use(80, answering("old"));
    const client = net.client.connect(`${SERVER}:80`);
    expect(await ask(net, client)).toBe("old1 ");
    const retired = binding.replace(answering("new"));
    void binding.remove({ graceMs: Infinity });
    expect(await net.run(retired.move())).toEqual({ moved: 0, stayed: 1 });
    expect(await ask(net, client)).toBe("old2 ");
  });
});
