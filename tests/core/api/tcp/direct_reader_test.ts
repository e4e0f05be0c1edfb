import { describe, expect, test } from "bun:test";
import { type DirectReader, directReaderOf } from "../../../../core/api/tcp/direct_reader.ts";
import {
  deriveDirectSocket,
  deriveSocket,
  unread,
} from "../../../../core/api/tcp/derived_socket.ts";
import type { TcpSocket } from "../../../../core/api/types.ts";
import { bytes, type Connected, StackPair } from "../stack_pair.ts";

/** Sockets that can be read from without a promise. */
const KINDS: Readonly<Record<string, (server: TcpSocket) => TcpSocket>> = {
  "a stack's own socket": (server) => server,
  "a derived socket": (server) => deriveSocket(server, {}),
  "a derived socket with a reader": (server) =>
    deriveDirectSocket(server, { reader: directReaderOf(server)! }),
};

async function withReader(
  kind: string,
  body: (reader: DirectReader, connected: Connected, pair: StackPair) => Promise<void>,
): Promise<void> {
  await using pair = new StackPair();
  const connected = await pair.connect();
  await body(directReaderOf(KINDS[kind]!(connected.server))!, connected, pair);
}

/** Registers a listener that counts its calls. */
function listenerOf(reader: DirectReader): { calls: number; onReadable(): void } {
  const listener = {
    calls: 0,
    onReadable(): void {
      listener.calls++;
    },
  };
  expect(reader.whenReadable(listener)).toBe(true);
  return listener;
}

for (const kind of Object.keys(KINDS)) {
  describe(kind, () => {
    // The listener is called when bytes arrive; what has arrived is read at once.
    test("is read from when bytes have arrived", () =>
      withReader(kind, async (reader, { client }, pair) => {
        const target = new Uint8Array(8);
        expect(reader.tryRead(target)).toBe(0);
        const listener = listenerOf(reader);
        await client.write(bytes("ahoy"));
        await pair.clock.advance(50);
        expect(listener.calls).toBe(1);
        expect(reader.whenReadable(listener)).toBe(false);
        expect(reader.tryRead(target)).toBe(4);
        expect(new TextDecoder().decode(target.subarray(0, 4))).toBe("ahoy");
        expect(reader.tryRead(target)).toBe(0);
      }));

    // The peer has sent its FIN.
    test("returns null at the end", () =>
      withReader(kind, async (reader, { client }, pair) => {
        const listener = listenerOf(reader);
        await client.closeWrite();
        await pair.clock.advance(50);
        expect(listener.calls).toBe(1);
        expect(reader.tryRead(new Uint8Array(8))).toBe(null);
      }));

    // The peer has sent RST.
    test("throws the error of a connection that broke", () =>
      withReader(kind, async (reader, { client }, pair) => {
        const listener = listenerOf(reader);
        client.closed.catch(() => {});
        client.abort();
        await pair.clock.advance(50);
        expect(listener.calls).toBe(1);
        expect(() => reader.tryRead(new Uint8Array(8))).toThrow(/reset/);
      }));

    // A read() that waits gets the bytes; a listener gets what is left.
    test("does not overtake a read that waits", () =>
      withReader(kind, async (reader, { client }, pair) => {
        const socket = reader as DirectReader & TcpSocket;
        const first = socket.read(new Uint8Array(2));
        expect(reader.tryRead(new Uint8Array(8))).toBe(0);
        const listener = listenerOf(reader);
        await client.write(bytes("ahoy"));
        await pair.clock.advance(50);
        expect(await first).toBe(2);
        expect(listener.calls).toBe(1);
        expect(reader.tryRead(new Uint8Array(8))).toBe(2);
      }));

    // Whoever waits learns that the socket was closed on this side.
    test("calls the listener at close(), and then returns null", () =>
      withReader(kind, (reader) => {
        const listener = listenerOf(reader);
        void (reader as DirectReader & TcpSocket).close();
        expect(listener.calls).toBeGreaterThan(0);
        expect(reader.tryRead(new Uint8Array(8))).toBe(null);
        return Promise.resolve();
      }));
  });
}

describe("directReaderOf", () => {
  // Bytes that were put back come first.
  test("reads what was put back", () =>
    withReader("a stack's own socket", async (_, { client, server }, pair) => {
      const reader = directReaderOf(unread(server, bytes("ahoy ")))!;
      const target = new Uint8Array(16);
      expect(reader.whenReadable({ onReadable() {} })).toBe(false);
      expect(reader.tryRead(target)).toBe(5);
      await client.write(bytes("there"));
      await pair.clock.advance(50);
      expect(reader.tryRead(target)).toBe(5);
    }));

  // A middleware whose function returns promises.
  test("is undefined for a socket whose reading is overridden", () =>
    withReader("a stack's own socket", (_, { server }) => {
      const read = (p: Uint8Array<ArrayBufferLike>) => server.read(p);
      expect(directReaderOf(deriveSocket(server, { read }))).toBe(undefined);
      return Promise.resolve();
    }));
});
