import { afterEach, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { connect, createServer, type Server, type Socket } from "node:net";
import { HostConnection, hostError } from "../../../adapters/host/connection.ts";
import { dialHost } from "../../../adapters/host/dial.ts";
import { bytes, codeOf, received } from "../../support/conversation.ts";

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup();
});

/**
 * Milliseconds until the keep-alive timer of each end is due; `undefined`: not running. User-space
 * jiffies are hundredths of a second (proc(5), /proc/net/tcp).
 */
function keepAliveTimers(port: number): (number | undefined)[] {
  const hex = port.toString(16).toUpperCase().padStart(4, "0");
  const rows = readFileSync("/proc/net/tcp", "utf8").split("\n").map((row) =>
    row.trim().split(/ +/)
  );
  return rows.filter(([, local, remote, state]) => {
    return state === "01" && (local!.endsWith(`:${hex}`) || remote!.endsWith(`:${hex}`));
  }).map((row) => {
    const [timer, when] = row[5]!.split(":");
    return timer === "02" ? parseInt(when!, 16) * 10 : undefined;
  });
}

/** A HostConnection, and its peer as a socket of the runtime. */
async function joined(): Promise<{ connection: HostConnection; peer: Socket }> {
  const { port, accepted } = await listening();
  const connection = await dialHost({ hostname: "127.0.0.1", port });
  const peer = await accepted;
  cleanups.push(() => connection.abort(), () => peer.destroy());
  return { connection, peer };
}

async function listening(): Promise<{ port: number; accepted: Promise<Socket> }> {
  const { promise: accepted, resolve } = Promise.withResolvers<Socket>();
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on("error", () => {});
    resolve(socket);
  });
  cleanups.push(() => server.close());
  return { port: await portOf(server), accepted };
}

function portOf(server: Server): Promise<number> {
  return new Promise((resolve) => {
    server.listen({ host: "127.0.0.1", port: 0 }, () => {
      resolve((server.address() as { port: number }).port);
    });
  });
}

/** Reads everything up to the FIN. */
async function readAll(connection: HostConnection, size = 1024): Promise<string> {
  const chunk = new Uint8Array(size);
  let text = "";
  for (;;) {
    const count = await connection.read(chunk);
    if (count === null) return text;
    text += new TextDecoder().decode(chunk.subarray(0, count));
  }
}

describe("HostConnection", () => {
  // Five bytes, then FIN, read two bytes at a time.
  test("read() fills the array and returns null at the end", async () => {
    const { connection, peer } = await joined();
    peer.end("hello");
    const two = new Uint8Array(2);
    expect(await connection.read(two)).toBe(2);
    expect(two).toEqual(bytes("he"));
    expect(await readAll(connection, 2)).toBe("llo");
    expect(await connection.read(two)).toBeNull();
  });

  // Our FIN is sent first, and the peer answers afterwards.
  test("closeWrite() leaves the other direction open (RFC 9293 3.6)", async () => {
    const { connection, peer } = await joined();
    const asked = received(peer);
    expect(await connection.write(bytes("question"))).toBe(8);
    await connection.closeWrite();
    expect(await asked).toBe("question");
    peer.end("answer");
    expect(await readAll(connection)).toBe("answer");
    await connection.closed;
  });

  // The peer's FIN arrives first; data written afterwards is delivered.
  test("the peer's FIN leaves our direction open (RFC 9293 3.6)", async () => {
    const { connection, peer } = await joined();
    const late = received(peer);
    peer.end();
    expect(await readAll(connection)).toBe("");
    await connection.write(bytes("late"));
    await connection.closeWrite();
    expect(await late).toBe("late");
    await connection.closed;
  });

  // The peer has sent data that is never read: close(2) would reset the connection and lose the
  // answer.
  test("close() delivers written data despite unread bytes (RFC 2525 2.17)", async () => {
    const { connection, peer } = await joined();
    peer.pause();
    peer.write("unread");
    expect(await connection.read(new Uint8Array(1))).toBe(1);
    await connection.write(bytes("answer"));
    connection.close();
    peer.write("more that is unread");
    expect(await received(peer.resume())).toBe("answer");
    peer.end();
    await connection.closed;
  });

  // The peer never closes, so close() has to stop waiting.
  test("close() gives up on a peer that does not close", async () => {
    const { port, accepted } = await listening();
    const socket = connect({ host: "127.0.0.1", port, allowHalfOpen: true });
    const connection = new HostConnection(socket, { lingerMs: 1 });
    const peer = await accepted;
    cleanups.push(() => peer.destroy());
    connection.close();
    await connection.closed;
    expect(socket.destroyed).toBe(true);
  });

  // RST: reads fail on both sides.
  test("abort() resets", async () => {
    const { connection, peer } = await joined();
    const reset = new Promise<string | undefined>((resolve) =>
      peer.once("error", (error: Error & { code?: string }) => resolve(error.code))
    );
    const reading = connection.read(new Uint8Array(1));
    connection.abort(new Error("enough"));
    expect(await codeOf(reading)).toBe("CONNECTION_ABORTED");
    expect(await codeOf(connection.closed)).toBe("CONNECTION_ABORTED");
    expect(await codeOf(connection.write(bytes("x")))).not.toBe("no error");
    expect(await reset).toBe("ECONNRESET");
  });

  // The peer's RST rejects a pending read and `closed`.
  test("a reset of the peer is CONNECTION_RESET (RFC 9293 3.5.3)", async () => {
    const { connection, peer } = await joined();
    const reading = connection.read(new Uint8Array(1));
    peer.resetAndDestroy();
    expect(await codeOf(reading)).toBe("CONNECTION_RESET");
    expect(await codeOf(connection.closed)).toBe("CONNECTION_RESET");
  });

  // 32 MiB are not read while the other direction is in use: most of it stays with the sender.
  test("a reader that stops causes backpressure", async () => {
    const { connection, peer } = await joined();
    const size = 32 << 20;
    peer.end(new Uint8Array(size));
    for (let i = 0; i < 100; i++) {
      const heard = new Promise((resolve) => peer.once("data", resolve));
      await connection.write(bytes("x"));
      await heard;
    }
    expect(peer.writableLength).toBeGreaterThan(size / 2);
    let count = 0;
    const chunk = new Uint8Array(1 << 16);
    for (let got; (got = await connection.read(chunk)) !== null;) count += got;
    expect(count).toBe(size);
  });
});

describe("keep-alive", () => {
  // The kernel's timer as /proc shows it: two hours by default, the requested time, or none.
  test.each([[undefined, 7_200_000], [3_600_000, 3_600_000], [100, 1000], [0, undefined]])(
    "with keepAliveMs %p is due after %p ms (RFC 9293 3.8.4)",
    async (keepAliveMs, dueMs) => {
      const { port, accepted } = await listening();
      const connection = await dialHost({ hostname: "127.0.0.1", port }, undefined, {
        keepAliveMs,
      });
      const peer = new HostConnection(await accepted, { keepAliveMs });
      cleanups.push(() => connection.abort(), () => peer.abort());
      const ends = keepAliveTimers(port);
      expect(ends.length).toBe(2);
      for (const due of ends) {
        if (dueMs === undefined) expect(due).toBeUndefined();
        else expect(Math.abs(due! - dueMs) < 60_000).toBe(true);
      }
    },
  );

  // The peer of a Unix socket cannot disappear silently.
  test("does not apply to a Unix socket", async () => {
    const server = createServer((socket) => socket.resume());
    const path = join(tmpdir(), `berth-keep-alive-${process.pid}.sock`);
    await new Promise<void>((resolve) => server.listen(path, resolve));
    cleanups.push(() => server.close());
    const connection = await dialHost({ path });
    connection.abort();
    expect(await codeOf(connection.closed)).toBe("CONNECTION_ABORTED");
  });
});

describe("dialHost", () => {
  // The port is closed.
  test("rejects with CONNECTION_REFUSED", async () => {
    const server = createServer();
    const port = await portOf(server);
    await new Promise((resolve) => server.close(resolve));
    expect(await codeOf(dialHost({ hostname: "127.0.0.1", port }))).toBe("CONNECTION_REFUSED");
  });

  // The signal is aborted before and during the attempt.
  test("rejects with the signal's reason", async () => {
    const { port } = await listening();
    const reason = new Error("gone");
    const address = { hostname: "127.0.0.1", port };
    await expect(dialHost(address, AbortSignal.abort(reason))).rejects.toBe(reason);
    const later = new AbortController();
    const dialled = dialHost(address, later.signal);
    later.abort(reason);
    await expect(dialled).rejects.toBe(reason);
  });

  // The signal applies to the attempt, not to the connection.
  test("ignores the signal once connected", async () => {
    const { port, accepted } = await listening();
    const signal = new AbortController();
    const connection = await dialHost({ hostname: "127.0.0.1", port }, signal.signal);
    signal.abort();
    (await accepted).end("still here");
    expect(await readAll(connection)).toBe("still here");
    await connection.closeWrite();
  });
});

describe("hostError", () => {
  // Kernel errors get the stack's codes; others stay unchanged.
  test.each([
    ["EPIPE", "CONNECTION_RESET"],
    ["ETIMEDOUT", "TIMED_OUT"],
    ["EHOSTUNREACH", "UNREACHABLE"],
    ["ENOTFOUND", "INVALID_ADDRESS"],
    ["EADDRNOTAVAIL", "ADDRESS_NOT_AVAILABLE"],
    ["EINVAL", "ADDRESS_NOT_AVAILABLE"],
    ["ENOBUFS", "INSUFFICIENT_RESOURCES"],
    ["EIO", "EIO"],
  ])("of %s is %s", (code: string, expected: string) => {
    const error = hostError(Object.assign(new Error("message"), { code }));
    expect((error as Error & { code: string }).code).toBe(expected);
    expect(error.message).toContain("message");
  });

  // The message says how to raise the limit.
  test("says what to do when there are no file descriptors", () => {
    const error = hostError(Object.assign(new Error("connect EMFILE"), { code: "EMFILE" }));
    expect((error as Error & { code: string }).code).toBe("INSUFFICIENT_RESOURCES");
    expect(error.message).toContain("ulimit -n");
  });
});
