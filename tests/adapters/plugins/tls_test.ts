import { once } from "node:events";
import { readdirSync } from "node:fs";
import type { Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import { describe, expect } from "bun:test";
import { tls, TLS_INFO, type TlsInfo, type TlsOptions } from "../../../adapters/plugins/tls.ts";
import type { Handler } from "../../../core/api/types.ts";
import { echo } from "../../../plugins/echo.ts";
import { http } from "../../../plugins/http.ts";
import { logConnection } from "../../../plugins/shared/connection_log.ts";
import { makeCertificate, type TestCertificate } from "../../support/certificates.ts";
import { bytes, codeOf } from "../../support/conversation.ts";
import { socketPair, testContext } from "../../support/fake_socket.ts";
import { Program } from "../../support/program.ts";
import { type Requirement, testRequiring } from "../../support/requirements.ts";
import { ROOT } from "../../support/source_files.ts";
import { TemporaryFolder, withTemporary } from "../../support/temporary_folder.ts";
import { until } from "../../support/until.ts";
import { readAll, serveBehindHost, type Server } from "./tls/support.ts";

let made: TestCertificate | undefined;
const certificate = () => made ??= makeCertificate(["localhost", "*.example.org"]);

/** Resolves with all data that the client receives. */
function received(client: TLSSocket): Promise<string> {
  let text = "";
  client.on("data", (chunk) => text += chunk);
  return once(client, "end").then(() => text);
}

/** Both engines have to pass the same tests. */
function suite(engine: "openssl" | "runtime"): void {
  const needs: readonly Requirement[] = engine === "openssl"
    ? ["program:openssl", "libssl"]
    : ["program:openssl"];
  const secure = (options: Partial<TlsOptions> = {}) =>
    tls({ certificates: [certificate()], engine, ...options });

  describe(`tls by ${engine}`, () => {
    // Both TLS versions: data is echoed, and the next plugin sees the negotiated parameters.
    testRequiring(needs, "passes the plaintext connection to the next plugin", async () => {
      const seen: (TlsInfo | string | null | undefined)[] = [];
      const look: Handler = async (c, next) => {
        seen.push(c.get<TlsInfo>(TLS_INFO), (await c.socket.opened).alpn);
        await next();
      };
      await using server = await serveBehindHost(
        secure({ alpn: ["h2", "http/1.1"] }),
        look,
        echo(),
      );
      for (const version of ["TLSv1.2", "TLSv1.3"] as const) {
        const client = await server.connect({
          minVersion: version,
          maxVersion: version,
          servername: "a.example.org",
          ALPNProtocols: ["spdy/1", "http/1.1"],
        });
        client.write("question");
        const [chunk] = await once(client, "data");
        expect(String(chunk)).toBe("question");
        expect(client.alpnProtocol).toBe("http/1.1");
        const [info, alpn] = seen.splice(0) as [TlsInfo, string];
        expect(info).toMatchObject({ version, serverName: "a.example.org", alpn: "http/1.1" });
        expect(info.cipher).not.toBe("");
        expect(info.clientCertificate).toBeUndefined();
        expect(alpn).toBe("http/1.1");
        client.destroy();
      }
    });

    // With h2 in `alpn`, a TLS 1.2 client never gets a cipher suite of RFC 9113's appendix A, whatever it offers.
    testRequiring(needs, "refuses the cipher suites that RFC 9113 9.2.2 prohibits", async () => {
      await using server = await serveBehindHost(secure({ alpn: ["h2", "http/1.1"] }), echo());
      const to = ["-connect", `127.0.0.1:${server.port}`, "-tls1_2", "-alpn", "h2,http/1.1"];
      const connect = async (cipher: string) => {
        const program = new Program(["openssl", "s_client", ...to, "-cipher", cipher], ROOT);
        program.hush();
        const { out } = await program.ended;
        return /ALPN protocol: (.*)/.exec(out)?.[1];
      };
      expect(await connect("ECDHE-ECDSA-AES128-GCM-SHA256")).toBe("h2");
      expect(await connect("ECDHE-ECDSA-AES128-SHA256:ECDHE-ECDSA-AES256-SHA")).toBe(undefined);
      expect(await connect("ALL:!AESGCM:!CHACHA20")).toBe(undefined);
    });

    // close_notify, or only a FIN: the pending request is aborted. Its URL has https.
    testRequiring(needs, "reports a disconnecting client to http", async () => {
      const seen: string[] = [];
      const app = http({
        fetch: ({ url, signal }) =>
          new Promise((resolve) => {
            seen.push(url);
            signal.addEventListener("abort", () => {
              seen.push((signal.reason as Error).name);
              resolve(new Response("too late"));
            });
          }),
      });
      await using server = await serveBehindHost(secure({ alpn: ["http/1.1"] }), app);
      for (
        const go of [(client: TLSSocket) => client.end(), (client: TLSSocket) => client.destroy()]
      ) {
        const client = await server.connect({ ALPNProtocols: ["http/1.1"] });
        client.on("error", () => {});
        client.write("GET /a HTTP/1.1\r\nHost: h\r\n\r\n");
        await until(() => seen.length === 1);
        go(client);
        await until(() => seen.length === 2);
        expect(seen.splice(0)).toEqual(["https://h/a", "AbortError"]);
        client.destroy();
      }
    });

    // Without SNI and ALPN.
    testRequiring(
      needs,
      "serves a client without SNI and ALPN",
      async () => {
        const seen: unknown[] = [];
        const look: Handler = async (c) => {
          const { alpn } = await c.socket.opened;
          seen.push(c.get<TlsInfo>(TLS_INFO)?.alpn, alpn, c.socket.upgraded);
        };
        await using server = await serveBehindHost(secure({ alpn: ["h2"] }), look);
        const client = await server.connect();
        expect(await received(client)).toBe("");
        expect(seen).toEqual([undefined, null, true]);
      },
    );

    // The client half-closes first and still receives data (RFC 8446 6.1).
    testRequiring(needs, "carries the client's half-close", async () => {
      const answer: Handler = async ({ socket }) => {
        const question = await readAll(socket);
        await socket.write(bytes(`${question}? `));
        await socket.write(bytes("answer"));
      };
      await using server = await serveBehindHost(secure(), answer);
      for (const version of ["TLSv1.2", "TLSv1.3"] as const) {
        const client = await server.connect({ maxVersion: version });
        const got = received(client);
        client.end("question");
        expect(await got).toBe("question? answer");
      }
    });

    // A pending read need not wait for close_notify after close().
    testRequiring(needs, "ends a pending read at close()", async () => {
      const order: string[] = [];
      const closes: Handler = async ({ socket }) => {
        const waiting = socket.read(new Uint8Array(1));
        await socket.write(bytes("x"));
        void socket.close().catch(() => {});
        order.push(`read ${await waiting}`);
      };
      await using server = await serveBehindHost(secure(), closes);
      const client = await server.connect();
      await received(client);
      order.push("client's end");
      await until(() => order.length === 2);
      expect(order).toEqual(["read null", "client's end"]);
    });

    // The server half-closes first and still receives data.
    testRequiring(needs, "carries the server's half-close", async () => {
      const heard = Promise.withResolvers<string>();
      const endsFirst: Handler = async ({ socket }) => {
        await socket.write(bytes("that is all"));
        await socket.closeWrite();
        heard.resolve(await readAll(socket));
      };
      await using server = await serveBehindHost(secure(), endsFirst);
      const client = await server.connect();
      expect(await received(client)).toBe("that is all");
      client.write("one, ");
      client.end("two");
      expect(await heard.promise).toBe("one, two");
    });

    // FIN without close_notify: the data may be truncated (RFC 8446 6.1).
    testRequiring(needs, "fails a connection that ends without close_notify", async () => {
      for (const version of ["TLSv1.2", "TLSv1.3"] as const) {
        for (const reading of ["before", "after"] as const) {
          const result = Promise.withResolvers<string>();
          const ended = Promise.withResolvers<void>();
          const read: Handler = async ({ socket }) => {
            if (reading === "after") await ended.promise;
            const chunk = new Uint8Array(100);
            const size = await socket.read(chunk);
            result.resolve(`${size} ${await codeOf(socket.read(chunk))}`);
          };
          await using server = await serveBehindHost(secure(), read);
          const client = await server.connect({ maxVersion: version });
          client.write("half of i");
          await untilStill(() => server.beneath.stats().bytesOut);
          await server.beneath.closeWrite();
          while (server.beneath.state === "ESTABLISHED") await turn();
          ended.resolve();
          expect(await result.promise).toBe("9 CONNECTION_RESET");
        }
      }
    });

    // This is a fault of the peer, not of the handler; the connection's log line has the reason.
    testRequiring(needs, "logs a missing close_notify as a fault of the client", async () => {
      const logged: [string, unknown][] = [];
      const note = (level: string) => (message: string, fields?: Record<string, unknown>) => {
        logged.push([`${level} ${message}`, fields?.["end"]]);
      };
      const logger = { debug() {}, info: note("info"), warn: note("warn"), error: note("error") };
      const write: Handler = (c, next) => logConnection(c, next, logger, "info");
      await using server = await serveBehindHost(write, secure(), echo());
      const client = await server.connect();
      client.write("half of i");
      await once(client, "data");
      await server.beneath.closeWrite();
      await until(() => logged.length > 0);
      const end =
        "CONNECTION_RESET: the peer ended without close_notify: the data may be truncated";
      expect(logged).toEqual([["info connection", end]]);
      expect(server.lines).toEqual([]);
    });

    // The client may still read the written data, slowly.
    testRequiring(needs, "delivers data to a client that ends without close_notify", async () => {
      const answered = Promise.withResolvers<void>();
      const answer: Handler = async ({ socket }) => {
        await socket.read(new Uint8Array(100));
        await socket.write(new Uint8Array(100_000));
        answered.resolve();
      };
      await using server = await serveBehindHost(secure(), answer);
      const client = await server.connect();
      const released = Promise.withResolvers<void>();
      server.hold(released.promise);
      const all = received(client);
      client.write("question");
      await answered.promise;
      await server.beneath.closeWrite();
      // Longer than the engine waits for close_notify.
      setTimeout(() => released.resolve(), 700);
      expect((await all).length).toBe(100_000);
    });

    // A reset of the TCP connection resets the TLS socket.
    testRequiring(needs, "carries a reset", async () => {
      const result = Promise.withResolvers<string>();
      const read: Handler = async ({ socket }) => {
        await socket.read(new Uint8Array(1));
        server.beneath.abort();
        result.resolve(await codeOf(readAll(socket)));
      };
      await using server = await serveBehindHost(secure(), read);
      const client = await server.connect();
      client.write("1");
      expect(await result.promise).toBe("CONNECTION_RESET");
    });

    // The client sees an abort as a reset, not as an end.
    testRequiring(needs, "lets the plugin abort", async () => {
      const abort: Handler = async ({ socket }) => {
        await socket.write(bytes("half of i"));
        socket.abort();
      };
      await using server = await serveBehindHost(secure(), abort);
      await server.connect();
      expect(await codeOf(server.beneath.closed)).toBe("CONNECTION_RESET");
    });

    // A client that does not read blocks the plugin's writes; later all data arrives.
    testRequiring(needs, "carries backpressure to the plugin that writes", async () => {
      const total = 24 * 1024 * 1024;
      let written = 0;
      const write: Handler = async ({ socket }) => {
        const chunk = new Uint8Array(64 * 1024);
        while (written < total) {
          await socket.write(chunk);
          written += chunk.length;
        }
      };
      await using server = await serveBehindHost(secure(), write);
      const client = await server.connect();
      const go = Promise.withResolvers<void>();
      server.hold(go.promise);
      await untilStill(() => written);
      expect(written).toBeGreaterThan(0);
      expect(written).toBeLessThan(total / 2);
      go.resolve();
      let size = 0;
      client.on("data", (chunk: Uint8Array) => size += chunk.length);
      await once(client, "end");
      expect(size).toBe(total);
    });

    // A plugin that does not read blocks the client's writes; later all data arrives.
    testRequiring(needs, "carries backpressure to the client that writes", async () => {
      const total = 24 * 1024 * 1024;
      const start = Promise.withResolvers<void>();
      const size = Promise.withResolvers<number>();
      const read: Handler = async ({ socket }) => {
        await start.promise;
        let count = 0;
        for await (const chunk of socket) count += chunk.length;
        size.resolve(count);
      };
      await using server = await serveBehindHost(secure(), read);
      const client = await server.connect();
      for (let sent = 0; sent < total; sent += 65_536) client.write(new Uint8Array(65_536));
      client.end();
      const taken = await untilStill(() => server.beneath.stats().bytesOut);
      expect(taken).toBeLessThan(total / 2);
      start.resolve();
      expect(await size.promise).toBe(total);
    });

    // Data that is not TLS, an old version, and no common protocol: each is logged with one line,
    // and the next plugin does not run.
    testRequiring(needs, "logs a failed handshake and ends the connection", async () => {
      let served = 0;
      const count: Handler = () => void served++;
      await using server = await serveBehindHost(
        secure({ minVersion: "TLSv1.3", alpn: ["h2"], handshakeTimeoutMs: 100 }),
        count,
      );
      const failed = (promise: Promise<unknown>) => promise.then(() => "connected", () => "failed");
      expect(await failed(server.connect({ maxVersion: "TLSv1.2" }))).toBe("failed");
      expect(await failed(server.connect({ ALPNProtocols: ["http/1.1"] }))).toBe("failed");

      const plain = await server.connectPlain();
      plain.end("GET / HTTP/1.1\r\n\r\n");
      plain.resume();
      await closed(plain);
      const silent = await server.connectPlain();
      silent.resume();
      await closed(silent);
      const gone = await server.connectPlain();
      gone.end();
      await closed(gone.resume());

      expect(served).toBe(0);
      expect(server.lines.length).toBe(5);
      expect(server.failures).toEqual([1, 2, 3, 4, 5]);
      for (const line of server.lines) expect(line).toMatch(/^info tls: handshake failed .+/);
    });

    // 203.0.113.9 begins handshakes and sends nothing: its oldest makes room for another client, and its own
    // next one is reset.
    testRequiring(needs, "bounds the handshakes in progress", async () => {
      const plugin = secure({ maxHandshakes: 4 });
      const silent = (hostname: string) => {
        const { client, server } = socketPair({
          client: { transport: "tcp", hostname, port: 50_000 },
        });
        const served = plugin.handle!(testContext(server).context, () => Promise.resolve());
        return { client, served: Promise.resolve(served).catch(() => {}) };
      };
      const held = Array.from({ length: 4 }, () => silent("203.0.113.9"));
      const other = silent("192.0.2.1");
      await held[0]!.served;
      expect(await codeOf(held[0]!.client.closed)).toBe("CONNECTION_RESET");
      expect(await codeOf(silent("203.0.113.9").client.closed)).toBe("CONNECTION_RESET");
      const left = [...held.slice(1), other];
      expect(left.map(({ client }) => client.state)).toEqual(left.map(() => "ESTABLISHED"));
      for (const { client } of left) client.abort();
      await Promise.all(left.map(({ served }) => served));
    });

    // The client receives the alert for an old version.
    testRequiring(needs, "sends the alert of a failed handshake to the client", async () => {
      await using server = await serveBehindHost(secure({ minVersion: "TLSv1.3" }), echo());
      const reason = server.connect({ maxVersion: "TLSv1.2" }).then(() => "none", String);
      expect(await reason).toMatch(/protocol.?version/i);
    });

    // Each name gets its certificate, other names the first one.
    testRequiring(needs, "chooses the certificate by name (RFC 6066 3)", async () => {
      const other = makeCertificate(["other.test"]);
      await using server = await serveBehindHost(
        tls({ certificates: [certificate(), other], engine }),
        echo(),
      );
      for (
        const [servername, common] of [
          ["localhost", "localhost"],
          ["x.example.org", "localhost"],
          ["other.test", "other.test"],
          ["unknown.test", "localhost"],
          ["", "localhost"],
        ] as const
      ) {
        const client = await server.connect({ servername });
        expect([servername, client.getPeerCertificate().subject.CN]).toEqual([servername, common]);
        client.destroy();
      }
    });

    // A valid certificate, none, and one from another CA.
    testRequiring(needs, "requests client certificates", async () => {
      const authority = makeCertificate(["authority"]);
      const valid = makeCertificate(["client.test"], authority);
      const foreign = makeCertificate(["client.test"]);
      const seen: unknown[] = [];
      const look: Handler = async (c) => {
        seen.push(c.get<TlsInfo>(TLS_INFO)?.clientCertificate?.commonName);
        await c.socket.write(bytes("in"));
      };
      const outcome = async (server: Server, own?: TestCertificate) => {
        try {
          return await received(await server.connect(own ?? {}));
        } catch {
          return "out";
        }
      };
      for (const required of [true, false]) {
        const clientCertificates = { ca: authority.cert, required };
        await using server = await serveBehindHost(secure({ clientCertificates }), look);
        expect(await outcome(server, valid)).toBe("in");
        expect(await outcome(server)).toBe(required ? "out" : "in");
        expect(await outcome(server, foreign)).not.toBe("in");
      }
      expect(seen).toEqual(["client.test", "client.test", undefined]);
    });

    // One line says what is wrong, before anything is served.
    testRequiring(needs, "refuses certificates that it cannot use", () => {
      const { cert, key } = certificate();
      const use = (own: TestCertificate) => () => tls({ certificates: [own] });
      expect(use({ cert: "/nowhere/cert.pem", key })).toThrow(
        "tls: the certificate /nowhere/cert.pem cannot be read: ENOENT",
      );
      expect(use({ cert, key: makeCertificate(["localhost"]).key })).toThrow(
        "tls: the key given as text does not belong to the certificate given as text",
      );
      expect(use({ cert: key, key })).toThrow(
        /^tls: the certificate given as text is not valid PEM/,
      );
      expect(use({ cert, key: cert })).toThrow(
        /^tls: the private key given as text is not valid PEM/,
      );
      expect(() => tls({ certificates: [] })).toThrow(
        /^tls: options\.certificates: expected at least/,
      );
      expect(() => secure({ clientCertificates: { ca: "/nowhere/ca.pem" } })).toThrow(
        "tls: the client CA /nowhere/ca.pem cannot be read: ENOENT",
      );
    });

    // Certificate and key in either order, with other data in between, as text and as a file.
    testRequiring(needs, "accepts one file for both", async () => {
      using folder = new TemporaryFolder();
      const { cert, key } = certificate();
      const parameters =
        "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n";
      for (const pem of [`${cert}${key}`, `${parameters}${key}${parameters}${cert}`]) {
        const file = folder.write("both.pem", pem);
        for (const source of [pem, file]) {
          await using server = await serveBehindHost(
            tls({ certificates: [{ cert: source, key: source }], engine }),
            echo(),
          );
          const client = await server.connect({ ca: pem, servername: "localhost" });
          expect(client.getPeerCertificate().subject.CN).toBe("localhost");
        }
      }
    });

    // Every third handshake fails: all descriptors are closed again.
    testRequiring(needs, "leaves no file descriptor behind", async () => {
      const open = () => readdirSync("/proc/self/fd").length;
      await using server = await serveBehindHost(secure({ minVersion: "TLSv1.3" }), echo());
      const shake = async (index: number) => {
        const maxVersion = index % 3 === 0 ? "TLSv1.2" : "TLSv1.3";
        const client = await server.connect({ maxVersion }).catch(() => undefined);
        if (index % 3 === 1) client?.end();
        if (index % 3 === 2) client?.destroy();
        client?.resume();
      };
      await shake(1);
      while (server.open > 0) await turn();
      const before = open();
      for (let done = 0; done < 300; done += 30) {
        await Promise.all(Array.from({ length: 30 }, (_, index) => shake(index)));
      }
      while (server.open > 0) await turn();
      while (open() > before) await turn();
    }, 20_000);

    // Fifty clients at once: no temporary folder is left.
    testRequiring(needs, "leaves no temporary files behind", async () => {
      using folder = new TemporaryFolder();
      await withTemporary(folder.path, async () => {
        await using server = await serveBehindHost(secure(), echo());
        await Promise.all(Array.from({ length: 50 }, async () => {
          const client = await server.connect();
          const got = received(client);
          client.end("hello");
          expect(await got).toBe("hello");
        }));
        expect(server.lines).toEqual([]);
      });
      expect(readdirSync(folder.path)).toEqual([]);
    });
  });
}

for (const engine of ["openssl", "runtime"] as const) suite(engine);

function turn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}

/** Resolves when the connection has ended, with or without an error. */
function closed(socket: Socket): Promise<void> {
  return new Promise((resolve) => socket.once("close", () => resolve()));
}

/** Resolves with the value of `look` once it has been stable for a while. */
async function untilStill(look: () => number): Promise<number> {
  for (let seen = -1;;) {
    if (seen === look()) return seen;
    seen = look();
    for (let i = 0; i < 100; i++) await turn();
  }
}
