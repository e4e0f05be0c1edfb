import { describe, expect, test } from "bun:test";
import type { TcpSocket } from "../../../core/api/types.ts";
import { relay } from "../../../plugins/shared/relay.ts";
import { bytes, codeOf, textOf } from "../../support/conversation.ts";
import { type FakeSocket, socketPair } from "../../support/fake_socket.ts";

/** Two connections with a relay between them: `left` is joined to `right`. */
function relayed(): { left: FakeSocket; right: FakeSocket; done: Promise<void> } {
  const { client: left, server: a } = socketPair({ bufferSize: 1000 });
  const { client: b, server: right } = socketPair({ bufferSize: 1000 });
  const done = relay(a, b);
  done.catch(() => {});
  return { left, right, done };
}

describe("relay", () => {
  // A request, its end, the answer, its end.
  test("passes a FIN on and keeps relaying the other direction (RFC 9293 3.6)", async () => {
    const { left, right, done } = relayed();
    await left.write(bytes("request"));
    await left.closeWrite();
    expect(await textOf(right)).toBe("request");
    await right.write(bytes("answer"));
    await right.closeWrite();
    expect(await textOf(left)).toBe("answer");
    await done;
  });

  // The other end may close first: bytes sent to it after its FIN still arrive.
  test("passes on a FIN that the second connection sends first", async () => {
    const { left, right, done } = relayed();
    await right.closeWrite();
    expect(await textOf(left)).toBe("");
    await left.write(bytes("late"));
    await left.closeWrite();
    expect(await textOf(right)).toBe("late");
    await done;
  });

  // More than all buffers hold, both ways at once.
  test("relays bytes both ways at once, in order", async () => {
    const { left, right, done } = relayed();
    const sent = Array.from({ length: 20_000 }, (_, i) => i % 10).join("");
    const write = (socket: TcpSocket) => socket.write(bytes(sent)).then(() => socket.closeWrite());
    const [there, back] = await Promise.all([
      textOf(right),
      textOf(left),
      write(left),
      write(right),
    ]);
    expect(there).toBe(sent);
    expect(back).toBe(sent);
    await done;
  });

  // The right side is not read: the writer waits once the buffers and one chunk are full.
  test("holds a writer back while the other end does not read", async () => {
    const { left, right } = relayed();
    let written = false;
    left.write(new Uint8Array(10_000)).then(() => written = true);
    for (let turn = 0; turn < 1000; turn++) await Promise.resolve();
    expect(written).toBe(false);
    expect(left.stats().bytesOut).toBeLessThanOrEqual(3000);
    const read = right.read(new Uint8Array(10_000));
    expect(await read).toBeGreaterThan(0);
  });

  // A RST on one connection becomes a RST on the other, never a FIN, which would look like a
  // complete stream.
  test("aborts the other connection when one is reset", async () => {
    const { left, right, done } = relayed();
    await left.write(bytes("begun"));
    left.abort();
    expect(await codeOf(done)).toBe("CONNECTION_RESET");
    await expect(textOf(right)).rejects.toThrow("reset");
  });

  // The relay waits for room on the right and reads nothing on the left, yet must notice the reset.
  test("notices a reset while a write is blocked", async () => {
    const { left, right, done } = relayed();
    left.write(new Uint8Array(10_000)).catch(() => {});
    for (let turn = 0; turn < 100; turn++) await Promise.resolve();
    left.abort();
    expect(await codeOf(done)).not.toBe("no error");
    await expect(textOf(right)).rejects.toThrow("reset");
  });

  // The right side answers before it has read everything, then closes.
  test("delivers what a connection sent before it stopped accepting bytes", async () => {
    const { left, right, done } = relayed();
    await right.write(bytes("enough"));
    await right.close();
    await left.write(bytes("more"));
    await left.closeWrite();
    expect(await textOf(left)).toBe("enough");
    await done;
  });
});
