import { describe, expect, test } from "bun:test";
import { OPCODE } from "../../../../plugins/http/websocket/frame_encoder.ts";
import { SendQueue } from "../../../../plugins/http/websocket/send_queue.ts";
import { settle } from "../../../support/fake_socket.ts";
import { textOf } from "../support.ts";
import { serverFrames } from "./support.ts";

describe("SendQueue", () => {
  // The frames of one turn leave together; those of the next turn reuse their array.
  test("writes the frames of one turn in one write", async () => {
    const { queue, writes } = queueTo(Infinity);
    queue.putText("a");
    queue.put(OPCODE.pong, Uint8Array.of(98));
    expect(writes).toEqual([]);
    await settle();
    expect(writes.map(serverFrames)).toEqual([[[1, "a"], [10, "b"]]]);
    queue.putText("c");
    await settle();
    expect(writes.slice(1).map(serverFrames)).toEqual([[[1, "c"]]]);
    expect(queue.bytes).toBe(0);
  });

  // While the queue is held, nothing is written, even if turns of the event loop pass, as with async handlers.
  test("writes nothing while it is held", async () => {
    const { queue, writes } = queueTo(Infinity);
    queue.hold();
    queue.putText("a");
    await settle();
    queue.putText("b");
    expect(writes).toEqual([]);
    queue.release();
    expect(writes.map(serverFrames)).toEqual([[[1, "a"], [1, "b"]]]);
  });

  // A socket with little room: the rest of the frames waits, and all of it arrives in order.
  test("passes on the rest when the socket has room again", async () => {
    for (const size of [1, 100, 5000, 40_000]) {
      const { queue, writes, room, pending } = queueTo(10);
      const texts = Array.from({ length: 12 }, (_, i) => `${i}`.padEnd(size, "\u00fc"));
      for (const text of texts) {
        expect(queue.putText(text)).toBe(true);
        if (text.endsWith("3")) await settle();
      }
      await settle();
      expect(queue.bytes).toBeGreaterThan(0);
      room.left = 15_000;
      while (pending.length > 0) {
        pending.shift()!();
        await settle();
      }
      expect(serverFrames(writes.join(""))).toEqual(texts.map((text) => [1, text]));
      expect(queue.bytes).toBe(0);
    }
  });

  // What waits for the peer is bounded, counted in bytes of frames; what the socket accepts is not.
  test("refuses a frame above its limit", async () => {
    const { queue, writes } = queueTo(50, 100);
    expect(queue.put(OPCODE.binary, new Uint8Array(98))).toBe(true);
    expect(queue.put(OPCODE.binary, new Uint8Array(48))).toBe(true);
    expect(queue.bytes).toBe(100);
    expect(queue.putText("")).toBe(false);
    expect(queue.put(OPCODE.ping, new Uint8Array(0))).toBe(false);
    await settle();
    expect(writes.join("").length).toBe(100);
    // A text counts with its bytes in UTF-8, not with the most that it could have.
    const exact = queueTo(0, 60);
    expect(exact.queue.putText("x".repeat(58))).toBe(true);
    expect(queueTo(0, 60).queue.putText("\u00fc".repeat(30))).toBe(false);
  });

  // The wait ends when the queue is empty, or when the connection has broken and the rest is dropped.
  test("tells when it has drained", async () => {
    const { queue, pending } = queueTo(0);
    let isDrained = false;
    queue.putText("abc");
    const drained = queue.drained(0).then(() => isDrained = true);
    await settle();
    expect(isDrained).toBe(false);
    pending.shift()!();
    await drained;
    queue.putText("abc");
    queue.putText("x".repeat(20_000));
    const broken = queue.drained(0);
    await settle();
    pending.shift()!(new Error("reset"));
    await broken;
    expect(queue.bytes).toBe(0);
  });
});

/** A queue in front of a socket that accepts `left` bytes, and after that one write at a time. */
function queueTo(left: number, maxBytes = 16_000_000) {
  const room = { left };
  const writes: string[] = [];
  const pending: ((error?: Error) => void)[] = [];
  const tryWrite = (bytes: Uint8Array) => {
    const count = Math.min(room.left, bytes.length);
    room.left -= count;
    if (count > 0) writes.push(textOf(bytes.subarray(0, count)));
    return count;
  };
  const write = (bytes: Uint8Array) => {
    writes.push(textOf(bytes));
    return new Promise<void>((resolve, reject) => {
      pending.push((error) => error ? reject(error) : resolve());
    });
  };
  return { queue: new SendQueue({ tryWrite }, write, maxBytes), writes, room, pending };
}
