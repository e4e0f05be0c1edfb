import { describe, expect, test } from "bun:test";
import type { Handler, Plugin } from "../../core/api/types.ts";
import { detect, type DetectRoutes } from "../../plugins/detect.ts";
import { bytes } from "../support/conversation.ts";
import { settle, socketPair, testContext } from "../support/fake_socket.ts";

/** A connection to `detect`, whose routes answer with their name and all data read. */
function connected(names: readonly string[], timeoutMs?: number) {
  const { client, server } = socketPair();
  const { context, clock } = testContext(server);
  const routes = Object.fromEntries(names.map((name) => [name, answering(name)]));
  const { handle } = detect(routes as DetectRoutes, timeoutMs === undefined ? {} : { timeoutMs });
  let fellThrough = "";
  const served = Promise.resolve(handle!(context, async (socket) => {
    fellThrough = await rest(socket ?? server);
  })).then(() => server.close());
  return { client, clock, served, fellThrough: () => fellThrough };
}

function answering(name: string): Handler {
  return async ({ socket }) => {
    const text = await rest(socket);
    await socket.write(bytes(`${name}: ${text}`));
  };
}

async function rest(socket: AsyncIterable<Uint8Array>): Promise<string> {
  let text = "";
  for await (const chunk of socket) text += String.fromCharCode(...chunk);
  return text;
}

const ALL = ["tls", "http", "http2", "ssh", "other"];

describe("detect", () => {
  // Whole messages and single bytes: the plugin gets every byte, including the first.
  test.each([
    ["\x16\x03\x01\x02\x00\x01\x00", "tls"],
    ["\x16\x03\x03\x00\x05", "tls"],
    ["GET / HTTP/1.1\r\nHost: a\r\n\r\n", "http"],
    ["PROPFIND /folder HTTP/1.1\r\n\r\n", "http"],
    ["P", "other"],
    ["PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "http2"],
    ["SSH-2.0-OpenSSH_9.6\r\n", "ssh"],
    ["EHLO example.org\r\n", "other"],
    ["\x16\x03\x07", "other"],
    ["\x00\x2e\x01\x03\x01", "other"],
    ["get / HTTP/1.1\r\n", "other"],
    ["PURGE / HTTP/1.1\r\n", "http"],
    ["LINK / HTTP/1.1\r\n", "http"],
    ["MKCALENDAR /c HTTP/1.1\r\n", "http"],
    ["UPDATEREDIRECTREF http://h/ HTTP/1.1\r\n", "http"],
    ["VERSION-CONTROL * HTTP/1.1\r\n", "http"],
    ["M-SEARCH /a HTTP/1.1\r\n", "http"],
    ["\r\nGET / HTTP/1.1\r\n\r\n", "http"],
    ["\r\nPURGE / HTTP/1.1\r\n\r\n", "http"],
    ["\r\nSSH-2.0-x", "other"],
    ["\r\n\r\n\r\n\r\nGET / HTTP/1.1\r\n\r\n", "http"],
    ["\r\n\r\n\r\n\r\n\r\nGET / HTTP/1.1\r\n", "other"],
    ["\rGET / HTTP/1.1\r\n", "other"],
    ["NICK ahoy\r\n", "other"],
    ["HELO", "other"],
    [`${"A".repeat(40)} / HTTP/1.1\r\n`, "other"],
    ["", "other"],
  ])("serves %p by %s", async (text, name) => {
    const said = Uint8Array.from(text, (char: string) => char.charCodeAt(0));
    for (const pace of [said.length || 1, 1]) {
      const { client, served } = connected(ALL);
      for (let at = 0; at < said.length; at += pace) {
        await client.write(said.subarray(at, at + pace));
        await settle();
      }
      await client.closeWrite();
      expect(await rest(client)).toBe(`${name}: ${text}`);
      await served;
    }
  });

  // A client of a protocol in which the server speaks first.
  test("serves silent clients with other, after timeoutMs", async () => {
    for (const said of ["", "S"]) {
      const { client, clock, served } = connected(ALL, 300);
      await client.write(bytes(said));
      await settle();
      await clock.advance(299);
      await client.write(bytes(""));
      await clock.advance(1);
      await settle();
      await client.write(bytes("SH-2.0-late"));
      await client.closeWrite();
      expect(await rest(client)).toBe(`other: ${said}SH-2.0-late`);
      await served;
      expect(clock.pending).toBe(0);
    }
  });

  // Protocols without a plugin: HTTP/2 may be served by http, everything else by other or the next
  // plugin.
  test("falls back to other plugins", async () => {
    const http = connected(["http", "other"]);
    await http.client.write(bytes("PRI * HTTP/2.0\r\n\r\n"));
    await http.client.closeWrite();
    expect(await rest(http.client)).toBe("http: PRI * HTTP/2.0\r\n\r\n");

    const none = connected(["http"]);
    await none.client.write(bytes("SSH-2.0-x"));
    await none.client.closeWrite();
    expect(await rest(none.client)).toBe("");
    await none.served;
    expect(none.fellThrough()).toBe("SSH-2.0-x");
  });

  // Chains, and plugins with onSyn, which runs after the handshake here.
  test("runs chains and plugins that decide", async () => {
    const names: string[] = [];
    const note: Handler = async (_c, next) => {
      names.push("note");
      await next();
    };
    const deciding: Plugin = {
      name: "deciding",
      onSyn: ({ remote }) => remote.port === 50_000 ? answering("decided") : "refuse",
    };
    const { client, server } = socketPair();
    const { context } = testContext(server);
    const served = detect({ ssh: [note, deciding] }).handle!(context, () => Promise.resolve());
    await client.write(bytes("SSH-2.0-x"));
    await client.closeWrite();
    await served;
    await server.close();
    expect(await rest(client)).toBe("decided: SSH-2.0-x");
    expect(names).toEqual(["note"]);

    const refusing: Plugin = { name: "refusing", onSyn: () => "refuse" };
    const refused = socketPair();
    await refused.client.write(bytes("SSH-2.0-x"));
    const context2 = testContext(refused.server).context;
    await detect({ ssh: refusing }).handle!(context2, () => Promise.resolve());
    await expect(rest(refused.client)).rejects.toThrow("reset");
  });

  // The connection is reset, and the fault of the plugin logged.
  test("resets a connection if onSyn of its plugin throws", async () => {
    const { client, server } = socketPair();
    const { context, lines } = testContext(server);
    const failing: Plugin = { name: "failing", onSyn: () => Promise.reject(new Error("down")) };
    await client.write(bytes("SSH-2.0-x"));
    await detect({ ssh: failing }).handle!(context, () => Promise.resolve());
    await expect(rest(client)).rejects.toThrow("reset");
    expect(lines.filter(({ level }) => level !== "debug")).toMatchObject([
      { level: "error", message: "connection refused", fields: { reason: "down" } },
    ]);
  });

  // Each plugin is disposed of once, even if another one throws: health checks and files must not outlive the stack.
  test("disposes its plugins when it is disposed of", async () => {
    const disposed: string[] = [];
    const plugin = (name: string): Plugin => ({
      name,
      handle: () => {},
      dispose: () => {
        disposed.push(name);
        if (name === "bad") throw new Error("cannot");
      },
    });
    const shared = plugin("shared");
    const routes = { ssh: plugin("bad"), http: [answering("a"), shared], other: shared };
    await expect(Promise.resolve(detect(routes).dispose!())).rejects.toThrow("cannot");
    expect(disposed).toEqual(["bad", "shared"]);
  });

  // The connection is reset during detection.
  test("breaks with its connection", async () => {
    const { client, server } = socketPair();
    const { context, clock } = testContext(server);
    const served = detect({ other: answering("other") }).handle!(context, () => Promise.resolve());
    client.abort();
    await expect(Promise.resolve(served)).rejects.toThrow("reset");
    expect(clock.pending).toBe(0);
  });

  // A plugin for two protocols is disposed of once; one that throws does not affect the others.
  test("disposes its plugins", async () => {
    const disposed: string[] = [];
    const plugin = (name: string, fails = false): Plugin => ({
      name,
      handle() {},
      dispose() {
        disposed.push(name);
        if (fails) throw new Error(`${name} fails`);
      },
    });
    const one = plugin("one");
    const routes = { http: [one, plugin("two", true)], tls: one, other: answering("a") };
    await expect(detect({ ...routes, ssh: plugin("three") }).dispose!()).rejects.toThrow(
      "two fails",
    );
    expect(disposed).toEqual(["one", "two", "three"]);
  });

  // One line says what is wrong.
  test("validates its options", () => {
    expect(() => detect({})).toThrow("detect: routes: expected a plugin for tls, http");
    expect(() => detect({ http: [] })).toThrow(TypeError);
    expect(() => detect({ other: answering("a") }, { timeoutMs: 0 })).toThrow(
      /^detect: options.timeoutMs: /,
    );
  });
});
