import { describe, expect, test } from "bun:test";
import { TcpError } from "../../core/api/errors.ts";
import { type ConnectProxyOptions, connectProxyThrough } from "../../plugins/connect_proxy.ts";
import type { HostNetwork } from "../../plugins/shared/host_network.ts";
import { StackPair } from "../core/api/stack_pair.ts";
import { bytes, textOf } from "../support/conversation.ts";
import { type FakeSocket, settle, socketPair } from "../support/fake_socket.ts";
import { connectTo, proxyHost } from "../support/proxy.ts";

function connected(host: HostNetwork, options: ConnectProxyOptions = {}) {
  return connectTo(connectProxyThrough(host)(options));
}

/** The status line and all fields of a response. */
async function answerTo(
  request: string,
  options?: ConnectProxyOptions,
  host = proxyHost().host,
): Promise<string[]> {
  const { client } = connected(host, options);
  await client.write(bytes(request));
  const answer = await textOf(client);
  expect(answer.endsWith("\r\n\r\n")).toBe(true);
  return answer.trim().split("\r\n");
}

const ESTABLISHED = "HTTP/1.1 200 Connection established\r\n\r\n";

describe("connectProxy", () => {
  // Bytes directly after the head are sent to the target (RFC 9110 9.3.6); each side half-closes in
  // turn.
  test("opens a tunnel and carries half-closes both ways", async () => {
    const request = "CONNECT example.org:443 HTTP/1.1\r\nHost: example.org:443\r\n\r\nquestion";
    for (const pace of [request.length, 1]) {
      const { host, target, dialled } = proxyHost();
      const { client, served } = connected(host);
      for (let at = 0; at < request.length; at += pace) {
        await client.write(bytes(request.slice(at, at + pace)));
        await settle();
      }
      await client.closeWrite();
      expect(await textOf(target)).toBe("question");
      await target.write(bytes("answer"));
      await target.closeWrite();
      expect(await textOf(client)).toBe(`${ESTABLISHED}answer`);
      await served;
      expect(dialled).toEqual([{ hostname: "192.0.2.1", port: 443 }]);
    }
  });

  // One client has all four tunnels: its next one is refused, but not that of another client.
  test("evicts a tunnel of the client with the most for another client", async () => {
    const ends: FakeSocket[] = [];
    const { host } = proxyHost({
      dial: () => {
        const { client, server } = socketPair();
        ends.push(server);
        return Promise.resolve(client);
      },
    });
    await using pair = new StackPair();
    pair.server.use(80, connectProxyThrough(host)({ maxConnections: 4 }));
    pair.client.addAddress("10.0.0.9/24");
    const ask = async (localHostname: string) => {
      const socket = pair.client.connect("10.0.0.2:80", { localHostname });
      await socket.write(bytes("CONNECT 192.0.2.1:80 HTTP/1.1\r\nHost: 192.0.2.1:80\r\n\r\n"));
      const answer = new Uint8Array(100);
      const size = await pair.run(socket.read(answer));
      return new TextDecoder().decode(answer.subarray(9, Math.min(12, size ?? 0)));
    };
    for (let i = 0; i < 4; i++) expect(await ask("10.0.0.1")).toBe("200");
    expect(await ask("10.0.0.1")).toBe("502");
    expect(await ask("10.0.0.9")).toBe("200");
    await expect(textOf(ends[0]!)).rejects.toThrow("reset");
  });

  // Connecting out through the host and back in would loop. Through the stack it does not.
  test("refuses targets that lead back into the stack", async () => {
    const { host, dialled } = proxyHost();
    const looping: HostNetwork = { ...host, routeIntoStack: (_, target) => target };
    const request = "CONNECT example.org:443 HTTP/1.1\r\nHost: example.org:443\r\n\r\n";
    expect((await answerTo(request, {}, looping))[0]).toMatch(/^HTTP\/1\.1 403 /);
    expect(dialled).toEqual([]);
  });

  // Other methods, other versions, and ambiguous heads.
  test.each([
    ["GET http://example.org/ HTTP/1.1\r\n\r\n", "405 Method Not Allowed"],
    ["POST / HTTP/1.0\r\nContent-Length: 3\r\n\r\nabc", "405 Method Not Allowed"],
    ["CONNECT example.org:443 HTTP/2.0\r\n\r\n", "505 HTTP Version Not Supported"],
    ["CONNECT example.org:80 HTTP/1.1\r\n\r\n", "400 Bad Request"],
    ["CONNECT example.org:80 HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", "400 Bad Request"],
    ["CONNECT example.org:80 HTTP/1.1\r\nHost: a b\r\n\r\n", "400 Bad Request"],
    ["CONNECT example.org:80 HTTP/1.0\r\nHost: a/b\r\n\r\n", "400 Bad Request"],
    ["\r\n\r\n\r\n\r\n\r\nCONNECT example.org:80 HTTP/1.1\r\nHost: h\r\n\r\n", "400 Bad Request"],
    ["CONNECT example.org HTTP/1.1\r\nHost: h\r\n\r\n", "400 Bad Request"],
    ["CONNECT example.org:0 HTTP/1.1\r\nHost: h\r\n\r\n", "400 Bad Request"],
    ["CONNECT example.org:99999 HTTP/1.1\r\nHost: h\r\n\r\n", "400 Bad Request"],
    ["CONNECT http://example.org:80/ HTTP/1.1\r\nHost: h\r\n\r\n", "400 Bad Request"],
    ["CONNECT  example.org:80 HTTP/1.1\r\nHost: h\r\n\r\n", "400 Bad Request"],
    ["CONNECT example.org:80 HTTP/1.1\r\nHost: h\r\nA : b\r\n\r\n", "400 Bad Request"],
    ["CONNECT example.org:80 HTTP/1.1\r\nHost: h\r\nA: b\nC: d\r\n\r\n", "400 Bad Request"],
    ["CONNECT example.org:80 HTTP/1.1\r\nHost: h\r\n folded\r\n\r\n", "400 Bad Request"],
    [
      "CONNECT example.org:80 HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n",
      "400 Bad Request",
    ],
    [
      "CONNECT example.org:80 HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc",
      "400 Bad Request",
    ],
    ["\x16\x03\x01\r\n\r\n", "400 Bad Request"],
  ])("refuses %p", async (request, status) => {
    const { host, dialled } = proxyHost();
    const [line, ...fields] = await answerTo(request, {}, host);
    expect(line).toBe(`HTTP/1.1 ${status}`);
    expect(fields).toContain("Connection: close");
    if (status.startsWith("405")) expect(fields).toContain("Allow: CONNECT");
    expect(dialled).toEqual([]);
  });

  // An endless head is read up to a limit.
  test("refuses a head of more than 16 KiB", async () => {
    const request = `CONNECT example.org:80 HTTP/1.1\r\nA: ${"a".repeat(20_000)}`;
    expect((await answerTo(request))[0]).toBe("HTTP/1.1 431 Request Header Fields Too Large");
  });

  // RFC 9110 15.6.3, 15.6.5: the reason for the failure.
  test.each([
    ["127.0.0.1:80", "403 Forbidden", undefined],
    ["localhost:80", "403 Forbidden", undefined],
    ["localhost.:80", "403 Forbidden", undefined],
    ["A.LocalHost.:80", "403 Forbidden", undefined],
    ["[::ffff:169.254.169.254]:80", "403 Forbidden", undefined],
    ["unknown.example:80", "502 Bad Gateway", undefined],
    ["example.org:80", "502 Bad Gateway", new TcpError("CONNECTION_REFUSED", "no")],
    ["example.org:80", "502 Bad Gateway", new TcpError("UNREACHABLE", "no")],
    ["example.org:80", "504 Gateway Timeout", new TcpError("TIMED_OUT", "no")],
    ["example.org:80", "502 Bad Gateway", new Error("EMFILE")],
  ])("answers for %s with %s", async (target, status, error) => {
    const { host } = proxyHost(error ? { dial: () => Promise.reject(error) } : {});
    const [line] = await answerTo(`CONNECT ${target} HTTP/1.1\r\nHost: h\r\n\r\n`, {}, host);
    expect(line).toBe(`HTTP/1.1 ${status}`);
  });

  // An HTTP/1.0 client sends no Host; a client may send empty lines after an earlier body.
  test.each([
    "CONNECT example.org:443 HTTP/1.0\r\n\r\n",
    "CONNECT example.org:443 HTTP/1.1\r\nHost:\r\n\r\n",
    "\r\nCONNECT example.org:443 HTTP/1.1\r\nhost: example.org:443\r\n\r\n",
    "\r\n\r\n\r\n\r\nCONNECT example.org:443 HTTP/1.1\r\nhost: example.org:443\r\n\r\n",
  ])("connects for %j (RFC 9112 2.2, 3.2)", async (request) => {
    for (const pace of [request.length, 1]) {
      const { host, target } = proxyHost();
      const { client } = connected(host);
      for (let at = 0; at < request.length; at += pace) {
        await client.write(bytes(request.slice(at, at + pace)));
      }
      await target.closeWrite();
      expect(await textOf(client)).toBe(ESTABLISHED);
      client.abort();
    }
  });

  // RFC 7617: the correct password, wrong ones, and invalid credentials.
  test("requires a password if it has users (RFC 9110 11.7)", async () => {
    const users = { anna: "se:cret", jörg: "ß" };
    const utf8 = (text: string) => btoa(String.fromCharCode(...bytes(text)));
    const request = (field: string) => `CONNECT example.org:80 HTTP/1.1\r\nHost: h\r\n${field}\r\n`;
    for (const right of ["anna:se:cret", "jörg:ß"]) {
      const { host, target } = proxyHost();
      const { client } = connected(host, { users });
      await client.write(bytes(request(`proxy-authorization: bAsIc ${utf8(right)}\r\n`)));
      await target.closeWrite();
      expect(await textOf(client)).toBe(ESTABLISHED);
      client.abort();
    }
    for (
      const field of [
        "",
        `Proxy-Authorization: Basic ${utf8("anna:secret")}\r\n`,
        `Proxy-Authorization: Basic ${utf8("anna")}\r\n`,
        `Proxy-Authorization: Basic ${utf8("__proto__:x")}\r\n`,
        "Proxy-Authorization: Basic ?\r\n",
        `Proxy-Authorization: Bearer ${utf8("anna:se:cret")}\r\n`,
        `Authorization: Basic ${utf8("anna:se:cret")}\r\n`,
      ]
    ) {
      const [line, ...fields] = await answerTo(request(field), { users });
      expect(line).toBe("HTTP/1.1 407 Proxy Authentication Required");
      expect(fields).toContain('Proxy-Authenticate: Basic realm="berth"');
    }
  });

  // A silent client, one that closes within its head, and one that closes at once.
  test("limits clients that send no complete request", async () => {
    const { host } = proxyHost();
    const slow = connected(host, { handshakeTimeoutMs: 500 });
    await slow.client.write(bytes("CONNECT exam"));
    await settle();
    await slow.clock.advance(500);
    await slow.served;
    await expect(textOf(slow.client)).rejects.toThrow("reset");

    const cut = connected(host);
    await cut.client.write(bytes("CONNECT exam"));
    await cut.client.closeWrite();
    expect(await textOf(cut.client)).toMatch(/^HTTP\/1.1 400 /);
    const silent = connected(host);
    await silent.client.closeWrite();
    expect(await textOf(silent.client)).toBe("");
    await silent.served;
  });
});
