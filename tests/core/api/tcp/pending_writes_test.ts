import { describe, expect, test } from "bun:test";
import {
  mayWrite,
  PendingWrites,
  type SendBuffer,
} from "../../../../core/api/tcp/pending_writes.ts";

/** A send buffer of 100,000 bytes; `awaits` counts the requests for more room. */
function buffer(
  room: number,
): SendBuffer & { sendRoom: number; isSendOver: boolean; awaits: number } {
  return {
    sendRoom: room,
    sendLimit: 100_000,
    isSendOver: false,
    awaits: 0,
    writeNow(bytes, from) {
      const taken = Math.min(this.sendRoom, bytes.length - from);
      this.sendRoom -= taken;
      return taken;
    },
    awaitRoom() {
      this.awaits++;
    },
  };
}

describe("PendingWrites", () => {
  // A write is served to its end before the next one begins.
  test("serves writes in order, as far as there is room", async () => {
    const pending = new PendingWrites();
    const first = pending.addWrite(new Uint8Array(10), 4);
    const second = pending.addWrite(new Uint8Array(8), 0);
    const send = buffer(10);
    pending.serveWrites(send);
    expect([await first, pending.hasWrites, pending.unsent().map((each) => each.length)])
      .toEqual([10, true, [4]]);
    send.sendRoom = 4;
    pending.serveWrites(send);
    expect([await second, pending.isEmpty]).toEqual([8, true]);
  });

  // A caller that fills the buffer in place needs enough room at once.
  test("waits for room without bytes", async () => {
    const pending = new PendingWrites();
    const waited = pending.addWaitForRoom(20);
    const send = buffer(19);
    pending.serveWrites(send);
    expect([pending.hasWrites, send.awaits]).toEqual([true, 1]);
    send.sendRoom = 20;
    pending.serveWrites(send);
    expect([await waited, send.sendRoom]).toEqual([0, 20]);
  });

  // A view without a length grows with its buffer: only the bytes of the call are sent.
  test("keeps the length of an array whose buffer grows", async () => {
    const bytes = new ArrayBuffer(4, { maxByteLength: 16 });
    const pending = new PendingWrites();
    const written = pending.addWrite(new Uint8Array(bytes), 1);
    bytes.resize(8);
    const send = buffer(100);
    pending.serveWrites(send);
    expect([await written, send.sendRoom]).toEqual([4, 97]);
  });

  // The following writes are served.
  test("rejects a write whose array has become shorter", async () => {
    const bytes = new ArrayBuffer(4, { maxByteLength: 16 });
    const pending = new PendingWrites();
    const lost = pending.addWrite(new Uint8Array(bytes), 1);
    const next = pending.addWrite(new Uint8Array(2), 0);
    bytes.resize(2);
    pending.serveWrites(buffer(100));
    const error = await lost.catch((error: unknown) => error);
    expect(String(error)).toContain("1 of its 4 bytes were accepted");
    expect(await next).toBe(2);
  });

  // Waking a relay for each segment would take longer than sending it.
  test("calls the listener once there is room for more than a few segments", () => {
    const pending = new PendingWrites();
    let calls = 0;
    pending.listener = { onWritable: () => calls++ };
    const send = buffer(32 * 1024 - 1);
    pending.serveListener(send);
    expect([calls, send.awaits, pending.isEmpty]).toEqual([0, 1, false]);
    send.sendRoom++;
    pending.serveListener(send);
    pending.serveListener(send);
    expect([calls, pending.isEmpty]).toEqual([1, true]);
  });

  // The listener finds the reason when it writes.
  test("calls the listener when the buffer takes no more bytes", () => {
    const pending = new PendingWrites();
    const send = buffer(0);
    void pending.addWrite(new Uint8Array(1), 0).catch(() => {});
    expect(mayWrite(send, pending)).toBe(false);
    send.isSendOver = true;
    expect(mayWrite(send, pending)).toBe(true);
  });

  // The connection was reset.
  test("rejects all writes at the end", async () => {
    const pending = new PendingWrites();
    const writes = [pending.addWrite(new Uint8Array(1), 0), pending.addWaitForRoom(1)];
    pending.reject(() => new Error("reset"));
    const errors = await Promise.all(writes.map((each) => each.catch(String)));
    expect([errors, pending.isEmpty]).toEqual([["Error: reset", "Error: reset"], true]);
  });
});
