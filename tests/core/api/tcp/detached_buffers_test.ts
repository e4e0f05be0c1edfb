import { describe, expect, test } from "bun:test";
import { deriveSocket } from "../../../../core/api/tcp/derived_socket.ts";
import type { TcpSocket } from "../../../../core/api/types.ts";
import { bytes, StackPair } from "../stack_pair.ts";

/** More bytes than the buffers of a connection hold. */
const MUCH = 3_000_000;

function detach(array: Uint8Array<ArrayBuffer>): void {
  structuredClone(array.buffer, { transfer: [array.buffer] });
}

/** An array with a resizable buffer. */
function resizable(length: number): { array: Uint8Array; resize(to: number): void } {
  const Resizable = ArrayBuffer as unknown as new (
    length: number,
    options: { maxByteLength: number },
  ) => ArrayBuffer & { resize(to: number): void };
  const buffer = new Resizable(length, { maxByteLength: 2 * length });
  return { array: new Uint8Array(buffer), resize: (to) => buffer.resize(to) };
}

/** The connection's own socket, and derived sockets. */
const KINDS: Readonly<Record<string, (socket: TcpSocket) => TcpSocket>> = {
  "a connection": (socket) => socket,
  "a derived socket": (socket) =>
    deriveSocket(socket, {
      readChunk: async () => {
        const chunk = new Uint8Array(64);
        const count = await socket.read(chunk);
        return count === null ? undefined : chunk.subarray(0, count);
      },
      write: (chunk) => socket.write(chunk),
    }),
};
const kinds = Object.keys(KINDS);

/** Number of bytes of each value that the peer receives within a time. */
async function drain(pair: StackPair, socket: TcpSocket): Promise<Record<number, number>> {
  const counts: Record<number, number> = {};
  void (async () => {
    const target = new Uint8Array(65_536);
    for (let size = await socket.read(target); size !== null; size = await socket.read(target)) {
      for (const value of target.subarray(0, size)) counts[value] = (counts[value] ?? 0) + 1;
    }
  })().catch(() => {});
  await pair.clock.advance(5000);
  return counts;
}

async function messageOf(promise: Promise<unknown>): Promise<string> {
  return await promise.then(
    (value) => `resolved with ${value}`,
    (error: Error) => `${error.name}: ${error.message}`,
  );
}

describe("a buffer that is transferred", () => {
  // The pending read returns 0, and the next read gets all bytes.
  test.each(kinds)("read of %s resolves and leaves the bytes to the next", async (kind) => {
    await using pair = new StackPair();
    const { client, server } = await pair.connect();
    const reading = KINDS[kind]!(server);
    const lost = new Uint8Array(100);
    const first = reading.read(lost);
    const target = new Uint8Array(100);
    const second = reading.read(target);
    detach(lost);
    await client.write(bytes("ahoy"));
    expect(await pair.run(first)).toBe(0);
    expect(await pair.run(second)).toBe(4);
    expect(new TextDecoder().decode(target.subarray(0, 4))).toBe("ahoy");
    await client.closeWrite();
    expect(await pair.run(reading.read(target))).toBe(null);
  });

  // A loop that continues with such an array would never block, so it gets an error.
  test.each(kinds)("read of %s into it is a TypeError", async (kind) => {
    await using pair = new StackPair();
    const { server } = await pair.connect();
    const reading = KINDS[kind]!(server);
    const lost = new Uint8Array(100);
    detach(lost);
    expect(await messageOf(reading.read(lost))).toMatch(/^TypeError: read: .*transferred/);
    expect(await reading.read(new Uint8Array(0))).toBe(0);
  });

  // The bytes already accepted are sent, the rest cannot be; the next write follows them.
  test.each(kinds)("write to %s rejects with the number of bytes accepted", async (kind) => {
    await using pair = new StackPair();
    const { client, server } = await pair.connect();
    const writing = KINDS[kind]!(client);
    const lost = new Uint8Array(MUCH).fill(1);
    const first = writing.write(lost);
    const second = writing.write(new Uint8Array(100).fill(2));
    await pair.clock.advance(100);
    detach(lost);
    const counts = await drain(pair, server);
    const message = await messageOf(first);
    expect(message).toMatch(/^TypeError: write: .*of its 3000000 bytes/);
    if (kind === "a connection") expect(message).toContain(`; ${counts[1]} of its`);
    expect(await pair.run(second)).toBe(100);
    expect(counts[2]).toBe(100);
  });

  // There is nothing to send, which the caller does not expect.
  test.each(kinds)("write of it to %s is a TypeError", async (kind) => {
    await using pair = new StackPair();
    const { client } = await pair.connect();
    const lost = new Uint8Array(100);
    detach(lost);
    expect(await messageOf(KINDS[kind]!(client).write(lost))).toMatch(/^TypeError: write: /);
    expect(() => client.tryWrite(lost)).toThrow("transferred");
  });

  // The datagram stays for the next receive.
  test("receive into it is a TypeError and loses nothing", async () => {
    await using pair = new StackPair();
    const server = pair.server.listenDatagram({ port: 53 });
    const client = pair.client.listenDatagram({ port: 4000 });
    const lost = new Uint8Array(100);
    const first = messageOf(server.receive(lost));
    detach(lost);
    await client.send(bytes("ahoy"), "10.0.0.2:53");
    expect(await pair.run(first)).toMatch(/^TypeError: receive: /);
    const [data] = await pair.run(server.receive());
    expect(new TextDecoder().decode(data)).toBe("ahoy");
    const again = messageOf(server.receive(lost));
    expect(await pair.run(again)).toMatch(/^TypeError: receive: /);
  });
});

describe("a buffer that is resized", () => {
  // The rest no longer exists, so the write must not claim to have sent it.
  test("write rejects if it has shrunk", async () => {
    await using pair = new StackPair();
    const { client, server } = await pair.connect();
    const { array, resize } = resizable(MUCH);
    array.fill(1);
    const written = client.write(array);
    await pair.clock.advance(100);
    resize(1000);
    const counts = await drain(pair, server);
    expect(await messageOf(written)).toContain(`${counts[1]} of its ${MUCH} bytes were accepted`);
  });

  // The length at the time of the call is sent, not the growth.
  test("write sends only the original length if it has grown", async () => {
    await using pair = new StackPair();
    const { client, server } = await pair.connect();
    const { array, resize } = resizable(MUCH);
    array.fill(1);
    const written = client.write(array);
    await pair.clock.advance(100);
    resize(MUCH + 1000);
    expect(await drain(pair, server)).toEqual({ 1: MUCH });
    expect(await pair.run(written)).toBe(MUCH);
  });

  // The read returns what fits; the rest is for the next read.
  test("read fills the remaining length", async () => {
    await using pair = new StackPair();
    const { client, server } = await pair.connect();
    const { array, resize } = resizable(100);
    const first = server.read(array);
    resize(3);
    await client.write(bytes("ahoy"));
    expect(await pair.run(first)).toBe(3);
    expect(await pair.run(server.read(new Uint8Array(9)))).toBe(1);
  });
});
