import { afterEach, describe, expect, test } from "bun:test";
import { createSocket } from "node:dgram";
import { createServer, type Socket } from "node:net";
import { connectHost, connectHostUdp } from "../../../adapters/host/connect.ts";
import { bytes, codeOf, textOf } from "../../support/conversation.ts";
import { TemporaryFolder } from "../../support/temporary_folder.ts";

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** A server that answers everything with the same in capitals; returns its port. */
async function shouting(at: object): Promise<number> {
  const answer = (socket: Socket) => {
    socket.on("error", () => {});
    socket.on("data", (chunk) => socket.write(String(chunk).toUpperCase()));
    socket.on("end", () => socket.end());
  };
  const server = createServer({ allowHalfOpen: true }, answer);
  await new Promise<void>((resolve) => server.listen(at, resolve));
  cleanups.push(() => server.close());
  return (server.address() as { port?: number }).port ?? 0;
}

/** What the server answers. */
async function ask(target: Parameters<typeof connectHost>[0]): Promise<string> {
  await using socket = await connectHost(target);
  await socket.write(bytes("ahoy"));
  await socket.closeWrite();
  return await textOf(socket);
}

describe("connectHost", () => {
  // The same addresses as in the options of forward.
  test("connects to an address, a name and a Unix socket", async () => {
    const port = await shouting({ port: 0, host: "127.0.0.1" });
    using folder = new TemporaryFolder();
    const path = folder.file("server.sock");
    await shouting({ path });
    const targets = [
      `127.0.0.1:${port}`,
      `localhost:${port}`,
      { hostname: "127.0.0.1", port },
      `unix:${path}`,
      { path },
    ];
    for (const target of targets) expect(await ask(target)).toBe("AHOY");
  });

  // The message names the value and what to write.
  test.each([
    ["127.0.0.1", '"127.0.0.1" is not an address'],
    ["127.0.0.1:0", '"127.0.0.1:0" is not an address'],
    ["http://127.0.0.1:80", '"http://127.0.0.1:80" is not an address'],
    [80, '"80" is not an address'],
    [undefined, '"undefined" is not an address'],
    [{ hostname: "127.0.0.1" }, '{"hostname":"127.0.0.1"} is not an address'],
    [
      { hostname: "127.0.0.1", port: "80" },
      '{"hostname":"127.0.0.1","port":"80"} is not an address',
    ],
    ["unix:", '"unix:" is not an address'],
  ])("refuses %p", async (target: unknown, message: string) => {
    const error = await connectHost(target as string).catch((error: unknown) => error);
    expect(error).toBeInstanceOf(TypeError);
    expect((error as Error).message).toContain(`connectHost: ${message}`);
    expect((error as Error).message).toContain('write "10.0.0.9:80"');
  });

  // Each is reported as an error that programs can tell apart.
  test("rejects for a closed port, an aborted signal and an unknown option", async () => {
    const closed = createServer();
    await new Promise<void>((resolve) => closed.listen(0, "127.0.0.1", resolve));
    const { port } = closed.address() as { port: number };
    await new Promise((resolve) => closed.close(resolve));
    expect(await codeOf(connectHost(`127.0.0.1:${port}`))).toBe("CONNECTION_REFUSED");
    const late = connectHost(`127.0.0.1:${port}`, { signal: AbortSignal.abort("late") });
    expect(await Promise.allSettled([late])).toEqual([{ status: "rejected", reason: "late" }]);
    const misspelt = connectHost(`127.0.0.1:${port}`, { timeout: 5 } as object);
    expect(await misspelt.catch(String)).toContain(
      "connectHost: options.timeout: unknown key; did you mean timeoutMs?",
    );
  });
});

describe("connectHostUdp", () => {
  // One remote address, as text or as an object.
  test("sends to an address and receives from it", async () => {
    const server = createSocket("udp4");
    server.on("message", (datagram, from) => server.send(datagram, from.port, from.address));
    await new Promise<void>((resolve) => server.bind(0, "127.0.0.1", resolve));
    cleanups.push(() => server.close());
    const { port } = server.address();
    for (const target of [`127.0.0.1:${port}`, { hostname: "127.0.0.1", port }]) {
      const channel = await connectHostUdp(target);
      await channel.send(bytes("ahoy"));
      expect(await channel.receive()).toEqual(bytes("ahoy"));
      channel.close();
    }
  });

  // Unix sockets carry no datagrams here.
  test("refuses a path", async () => {
    const refused = connectHostUdp("unix:/run/app.sock");
    expect(await refused.catch(String)).toContain("/run/app.sock is a Unix socket; write");
  });
});
