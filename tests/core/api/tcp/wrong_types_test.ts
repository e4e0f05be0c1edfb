import { describe, expect, test } from "bun:test";
import { deriveSocket, unread } from "../../../../core/api/tcp/derived_socket.ts";
import type { TcpSocket } from "../../../../core/api/types.ts";
import { bytes, readText, StackPair } from "../stack_pair.ts";

/** Values with a length or bytes that are not a Uint8Array. */
const WRONG: Readonly<Record<string, () => unknown>> = {
  "a string": () => "hello",
  "an ArrayBuffer": () => new ArrayBuffer(4),
  "a SharedArrayBuffer": () => new SharedArrayBuffer(4),
  "a DataView": () => new DataView(new ArrayBuffer(4)),
  "a Uint16Array": () => new Uint16Array([0x1234]),
  "a Uint8ClampedArray": () => new Uint8ClampedArray(4),
  "an array": () => [104, 105],
  "a Blob": () => new Blob(["hello"]),
  "a number": () => 5,
  "an Object": () => ({ length: 4 }),
  "undefined": () => undefined,
  "null": () => null,
};
const wrong = Object.keys(WRONG);

/** All ways to write to a socket. */
const WRITES: Readonly<Record<string, (socket: TcpSocket, value: never) => unknown>> = {
  "write": (socket, value) => socket.write(value),
  "tryWrite": (socket, value) => socket.tryWrite(value),
  "read": (socket, value) => socket.read(value),
  "derived write": (socket, value) => deriveSocket(socket, {}).write(value),
  "derived tryWrite": (socket, value) => deriveSocket(socket, {}).tryWrite(value),
  "overridden write": (socket, value) =>
    deriveSocket(socket, { write: (taken) => socket.write(taken) }).write(value),
  "overridden read": (socket, value) =>
    deriveSocket(socket, { readChunk: () => Promise.resolve(undefined) }).read(value),
  "a chunk of another type": (socket, value) =>
    deriveSocket(socket, { readChunk: () => Promise.resolve(value ?? "x" as never) })
      .read(new Uint8Array(9)),
  "unread": (socket, value) => unread(socket, value),
};

/** The error that a call throws or rejects with. */
async function errorOf(call: () => unknown): Promise<unknown> {
  try {
    await call();
  } catch (error) {
    return error;
  }
  return undefined;
}

describe("a value other than Uint8Array", () => {
  // As with Deno.Conn, nothing is sent, the message names the value, and the socket stays usable.
  test.each(wrong)("is refused by sockets: %s", async (name) => {
    await using pair = new StackPair();
    const { client, server } = await pair.connect();
    for (const [way, write] of Object.entries(WRITES)) {
      const error = await errorOf(() => write(client, WRONG[name]!() as never));
      expect([way, error instanceof TypeError]).toEqual([way, true]);
      expect((error as Error).message).toContain(`expected a Uint8Array, got `);
      if (way === "write") expect((error as Error).message).toContain(name.replace(/^an? /, ""));
    }
    await client.write(bytes("after"));
    await client.closeWrite();
    expect(await pair.run(readText(server))).toBe("after");
  });

  // The connection is reset, so that the peer does not mistake a part for the whole.
  test.each(wrong)("makes writable error and reset the connection: %s", async (name) => {
    await using pair = new StackPair();
    const { client, server } = await pair.connect();
    const writer = client.writable.getWriter();
    writer.closed.catch(() => {});
    expect(await errorOf(() => pair.run(writer.write(WRONG[name]!() as never))))
      .toBeInstanceOf(TypeError);
    const end = await errorOf(() => pair.run(server.closed));
    expect(end).toMatchObject({ code: "CONNECTION_RESET" });
  });

  // Sockets and flows alike, and the target of receive() too.
  test.each(wrong)("is refused by datagram sockets and flows: %s", async (name) => {
    await using pair = new StackPair();
    const errors: unknown[] = [];
    pair.server.use("udp/53", {
      name: "wrong",
      flow: async ({ flow }) => {
        await flow.receive();
        errors.push(await errorOf(() => flow.send(WRONG[name]!() as never)));
        await flow.send(bytes("right"));
      },
    });
    const client = pair.client.listenDatagram({ port: 4000 });
    const send = () => client.send(WRONG[name]!() as never, "10.0.0.2:53");
    expect(await errorOf(send)).toBeInstanceOf(TypeError);
    if (name !== "undefined") {
      const receive = () => client.receive(WRONG[name]!() as never);
      expect(await errorOf(receive)).toBeInstanceOf(TypeError);
    }
    await client.send(bytes("?"), "10.0.0.2:53");
    const [answer] = await pair.run(client.receive());
    expect(new TextDecoder().decode(answer)).toBe("right");
    expect(errors.map((error) => error instanceof TypeError)).toEqual([true]);
  });

  // Views of shared memory and subclasses are Uint8Arrays too.
  test("does not include views of shared memory, subarrays and subclasses", async () => {
    await using pair = new StackPair();
    const { client, server } = await pair.connect();
    const shared = new Uint8Array(new SharedArrayBuffer(5));
    shared.set(bytes("-ahoy"));
    await client.write(shared.subarray(1));
    await client.write(new (class extends Uint8Array {})(bytes("!")));
    await client.closeWrite();
    expect(await pair.run(readText(server))).toBe("ahoy!");
  });
});
