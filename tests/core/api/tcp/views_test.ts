import { describe, expect, test } from "bun:test";
import { bytes, codeOf, readText, StackPair } from "../stack_pair.ts";

const text = (view: Uint8Array) => new TextDecoder().decode(view);

describe("views", () => {
  // 300,000 bytes wrap the ring several times; concatenated, the views are the data sent.
  test("return all data in order, up to the peer's FIN (RFC 9293 3.10.3)", async () => {
    await using pair = new StackPair();
    const { client, server } = await pair.connect();
    const sent = Uint8Array.from({ length: 300_000 }, (_, i) => i * 7 + (i >> 8));
    void client.write(sent).then(() => client.closeWrite());
    const received = (async () => {
      const whole = new Uint8Array(sent.length);
      let at = 0;
      for await (const view of server.views()) {
        whole.set(view, at);
        at += view.length;
      }
      return whole.subarray(0, at);
    })();
    expect(areEqual(await pair.run(received), sent)).toBe(true);
  });

  // In profile local, the bytes are not acknowledged while the view is in use.
  test("count as read when the next view is requested", async () => {
    await using pair = new StackPair();
    const { client, server } = await pair.connect();
    const views = server.views();
    await client.write(bytes("first"));
    const first = await pair.run(views.next());
    expect(text(first.value)).toBe("first");
    await pair.clock.advance(10);
    expect(client.stats().unacknowledged).toBe(5);
    views.next().catch(() => {});
    await pair.clock.advance(10);
    expect(client.stats().unacknowledged).toBe(0);
  });

  // Another connection uses buffers in the meantime; the view does not change.
  test("are not affected by other connections", async () => {
    await using pair = new StackPair();
    const one = await pair.connect();
    const other = await pair.connect();
    await one.client.write(bytes("kept"));
    const view = (await pair.run(one.server.views().next())).value as Uint8Array;
    one.client.abort();
    await pair.clock.advance(10);
    await other.client.write(new Uint8Array(4096).fill(120));
    await pair.run(other.server.read(new Uint8Array(4096)));
    await other.client.write(new Uint8Array(2048).fill(121));
    await pair.clock.advance(10);
    expect(text(view)).toBe("kept");
  });

  // Leaving the loop releases the last view; the rest is for other readers.
  test("can be left, and the rest read in another way", async () => {
    await using pair = new StackPair();
    const { client, server } = await pair.connect();
    await client.write(bytes("one"));
    const first = (async () => {
      for await (const view of server.views()) return text(view);
    })();
    expect(await pair.run(first)).toBe("one");
    await client.write(bytes("two"));
    await client.closeWrite();
    expect(await pair.run(readText(server))).toBe("two");
  });

  // A second request before the first has resolved waits too.
  test("can be requested concurrently", async () => {
    await using pair = new StackPair();
    const { client, server } = await pair.connect();
    const views = server.views();
    const asked = [views.next(), views.next(), server.read(new Uint8Array(1))];
    await client.closeWrite();
    const end = { done: true, value: undefined } as const;
    expect(await pair.run(Promise.all(asked))).toEqual([end, end, null]);
  });

  test("end with the connection's error", async () => {
    await using pair = new StackPair();
    const { client, server } = await pair.connect();
    const next = server.views().next();
    client.abort();
    expect(await pair.run(codeOf(next))).toBe("CONNECTION_RESET");
  });
});

function areEqual(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}
