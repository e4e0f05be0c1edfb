import { describe, expect, test } from "bun:test";
import { TcpError } from "../../core/api/errors.ts";
import type { HostPort } from "../../core/api/host_port.ts";
import type { HostNetwork } from "../../plugins/shared/host_network.ts";
import { type Socks5Options, socks5Through } from "../../plugins/socks5.ts";
import { bytes } from "../support/conversation.ts";
import {
  type FakeSocket,
  noStack,
  settle,
  socketPair,
  testContext,
} from "../support/fake_socket.ts";
import { connectTo, proxyHost } from "../support/proxy.ts";

function connected(host: HostNetwork, options: Socks5Options = {}) {
  return connectTo(socks5Through(host)(options));
}

async function take(socket: FakeSocket, count: number): Promise<number[]> {
  const taken = new Uint8Array(count);
  let at = 0;
  while (at < count) at += await socket.read(taken.subarray(at)) ?? fail();
  return [...taken];
}

function fail(): never {
  throw new Error("the connection ended");
}

async function rest(socket: FakeSocket): Promise<number[]> {
  const all: number[] = [];
  for await (const chunk of socket) all.push(...chunk);
  return all;
}

const NO_PASSWORD = [5, 1, 0];
const EXAMPLE = [5, 1, 0, 3, 11, ...bytes("example.org"), 0, 80];
const V4 = [5, 1, 0, 1, 192, 0, 2, 7, 0x1f, 0x90];
const reply = (code: number) => [5, code, 0, 1, 0, 0, 0, 0, 0, 0];
const send = (socket: FakeSocket, ...parts: number[][]) =>
  socket.write(Uint8Array.from(parts.flat()));

describe("socks5", () => {
  // Greeting, request with a name, and data for the target: all in one write, then a byte at a
  // time.
  test("connects to a name and relays, half-closes included (RFC 1928 6)", async () => {
    for (const pace of ["at once", "byte by byte"]) {
      const { host, target, dialled } = proxyHost();
      const { client, served } = connected(host);
      const message = [...NO_PASSWORD, ...EXAMPLE, ...bytes("question")];
      if (pace === "at once") await send(client, message);
      else {
        for (const byte of message) {
          await send(client, [byte]);
          await settle();
        }
      }
      await client.closeWrite();
      expect(await take(client, 12)).toEqual([5, 0, ...reply(0)]);
      expect(await rest(target)).toEqual([...bytes("question")]);
      await target.write(bytes("answer"));
      await target.closeWrite();
      expect(await rest(client)).toEqual([...bytes("answer")]);
      await served;
      expect(dialled).toEqual([{ hostname: "192.0.2.1", port: 80 }]);
    }
  });

  // The three address types (RFC 1928 5); an IPv4-mapped IPv6 address is used as IPv4.
  test.each([
    [[1, 192, 0, 2, 7, 0x1f, 0x90], "192.0.2.7", 8080],
    [[4, 0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 80], "2001:db8::1", 80],
    [[4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 192, 0, 2, 7, 0, 80], "192.0.2.7", 80],
    [[3, 9, ...bytes("192.0.2.8"), 0, 80], "192.0.2.8", 80],
  ])("accepts the address %p", async (address, hostname, port) => {
    const { host, dialled } = proxyHost();
    const { client } = connected(host);
    await send(client, NO_PASSWORD, [5, 1, 0], address);
    expect(await take(client, 12)).toEqual([5, 0, ...reply(0)]);
    expect(dialled).toEqual([{ hostname, port }]);
    client.abort();
  });

  // The reply gives the reason, and the connection is closed (RFC 1928 6).
  test.each([
    ["REFUSED", new TcpError("CONNECTION_REFUSED", "no"), 5],
    ["UNREACHABLE", new TcpError("UNREACHABLE", "no"), 4],
    ["TIMED_OUT", new TcpError("TIMED_OUT", "no"), 6],
    ["something else", new Error("EMFILE"), 1],
  ])("replies to a target that fails with %s", async (_name, error, code) => {
    const { host } = proxyHost({ dial: () => Promise.reject(error) });
    const { client, served, lines } = connected(host);
    await send(client, NO_PASSWORD, V4);
    expect(await rest(client)).toEqual([5, 0, ...reply(code)]);
    await served;
    expect(lines.map(({ level }) => level)).toEqual(["debug"]);
  });

  // Loopback and the like are not dialled, by address or by name, unless they are allowed.
  test("denies the host's own addresses (RFC 1928 6: 02)", async () => {
    const resolve = () => Promise.resolve(["127.0.0.1", "::1"]);
    const { host, dialled } = proxyHost({ resolve });
    for (const address of [[1, 127, 0, 0, 1], [1, 169, 254, 169, 254], [3, 1, 120]]) {
      const { client } = connected(host);
      await send(client, NO_PASSWORD, [5, 1, 0], address, [0, 80]);
      expect(await rest(client)).toEqual([5, 0, ...reply(2)]);
    }
    expect(dialled).toEqual([]);

    const allowed = connected(host, { allow: ["127.0.0.1"] });
    await send(allowed.client, NO_PASSWORD, [5, 1, 0, 3, 1, 120, 0, 80]);
    expect(await take(allowed.client, 12)).toEqual([5, 0, ...reply(0)]);
    expect(dialled).toEqual([{ hostname: "127.0.0.1", port: 80 }]);
    allowed.client.abort();
  });

  // A resolver may return anything: addresses with zones and addresses that embed others are
  // checked as well.
  test.each(["::1%lo", "::ffff:127.0.0.1%lo", "::ffff:0:127.0.0.1", "2001:db8::5efe:7f00:1", "0"])(
    "denies a name that resolves to %s",
    async (address) => {
      const { host, dialled } = proxyHost({ resolve: () => Promise.resolve([address]) });
      const { client } = connected(host, { allow: ["10.0.0.1"] });
      await send(client, NO_PASSWORD, [5, 1, 0, 3, 1, 120, 0, 80]);
      expect(await rest(client)).toEqual([5, 0, ...reply(2)]);
      expect(dialled).toEqual([]);
    },
  );

  // A name with several addresses: each in turn gets its share of the time.
  test("tries the addresses of a name in turn", async () => {
    const { client: upstream } = socketPair();
    const dialled: string[] = [];
    const { host } = proxyHost({
      resolve: () => Promise.resolve(["2001:db8::1", "192.0.2.1"]),
      dial: (target, signal) => {
        const { hostname } = target as HostPort;
        dialled.push(hostname);
        if (hostname === "192.0.2.1") return Promise.resolve(upstream);
        return new Promise((_, reject) =>
          signal.addEventListener("abort", () => reject(signal.reason))
        );
      },
    });
    const { client, clock } = connected(host, { connectTimeoutMs: 4000 });
    await send(client, NO_PASSWORD, EXAMPLE);
    await settle();
    await clock.advance(2000);
    expect(await take(client, 12)).toEqual([5, 0, ...reply(0)]);
    expect(dialled).toEqual(["2001:db8::1", "192.0.2.1"]);
    client.abort();
  });

  // The limit covers a resolver as well as a target that does not answer.
  test("gives up a target after connectTimeoutMs", async () => {
    const never = () => new Promise<never>(() => {});
    for (const stuck of ["resolve", "dial"] as const) {
      const { host } = proxyHost({
        [stuck]: stuck === "resolve"
          ? never
          : (_to: HostPort, signal: AbortSignal) =>
            new Promise((_, reject) =>
              signal.addEventListener("abort", () => reject(signal.reason))
            ),
      });
      const { client, clock, served } = connected(host, { connectTimeoutMs: 3000 });
      await send(client, NO_PASSWORD, EXAMPLE);
      await settle();
      expect(await take(client, 2)).toEqual([5, 0]);
      await clock.advance(3000);
      expect((await rest(client))[1]).toBe(6);
      await served;
      expect(clock.pending).toBe(0);
    }
  });

  // A client that goes away aborts the attempt.
  test("gives up the target when its client goes away", async () => {
    let given: { readonly aborted: boolean } | undefined;
    const { host } = proxyHost({
      dial: (_to, signal) => {
        given = signal;
        return new Promise((_, reject) =>
          signal.addEventListener("abort", () => reject(signal.reason))
        );
      },
    });
    const { client, served } = connected(host);
    await send(client, NO_PASSWORD, V4);
    await settle();
    client.abort();
    await served;
    expect(given?.aborted).toBe(true);
  });

  // RFC 1929: the right password, a wrong one, an unknown name.
  test("requires a password when users are configured (RFC 1929 2)", async () => {
    const login = (name: string, password: string) => [
      ...[1, name.length, ...bytes(name), password.length, ...bytes(password)],
    ];
    const users = { anna: "secret" };
    const { host } = proxyHost();
    const right = connected(host, { users });
    await send(right.client, [5, 2, 0, 2], login("anna", "secret"), V4);
    expect(await take(right.client, 14)).toEqual([5, 2, 1, 0, ...reply(0)]);
    right.client.abort();

    for (const [name, password] of [["anna", "secreT"], ["anna", ""], ["toString", "x"]] as const) {
      const { client, served } = connected(host, { users });
      await send(client, [5, 1, 2], login(name, password), V4);
      expect(await rest(client)).toEqual([5, 2, 1, 1]);
      await served;
    }
    // A client that does not offer the method is refused (RFC 1928 3).
    const { client } = connected(host, { users });
    await send(client, NO_PASSWORD, V4);
    expect(await rest(client)).toEqual([5, 255]);
  });

  // BIND, unknown commands and unknown address types.
  test.each([
    [[5, 2, 0, 1, 1, 2, 3, 4, 0, 80], 7],
    [[5, 3, 0, 9, 0, 0, 0, 0, 0, 0], 8],
    [[5, 9, 0, 1, 1, 2, 3, 4, 0, 80], 7],
    [[5, 1, 0, 9, 1, 2, 3, 4, 0, 80], 8],
  ])("answers %p with a refusal", async (request, code) => {
    const { host, dialled } = proxyHost();
    const { client } = connected(host);
    await send(client, NO_PASSWORD, request);
    expect(await rest(client)).toEqual([5, 0, ...reply(code)]);
    expect(dialled).toEqual([]);
  });

  // A client of another protocol gets no answer, and nothing is logged as an error.
  test.each([
    [[4, 1, 0, 80, 1, 2, 3, 4, 0], []],
    [[...bytes("GET / HTTP/1.1\r\n\r\n")], []],
    [[5, 1, 0, 4, 1, 0, 1], [5, 0]],
    [[], []],
    [[5, 3, 0], []],
  ])("ends a connection that begins with %p", async (message, answer) => {
    const { host } = proxyHost();
    const { client, served, lines } = connected(host);
    await send(client, message);
    await client.closeWrite();
    expect(await rest(client)).toEqual(answer);
    await served;
    expect(lines.every(({ level }) => level === "debug")).toBe(true);
  });

  // A client that connects and sends nothing.
  test("resets a client that sends no request within handshakeTimeoutMs", async () => {
    const { host } = proxyHost();
    const { client, clock, served } = connected(host, { handshakeTimeoutMs: 500 });
    await send(client, NO_PASSWORD);
    await settle();
    await clock.advance(500);
    await served;
    await expect(rest(client)).rejects.toThrow("reset");
  });

  // Connects back into the stack: no names, and the host's denied addresses do not apply.
  test("connects through the stack to addresses (RFC 1928 6: 08 for names)", async () => {
    const { host, dialled } = proxyHost();
    const { client: upstream, server: target } = socketPair();
    const asked: unknown[] = [];
    const { client, server } = socketPair();
    const { context } = testContext(server, {
      stack: {
        ...noStack,
        connect(to) {
          asked.push(to);
          return upstream;
        },
      },
    });
    const handle = socks5Through(host)({ via: "stack" }).handle!;
    void handle(context, () => Promise.resolve());
    await send(client, NO_PASSWORD, [5, 1, 0, 1, 10, 0, 0, 9, 0, 80], [...bytes("hi")]);
    expect(await take(client, 12)).toEqual([5, 0, ...reply(0)]);
    expect(await take(target, 2)).toEqual([...bytes("hi")]);
    expect(asked).toEqual([{ hostname: "10.0.0.9", port: 80 }]);
    client.abort();

    const named = connected(host, { via: "stack" });
    await send(named.client, NO_PASSWORD, EXAMPLE);
    expect(await rest(named.client)).toEqual([5, 0, ...reply(8)]);
    expect(dialled).toEqual([]);
  });

  // Invalid options are reported in one line.
  test("checks its options", () => {
    const socks5 = socks5Through(proxyHost().host);
    expect(() => socks5({ users: { anna: "" } })).toThrow(/^socks5: options\.users\.anna: /);
    expect(() => socks5({ allow: ["localhost"] })).toThrow(
      /^socks5: options\.allow\.0: expected an/,
    );
    expect(() => socks5({ via: "air" as "host" })).toThrow(/^socks5: options\.via: /);
  });
});
