import { describe, expect } from "bun:test";
import { linkPair } from "../../../../../adapters/links/memory.ts";
import { tls, type TlsOptions } from "../../../../../adapters/plugins/tls.ts";
import { seededRandom } from "../../../../../adapters/runtime/seeded_random.ts";
import type { TcpOptions } from "../../../../../core/api/config.ts";
import { deriveSocket } from "../../../../../core/api/tcp/derived_socket.ts";
import { systemClock } from "../../../../../core/api/environment.ts";
import { createStack } from "../../../../../core/api/stack.ts";
import type { Handler, TcpSocket } from "../../../../../core/api/types.ts";
import { echo } from "../../../../../plugins/echo.ts";
import { makeCertificate, type TestCertificate } from "../../../../support/certificates.ts";
import { bytes } from "../../../../support/conversation.ts";
import { Program } from "../../../../support/program.ts";
import { type Requirement, testRequiring } from "../../../../support/requirements.ts";
import { TemporaryFolder } from "../../../../support/temporary_folder.ts";
import { until } from "../../../../support/until.ts";
import { serveBehindHost } from "../support.ts";
import { OpenSslClient } from "./client.ts";

const needs: readonly Requirement[] = ["program:openssl", "libssl"];
let made: TestCertificate | undefined;
const certificate = () => made ??= makeCertificate(["localhost"]);
const secure = (options: Partial<TlsOptions> = {}) =>
  tls({ certificates: [certificate()], engine: "openssl", ...options });

/** A stack that serves port 443 in this process, and a way to connect to it. */
function serve(...handlers: Parameters<typeof serveBehindHost>) {
  return serveWith({}, ...handlers);
}

/** {@link serve} with options of TCP. */
function serveWith(tcp: TcpOptions, ...handlers: Parameters<typeof serveBehindHost>) {
  const [here, there] = linkPair();
  const quiet = { debug() {}, info() {}, warn() {}, error() {} };
  const server = createStack({ link: here, addresses: ["10.7.0.2/24"], log: quiet, tcp });
  const client = createStack({ link: there, addresses: ["10.7.0.1/24"], log: quiet });
  server.use(443, ...handlers);
  return {
    connect: (): TcpSocket => {
      const socket = client.connect("10.7.0.2:443", { allowHalfOpen: true });
      socket.closed.catch(() => {});
      return socket;
    },
    async [Symbol.asyncDispose]() {
      await server.close();
      await client.close();
    },
  };
}

/** Sends `text` and returns the reply. */
async function ask(client: OpenSslClient, text: string): Promise<string> {
  client.write(bytes(text));
  await client.flush();
  let got = "";
  while (got.length < text.length) {
    const chunk = await client.read();
    if (chunk === undefined) break;
    got += new TextDecoder().decode(chunk);
  }
  return got;
}

describe("OpenSslSession", () => {
  // A middleware before tls replaces the reading, such as one that reads a header first.
  testRequiring(needs, "reads from a derived socket that only has promises", async () => {
    const derive: Handler = ({ socket }, next) =>
      next(deriveSocket(socket, { read: (p) => socket.read(p) }));
    await using server = serve(derive, secure(), echo());
    const socket = server.connect();
    const client = new OpenSslClient(socket);
    expect(await client.handshake()).toBe(true);
    expect(await ask(client, "ahoy")).toBe("ahoy");
    // Three records in one segment, the last of them in two.
    for (const text of ["one ", "two ", "three"]) client.write(bytes(text));
    const records = client.take();
    await socket.write(records.slice(0, -3));
    await socket.write(records.slice(-3));
    let got = "";
    while (got.length < 13) got += new TextDecoder().decode(await client.read());
    expect(got).toBe("one two three");
    await socket.closeWrite();
  });

  // Fifty interleaved sessions, with a record of each cut in two: no session reads another's data.
  testRequiring(needs, "keeps sessions apart that share the library's memory", async () => {
    await using server = serve(secure(), echo());
    const clients = await Promise.all(Array.from({ length: 50 }, async () => {
      const socket = server.connect();
      const client = new OpenSslClient(socket);
      expect(await client.handshake()).toBe(true);
      return { socket, client };
    }));
    for (let round = 0; round < 5; round++) {
      const halves = clients.map(({ client }, index) => {
        client.write(bytes(`round ${round} of client ${index}`));
        const record = client.take();
        return [record.slice(0, record.length >> 1), record.slice(record.length >> 1)] as const;
      });
      for (const [index, [first]] of halves.entries()) await clients[index]!.socket.write(first);
      for (const [index, [, rest]] of halves.entries()) await clients[index]!.socket.write(rest);
      for (const [index, { client }] of clients.entries()) {
        const chunk = await client.read();
        expect(new TextDecoder().decode(chunk)).toBe(`round ${round} of client ${index}`);
      }
    }
    for (const { client } of clients) client[Symbol.dispose]();
  });

  // Writes of 200,000 bytes through send buffers that are smaller than a record, have room for a few, and for all:
  // every byte arrives, and a buffer with room is filled with full records (RFC 8446 5.1).
  for (const sendBuffer of [4096, 20_000, 100_000, 4 * 1024 * 1024]) {
    testRequiring(
      needs,
      `writes large data through a send buffer of ${sendBuffer} bytes`,
      async () => {
        const data = Uint8Array.from({ length: 200_000 }, (_, index) => index % 251);
        const send: Handler = async ({ socket }) => {
          const taken = socket.tryWrite(data);
          await socket.write(data.subarray(taken));
          await socket.closeWrite();
        };
        await using server = serveWith({ sendBuffer }, secure(), send);
        using client = new OpenSslClient(server.connect());
        expect(await client.handshake()).toBe(true);
        const sizes: number[] = [];
        let at = 0;
        for (let chunk = await client.read(); chunk; chunk = await client.read()) {
          expect(chunk.every((byte, index) => byte === (at + index) % 251)).toBe(true);
          at += chunk.length;
          sizes.push(chunk.length);
        }
        expect(at).toBe(data.length);
        const full = sizes.filter((size) => size === 16_384).length;
        expect(full).toBeGreaterThanOrEqual(Math.floor(data.length / 16_384) - 1);
      },
    );
  }

  // Three hundred handshakes and conversations with a byte changed, dropped or doubled at a random
  // place; correct ones in between are still served.
  testRequiring(needs, "survives data that is not TLS", async () => {
    await using server = serve(secure(), echo());
    const random = seededRandom(8446);
    const pick = (below: number) => Math.floor(random.fraction() * below);
    for (let round = 0; round < 300; round++) {
      let left = pick(4);
      const socket = server.connect();
      const client = new OpenSslClient(socket, (sent) => {
        if (left-- > 0) return sent;
        const at = pick(sent.length);
        const changed = sent.slice();
        changed[at] = pick(256);
        const kind = pick(3);
        if (kind === 0) return changed;
        const parts = kind === 1 ? [sent.slice(0, at)] : [sent, sent.slice(at)];
        return Uint8Array.from(parts.flatMap((part) => [...part]));
      });
      // A truncated conversation would never finish, so the wait also ends with the socket or after 20 ms.
      const ended = socket.closed.catch(() => {});
      const talk = (async () => {
        if (await client.handshake()) await ask(client, "hello");
      })().catch(() => {});
      await Promise.race([talk, ended, settle()]);
      socket.abort();
      await talk;
      client[Symbol.dispose]();
      if (round % 20 > 0) continue;
      const right = new OpenSslClient(server.connect());
      expect(await right.handshake()).toBe(true);
      expect(await ask(right, `round ${round}`)).toBe(`round ${round}`);
      right[Symbol.dispose]();
    }
  }, 60_000);

  // An SSL 2.0 ClientHello has no records, but the library would accept it (RFC 5246 E.2).
  testRequiring(needs, "refuses a ClientHello of SSL 2.0", async () => {
    await using server = serve(secure(), echo());
    const socket = server.connect();
    await socket.write(Uint8Array.of(0x80, 0x2e, 1, 3, 3, 0, 0x15, 0, 0, 0, 0x10, ...Array(37)));
    expect(await socket.read(new Uint8Array(100)).catch(() => null)).toBe(null);
  });

  // Each KeyUpdate request causes an answer, and the client reads none: once the connection below
  // has no room for them, nothing more is read (RFC 8446 4.6.3).
  testRequiring(needs, "stops reading a client that only requests new keys", async () => {
    await using server = serve(secure(), echo());
    const socket = server.connect();
    using client = new OpenSslClient(socket);
    expect(await client.handshake()).toBe(true);
    let sent = 0;
    let isStopped = false;
    while (!isStopped && sent < 40_000_000) {
      for (let i = 0; i < 1000; i++) client.updateKeys();
      const batch = client.take();
      const writing = socket.write(batch).then(() => false, () => true);
      isStopped = await Promise.race([writing, settle().then(() => true)]);
      sent += batch.length;
    }
    expect(isStopped).toBe(true);
    socket.abort();
  }, 60_000);

  // Records after close_notify are ignored, and the connection ends as after any FIN.
  testRequiring(needs, "ignores data after close_notify (RFC 8446 6.1)", async () => {
    const read: number[] = [];
    const count: Handler = async ({ socket }) => {
      for await (const chunk of socket) read.push(chunk.length);
      await socket.write(bytes("done"));
    };
    await using server = serve(secure(), count);
    const socket = server.connect();
    using client = new OpenSslClient(socket);
    await client.handshake();
    client.write(bytes("hello"));
    await client.flush();
    await client.end();
    expect(new TextDecoder().decode(await client.read())).toBe("done");
    expect(read).toEqual([5]);
  });

  // A session ticket stays valid when the certificate is renewed, but not when the CA of client
  // certificates changes.
  testRequiring(needs, "resumes sessions after a renewal, and not under another CA", async () => {
    using folder = new TemporaryFolder();
    const write = (name: string, { cert, key }: TestCertificate) => ({
      cert: folder.write(`${name}.pem`, cert),
      key: folder.write(`${name}-key.pem`, key),
    });
    const authority = makeCertificate(["authority"]);
    const own = write("client", makeCertificate(["client.test"], authority));
    const ca = folder.write("ca.pem", authority.cert);
    let later = 0;
    const clock = { ...systemClock, now: () => systemClock.now() + later };
    const plugin = secure({
      certificates: [write("server", makeCertificate(["old.test"]))],
      clientCertificates: { ca, required: true },
    });
    const inTime: Handler = (c, next) => {
      const { socket, stack, log, signal } = c;
      const values = { get: c.get.bind(c), set: c.set.bind(c) };
      return plugin.handle!({ socket, stack, log, signal, clock, ...values }, next);
    };
    await using server = await serveBehindHost(inTime, echo());
    const session = `${folder.path}/session`;
    for (const version of ["-tls1_2", "-tls1_3"]) {
      const connect = async (...flags: string[]) => {
        const to = ["-connect", `127.0.0.1:${server.port}`, version];
        const identity = ["-cert", own.cert, "-key", own.key];
        const command = ["openssl", "s_client", ...to, ...identity, ...flags];
        const program = new Program(command, folder.path);
        program.say("hello\n");
        await program.printed(/hello\n/);
        program.hush();
        const { out } = await program.ended;
        return /^(New|Reused), /m.exec(out)?.[1];
      };
      expect(await connect("-sess_out", session)).toBe("New");
      expect(await connect("-sess_in", session, "-sess_out", session)).toBe("Reused");
      write("server", makeCertificate([`${version}.test`]));
      later += 1000;
      expect(await connect("-sess_in", session, "-sess_out", session)).toBe("Reused");
      folder.write("ca.pem", `${makeCertificate(["other"]).cert}${authority.cert}`);
      later += 1000;
      expect(await connect("-sess_in", session)).toBe("New");
      folder.write("ca.pem", authority.cert);
      later += 1000;
    }
  }, 30_000);
});

/** Waits 20 ms, in which pending callbacks run. */
async function settle(): Promise<void> {
  let isOver = false;
  setTimeout(() => isOver = true, 20);
  await until(() => isOver);
}
