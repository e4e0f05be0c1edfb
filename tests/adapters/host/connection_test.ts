import { afterEach, describe, expect, test } from "bun:test";
import { connect, createServer, type Socket } from "node:net";
import { HostConnection, hostError } from "../../../adapters/host/connection.ts";
import { dialHost } from "../../../adapters/host/dial.ts";
import { testHostConnections } from "./connection_conformance.ts";

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup();
});

testHostConnections("node:net", {
  dial: dialHost,
  async listen(onConnection, options) {
    const server = createServer({ allowHalfOpen: true }, (socket) => {
      onConnection(new HostConnection(socket, options));
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as { port: number };
    return { port, close: () => void server.close() };
  },
});

describe("HostConnection", () => {
  // The peer never closes, so close() has to stop waiting.
  test("close() gives up on a peer that does not close", async () => {
    const { promise: accepted, resolve } = Promise.withResolvers<Socket>();
    const server = createServer({ allowHalfOpen: true }, resolve);
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as { port: number };
    const socket = connect({ host: "127.0.0.1", port, allowHalfOpen: true });
    const connection = new HostConnection(socket, { lingerMs: 1 });
    const peer = await accepted;
    cleanups.push(() => peer.destroy(), () => server.close());
    connection.close();
    await connection.closed;
    expect(socket.destroyed).toBe(true);
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
