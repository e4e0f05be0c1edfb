import { describe, expect, test } from "bun:test";
import { FrameWriter } from "../../../plugins/http2/frames.ts";
import { SessionWriter } from "../../../plugins/http2/session_writer.ts";
import { settle } from "../../support/fake_socket.ts";

/** A writer whose socket has room for `room` bytes, and the record of its calls. */
function sessionWriter(room: number) {
  const calls: string[] = [];
  const output = new FrameWriter(16);
  const socket = {
    room,
    waiting: undefined as PromiseWithResolvers<number> | undefined,
    tryWrite(bytes: Uint8Array) {
      const taken = Math.min(bytes.length, this.room);
      this.room -= taken;
      calls.push(`tryWrite ${bytes.length}`);
      return taken;
    },
    write(bytes: Uint8Array) {
      calls.push(`write ${bytes.length}`);
      this.waiting = Promise.withResolvers();
      return this.waiting.promise;
    },
  };
  const writer = new SessionWriter(
    socket,
    { output, pump: () => void calls.push("pump") },
    {
      setWrite: (ms) => void calls.push(`setWrite ${ms}`),
      clearWrite: () => void calls.push("clearWrite"),
    },
    1000,
    {
      flushed: () => void calls.push("flushed"),
      failed: () => void calls.push("failed"),
    },
  );
  return { writer, output, socket, calls };
}

describe("SessionWriter", () => {
  // Three calls in one turn make one write.
  test("flushes once a turn", async () => {
    const { writer, output, calls } = sessionWriter(100);
    for (let i = 0; i < 3; i++) {
      output.reserve(10);
      writer.flushSoon();
    }
    await settle();
    expect(calls).toEqual(["tryWrite 30", "pump", "flushed"]);
    expect(output.length).toBe(0);
  });

  // While a read is processed, nothing is written; the end of the read flushes.
  test("writes nothing while it is corked", async () => {
    const { writer, output, calls } = sessionWriter(100);
    writer.isCorked = true;
    output.reserve(10);
    writer.flushSoon();
    await settle();
    expect(calls).toEqual([]);
  });

  // Room for 4 of 10 bytes: the rest waits with a timeout, and 5 more bytes wait behind it.
  test("waits for room in the socket", async () => {
    const { writer, output, socket, calls } = sessionWriter(4);
    const before = output.bytes;
    output.reserve(10);
    writer.flush();
    // The socket reads from the old buffer until the write is done.
    expect(output.bytes).not.toBe(before);
    output.reserve(5);
    writer.flush();
    expect(calls.splice(0)).toEqual([
      "tryWrite 10",
      "setWrite 1000",
      "write 6",
      "pump",
      "flushed",
      "flushed",
    ]);
    socket.room = 100;
    socket.waiting?.resolve(6);
    await settle();
    expect(calls).toEqual(["clearWrite", "pump", "tryWrite 5", "pump", "flushed"]);
    expect(writer.writing).toBe(undefined);
  });

  // Large output while the socket has no room: two buffers take turns, and the connection keeps none at the end.
  test("reuses its buffers while it waits for room", async () => {
    const { writer, output, socket } = sessionWriter(0);
    const buffers = new Set<Uint8Array>();
    output.reserve(20_000);
    writer.flush();
    for (let round = 0; round < 6; round++) {
      output.reserve(20_000);
      buffers.add(output.bytes);
      socket.waiting?.resolve(20_000);
      await settle();
    }
    expect(buffers.size).toBe(2);
    socket.room = 100_000;
    socket.waiting?.resolve(20_000);
    await settle();
    expect(writer.writing).toBe(undefined);
    writer.shrink();
    expect(output.bytes.length).toBe(4096);
  });

  // A large response to a client whose window opens and closes: sometimes there is room for all of the output.
  test("keeps its buffers when there is room for all output in between", async () => {
    const { writer, output, socket } = sessionWriter(0);
    const buffers = new Set<Uint8Array>();
    for (let round = 0; round < 6; round++) {
      output.reserve(20_000);
      buffers.add(output.bytes);
      socket.room = 0;
      writer.flush();
      output.reserve(20_000);
      buffers.add(output.bytes);
      socket.room = 100_000;
      socket.waiting?.resolve(20_000);
      await settle();
      expect(writer.writing).toBe(undefined);
    }
    expect(buffers.size).toBe(2);
  });

  // Ten connections have waited for room; of their buffers four are kept.
  test("keeps at most four buffers for all connections", async () => {
    const waiting = () => {
      const made = sessionWriter(0);
      made.output.reserve(20_000);
      made.writer.flush();
      return made;
    };
    const first = Array.from({ length: 10 }, waiting);
    for (const { socket, writer } of first) {
      socket.waiting?.resolve(20_000);
      await settle();
      expect(writer.writing).toBe(undefined);
    }
    const reused = Array.from({ length: 10 }, waiting).filter(({ output }) =>
      output.bytes.length > 4096
    );
    expect(reused.length).toBe(4);
  });

  // The connection breaks during a write.
  test("reports a write that fails", async () => {
    const { writer, output, socket, calls } = sessionWriter(4);
    output.reserve(10);
    writer.flush();
    socket.waiting?.reject(new Error("reset"));
    await settle();
    expect(calls.slice(-2)).toEqual(["failed", "clearWrite"]);
  });

  // Nothing is written to a connection that is lost.
  test("writes nothing after stop()", () => {
    const { writer, output, calls } = sessionWriter(100);
    output.reserve(10);
    writer.stop();
    writer.flush();
    expect(calls).toEqual(["flushed"]);
  });
});
