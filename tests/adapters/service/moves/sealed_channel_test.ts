import { connect, createServer, type Socket } from "node:net";
import { afterEach, describe, expect, test } from "bun:test";
import { SealedChannel } from "../../../../adapters/service/moves/sealed_channel.ts";

const SECRET = "a secret of thirty-two characters";
const closers: (() => void)[] = [];

afterEach(() => {
  for (const close of closers.splice(0)) close();
});

/** Two connected sockets of the host. */
async function socketPair(): Promise<[client: Socket, server: Socket]> {
  const accepted = Promise.withResolvers<Socket>();
  const server = createServer((socket) => accepted.resolve(socket));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  const client = connect(port, "127.0.0.1");
  const other = await accepted.promise;
  closers.push(() => {
    client.destroy();
    other.destroy();
    server.close();
  });
  return [client, other];
}

/** One side, which collects what it receives. */
class Side {
  readonly frames: string[] = [];
  readonly ended = Promise.withResolvers<string | undefined>();
  #wake = () => {};

  open(
    socket: Socket,
    role: "client" | "server",
    secret = SECRET,
    handshakeMs?: number,
  ): Promise<SealedChannel> {
    return SealedChannel.open(socket, role, secret, {
      frame: (bytes) => {
        this.frames.push(new TextDecoder().decode(bytes));
        this.#wake();
      },
      ended: (reason) => this.ended.resolve(reason),
    }, handshakeMs);
  }

  async count(frames: number): Promise<void> {
    while (this.frames.length < frames) await new Promise<void>((wake) => this.#wake = wake);
  }
}

const bytesOf = (text: string) => new TextEncoder().encode(text);

describe("SealedChannel", () => {
  // Frames of any length, in both directions, in order.
  test("carries frames", async () => {
    const [a, b] = await socketPair();
    const [client, server] = [new Side(), new Side()];
    const [there, here] = await Promise.all([client.open(a, "client"), server.open(b, "server")]);
    const large = "x".repeat(3_000_000);
    for (const text of ["one", "", large]) there.send(bytesOf(text));
    here.send(bytesOf("back"));
    await Promise.all([server.count(3), client.count(1)]);
    expect(server.frames).toEqual(["one", "", large]);
    expect(client.frames).toEqual(["back"]);
    there.close();
    expect(await server.ended.promise).toBe("the other side has ended the channel");
  });

  // Neither side accepts or sends a message before the other has shown that it has the secret.
  test("refuses another secret", async () => {
    const [a, b] = await socketPair();
    const [client, server] = [new Side(), new Side()];
    const outcomes = await Promise.allSettled([
      client.open(a, "client"),
      server.open(b, "server", "another secret of many characters"),
    ]);
    expect(outcomes.map(({ status }) => status)).toEqual(["rejected", "rejected"]);
    const reasons = outcomes.map((each) => each.status === "rejected" && each.reason.message);
    expect(reasons).toContain("the other side has another secret");
    expect([...client.frames, ...server.frames]).toEqual([]);
  });

  test("refuses another protocol and another version", async () => {
    for (
      const [hello, reason] of [
        ["GET / HTTP/1.1\r\nHost: localhost\r\n\r\n........", "does not speak this protocol"],
        ["brmv\0\0\0\x07" + "n".repeat(32), "speaks version 7 of the protocol, this one 1"],
      ] as const
    ) {
      const [a, b] = await socketPair();
      a.write(hello);
      const error = await new Side().open(b, "server").then(() => undefined, (error) => error);
      expect(error.message).toContain(reason);
    }
  });

  // Bytes that trickle in do not extend the time limit, because there is room for only 16 other services.
  test("gives a handshake that trickles in a limited time", async () => {
    const [a, b] = await socketPair();
    const hello = Buffer.from(`brmv\0\0\0\x01${"n".repeat(31)}`, "latin1");
    let at = 0;
    const trickle = setInterval(() => at < hello.length && a.write(hello.subarray(at, ++at)), 20);
    const error = await new Side().open(b, "server", SECRET, 100)
      .then(() => undefined, (error) => error);
    clearInterval(trickle);
    expect(error.message).toBe("the other side does not answer");
    expect(at).toBeLessThan(hello.length);
  });

  /** What the client sends, recorded on its way and played to the server of another session. */
  async function recordedSession(): Promise<Buffer> {
    const [a, b] = await socketPair();
    const sent: Buffer[] = [];
    const write = a.write.bind(a);
    a.write = ((bytes: Uint8Array) => {
      sent.push(Buffer.from(bytes));
      return write(bytes);
    }) as never;
    const server = new Side();
    const [there] = await Promise.all([new Side().open(a, "client"), server.open(b, "server")]);
    there.send(bytesOf("recorded"));
    await server.count(1);
    return Buffer.concat(sent);
  }

  // The server chooses a random number for each session, so that the recorded frames have another key.
  test("refuses the frames of another session", async () => {
    const recorded = await recordedSession();
    const [a, b] = await socketPair();
    const server = new Side();
    a.write(recorded);
    const error = await server.open(b, "server").then(() => undefined, (error) => error);
    expect(error.message).toBe("the other side has another secret");
    expect(server.frames).toEqual([]);
  });

  // A frame that was changed, and one that is sent twice.
  test.each(["changed", "repeated"] as const)("ends at a frame that was %s", async (how) => {
    const [a, b] = await socketPair();
    const write = a.write.bind(a);
    let isReady = false;
    a.write = ((bytes: Uint8Array) => {
      const copy = Buffer.from(bytes);
      if (isReady && how === "changed") copy[6]! ^= 1;
      return isReady && how === "repeated" ? write(copy) && write(copy) : write(copy);
    }) as never;
    const server = new Side();
    const [there] = await Promise.all([new Side().open(a, "client"), server.open(b, "server")]);
    isReady = true;
    there.send(bytesOf("once"));
    expect(await server.ended.promise).toBe("a frame was changed on the way or replayed");
    expect(server.frames).toEqual(how === "changed" ? [] : ["once"]);
  });

  // Someone without the secret cannot make the service allocate memory by a length.
  test("ends at an impossible length", async () => {
    const [a, b] = await socketPair();
    const server = new Side();
    await Promise.all([new Side().open(a, "client"), server.open(b, "server")]);
    a.write(new Uint8Array([0xff, 0xff, 0xff, 0xff]));
    expect(await server.ended.promise).toBe("a frame has an impossible length");
  });
});
