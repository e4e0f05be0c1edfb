import { describe, expect, test } from "bun:test";
import { existsSync, readdirSync, statSync } from "node:fs";
import { request } from "node:http";
import { connect, createServer } from "node:net";
import { Hono } from "hono";
import { guard } from "../../../../adapters/service/admin/guard.ts";
import { MAX_CONNECTIONS } from "../../../../adapters/service/admin/server.ts";
import { listenForAdmin } from "../../../../adapters/service/admin/listen.ts";
import { TemporaryFolder } from "../../../support/temporary_folder.ts";

const answering = (text: string) => () => new Response(text);

/** Asks over a Unix socket. */
function ask(socketPath: string): Promise<string> {
  return new Promise((resolve, reject) => {
    request({ socketPath, path: "/" }, (answer) => {
      let text = "";
      answer.setEncoding("utf8").on("data", (chunk) => text += chunk).on(
        "end",
        () => resolve(text),
      );
    }).on("error", reject).end();
  });
}

/** The response to an HTTP/1.0 request without Host. */
function askPlainly(where: { path: string } | { port: number }): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = "";
    const socket = connect(where as never);
    socket.setEncoding("utf8").on("data", (chunk) => text += chunk).on("error", reject)
      .on("end", () => resolve(text));
    socket.write("GET /readyz?x=1 HTTP/1.0\r\n\r\n");
  });
}

// Proxies send such requests as health checks; the URL still has a path and a name of the loopback.
test.each(["a Unix socket", "a TCP port"])("%s is served without Host", async (kind) => {
  using folder = new TemporaryFolder();
  const path = folder.file("admin.sock");
  const app = new Hono().use(guard({})).get("/readyz", (c) => c.text(`x is ${c.req.query("x")}`));
  const where = kind === "a TCP port" ? { hostname: "127.0.0.1", port: 0 } : { path };
  const { port, close } = await listenForAdmin(where, app.fetch);
  expect(await askPlainly(port === undefined ? { path } : { port })).toMatch(
    / 200 OK\r\n[^]*x is 1/,
  );
  await close();
});

// A client reaches the host at an address other than 127.0.0.1.
test.each(["0.0.0.0", "::"])(
  "the port of all addresses, %s, is served at each of them",
  async (hostname) => {
    const token = "0123456789abcdef";
    const app = new Hono().use(guard({ token })).get("/readyz", (c) => c.text("ready"));
    const { port, close } = await listenForAdmin({ hostname, port: 0 }, app.fetch);
    const headers = { Authorization: `Bearer ${token}` };
    const answer = await fetch(`http://127.0.0.2:${port}/readyz`, { headers });
    expect([answer.status, await answer.text()]).toEqual([200, "ready"]);
    await close();
  },
);

describe("a Unix socket of the admin API", () => {
  // Mode 0600, nothing else is left in the folder, and at the end not even the socket.
  test("belongs to its owner alone", async () => {
    using folder = new TemporaryFolder();
    const path = folder.file("admin.sock");
    const server = await listenForAdmin({ path }, answering("here"));
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(readdirSync(folder.path)).toEqual(["admin.sock"]);
    expect(await ask(path)).toBe("here");
    await server.close();
    expect(existsSync(path)).toBe(false);
  });

  // A crash leaves a socket that nobody listens on.
  test("replaces a stale one, and none that is in use", async () => {
    using folder = new TemporaryFolder();
    const path = folder.file("admin.sock");
    const stale = createServer();
    await new Promise<void>((listening) => stale.listen(folder.file("other"), listening));
    const { renameSync } = await import("node:fs");
    renameSync(folder.file("other"), path);
    await new Promise((closed) => stale.close(closed));
    const server = await listenForAdmin({ path }, answering("here"));
    expect(await ask(path)).toBe("here");
    await expect(listenForAdmin({ path }, answering("second")))
      .rejects.toThrow("another service listens there");
    expect(await ask(path)).toBe("here");
    await server.close();
  });

  test("names the setting if there is no such folder", async () => {
    using folder = new TemporaryFolder();
    const path = folder.file("none/admin.sock");
    await expect(listenForAdmin({ path }, answering("x")))
      .rejects.toThrow(new RegExp(`^--admin unix:${path}: .*(ENOENT|no such file)`, "i"));
  });

  test("never replaces another file", async () => {
    using folder = new TemporaryFolder();
    const path = folder.write("admin.sock", "precious");
    await expect(listenForAdmin({ path }, answering("x"))).rejects.toThrow("not a socket");
  });
});

describe("a TCP port of the admin API", () => {
  // Other clients open connections and send nothing; at the limit, their oldest connections are closed for the
  // owner's request.
  test("has a limit of connections, shared between clients", async () => {
    const { port, close } = await listenForAdmin(
      { hostname: "127.0.0.1", port: 0 },
      answering("here"),
    );
    const most = MAX_CONNECTIONS + 50;
    const refused = Promise.withResolvers<void>();
    let closed = 0;
    const strangers = Array.from({ length: most }, () => {
      const socket = connect({ port: port!, host: "127.0.0.1", localAddress: "127.0.0.2" });
      socket.on("error", () => {}).resume();
      return socket.once("close", () => {
        if (most - ++closed <= MAX_CONNECTIONS) refused.resolve();
      });
    });
    await refused.promise;
    expect(await askPlainly({ port: port! })).toContain("here");
    for (const socket of strangers) socket.destroy();
    expect(await askPlainly({ port: port! })).toContain("here");
    await close();
  }, 30_000);

  // During an upgrade two processes listen; the old one answers the requests that it has received.
  test("can be taken over", async () => {
    const asked = Promise.withResolvers<void>();
    const answer = Promise.withResolvers<Response>();
    const one = await listenForAdmin({ hostname: "127.0.0.1", port: 0 }, () => {
      asked.resolve();
      return answer.promise;
    });
    const place = { hostname: "127.0.0.1", port: one.port! };
    const waiting = askPlainly(place);
    await asked.promise;
    await expect(listenForAdmin(place, answering("two"))).rejects.toThrow("the port is in use");
    const two = await listenForAdmin(place, answering("two"), { replaces: true });
    one.leave();
    answer.resolve(new Response("one"));
    expect(await waiting).toContain("one");
    expect(await askPlainly(place)).toContain("two");
    await one.close();
    await two.close();
  });

  // Port 0 becomes a free one.
  test("is served", async () => {
    const { port, close } = await listenForAdmin(
      { hostname: "127.0.0.1", port: 0 },
      answering("here"),
    );
    expect(await (await fetch(`http://127.0.0.1:${port}/`)).text()).toBe("here");
    await close();
  });
});
