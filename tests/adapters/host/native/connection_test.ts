import { describe, expect } from "bun:test";
import { createServer, type Socket } from "node:net";
import { NativeConnection } from "../../../../adapters/host/native/connection.ts";
import { dialNative } from "../../../../adapters/host/native/dial.ts";
import { listenNative } from "../../../../adapters/host/native/listener.ts";
import { ipSocketAddress } from "../../../../adapters/host/native/socket_address.ts";
import { nativeSockets } from "../../../../adapters/host/native/sockets.ts";
import { AF_INET, SOCK_STREAM } from "../../../../adapters/runtime/libc/linux.ts";
import { silentLogger } from "../../../../core/api/environment.ts";
import { IpAddress } from "../../../../core/wire/address.ts";
import { bytes } from "../../../support/conversation.ts";
import { testRequiring } from "../../../support/requirements.ts";
import { testHostConnections } from "../connection_conformance.ts";

const sockets = nativeSockets()!;

testHostConnections("foreign functions", {
  dial: (target, signal, options) => dialNative(sockets, target, signal, options),
  listen(onConnection, { keepAliveMs } = {}) {
    const address = { hostname: "127.0.0.1", port: 0 };
    const log = silentLogger;
    const listener = listenNative(sockets, address, { log, keepAliveMs, onConnection });
    return Promise.resolve({ port: listener.address.port, close: () => listener.close() });
  },
}, ["native-sockets"]);

describe("NativeConnection", () => {
  // The peer never closes, so close() has to stop waiting.
  testRequiring(["native-sockets"], "close() gives up on a peer that does not close", async () => {
    const { promise: accepted, resolve } = Promise.withResolvers<Socket>();
    const server = createServer({ allowHalfOpen: true }, resolve);
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as { port: number };
    const fd = sockets.open(AF_INET, SOCK_STREAM);
    const address = ipSocketAddress(IpAddress.parse("127.0.0.1")!, port);
    sockets.host.libc.connect(fd, address, address.length);
    const connection = new NativeConnection(sockets, fd, { lingerMs: 1 });
    sockets.events.add(fd, connection);
    const peer = await accepted;
    connection.close();
    await connection.closed;
    peer.destroy();
    server.close();
  });

  // The kernel measures the RTT of the handshake, so even the shortest connection has a value. The callback is called
  // once, whether the connection is closed or reset.
  testRequiring(["native-sockets"], "reports its round-trip time at its end", async () => {
    const server = createServer((socket) => socket.resume().on("error", () => {}).end());
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as { port: number };
    const signal = new AbortController().signal;
    for (const end of ["close", "abort"] as const) {
      const connection = await dialNative(sockets, { hostname: "127.0.0.1", port }, signal);
      const times: number[] = [];
      connection.onRtt((milliseconds) => times.push(milliseconds));
      await connection.write(bytes("ahoy"));
      connection[end]();
      await connection.closed.catch(() => {});
      expect(times.length).toBe(1);
      expect(times[0]!).toBeGreaterThan(0);
      expect(times[0]!).toBeLessThan(60_000);
    }
    server.close();
  });

  // 8 MiB are queued in the kernel and at the sender: one turn reads a part of it, later turns the
  // rest.
  testRequiring(["native-sockets"], "reads a bounded number of bytes in one turn", async () => {
    const server = createServer((socket) => {
      socket.on("error", () => {});
      socket.end(new Uint8Array(8 << 20));
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as { port: number };
    const connection = await dialNative(sockets, { hostname: "127.0.0.1", port });
    let all = 0;
    let largest = 0;
    for (let ended = false; !ended;) {
      let bytes = 0;
      let view = connection.tryView();
      for (; view; view = connection.tryView()) {
        bytes += view.length;
        connection.consume(view.length);
      }
      all += bytes;
      largest = Math.max(largest, bytes);
      ended = view === null;
      if (!ended) {
        await new Promise<void>((done) => connection.whenReadable({ onReadable: done }) || done());
      }
    }
    expect(all).toBe(8 << 20);
    expect(largest).toBeLessThan((512 + 256) * 1024);
    await connection.closeWrite();
    server.close();
  });

  // Six bytes: two are accepted, then another connection's bytes arrive, then the rest is read.
  testRequiring(["native-sockets"], "keeps what is left of a view", async () => {
    const server = createServer((socket) => void socket.end("abcdef"));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as { port: number };
    const read = (connection: NativeConnection) =>
      new Promise<void>((done) => connection.whenReadable({ onReadable: done }) || done());
    const connection = await dialNative(sockets, { hostname: "127.0.0.1", port });
    await read(connection);
    expect(connection.tryView()).toEqual(bytes("abcdef"));
    connection.consume(2);
    const other = await dialNative(sockets, { hostname: "127.0.0.1", port });
    await read(other);
    other.tryView()!.fill(0);
    other.consume(6);
    expect(connection.tryView()).toEqual(bytes("cdef"));
    connection.consume(1);
    const three = new Uint8Array(8);
    expect(await connection.read(three)).toBe(3);
    expect(three.subarray(0, 3)).toEqual(bytes("def"));
    expect(await connection.read(three)).toBeNull();
    await Promise.all([connection.closeWrite(), other.closeWrite()]);
    server.close();
  });
});
