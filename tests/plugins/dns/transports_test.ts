import { describe, expect, test } from "bun:test";
import { decode } from "@dnsquery/dns-packet";
import { frame, FrameReader } from "../../../plugins/dns/framing.ts";
import { codeOf } from "../../core/api/stack_pair.ts";
import { describe as shown, DnsPair, edns, query, replyTo } from "./client.ts";

const A = (data: string) => ({ type: "A" as const, name: "x.example", ttl: 5, data });
const later = (pair: DnsPair, ms: number) =>
  new Promise<void>((resolve) => void pair.clock.schedule(pair.clock.now() + ms, resolve));

describe("dns over TCP", () => {
  // Many questions on one connection, and an answer too large for UDP.
  test("answers one query after the other (RFC 7766 6.2.1)", async () => {
    const addresses = Array.from({ length: 200 }, (_, i) => `10.7.1.${i}`);
    await using pair = new DnsPair({ names: { "many.lan": addresses, "db.lan": "10.7.0.3" } });
    const socket = pair.client.connect("10.0.0.2:53", { allowHalfOpen: true });
    const reader = new FrameReader(socket);
    for (const name of ["db.lan", "many.lan", "db.lan"]) {
      await socket.write(frame(query(name, "A")));
      const reply = decode((await pair.run(reader.next()))!);
      expect(reply.answers!.length).toBe(name === "db.lan" ? 1 : 200);
    }
    // A half-close ends the connection after the last answer.
    await socket.write(frame(query("db.lan", "A")));
    await socket.closeWrite();
    expect(shown(decode((await pair.run(reader.next()))!))).toBe("NOERROR aa rd: A 10.7.0.3");
    expect(await pair.run(reader.next())).toBeUndefined();
  });

  // All at once; a query that waits for an upstream does not block others.
  test("answers pipelined queries out of order (RFC 7766 6.2.1.1)", async () => {
    const upstream = async (asked: Uint8Array) => {
      await later(pair, 500);
      return replyTo(asked, { answers: [A("1.2.3.4")] });
    };
    await using pair = new DnsPair(
      { names: { "db.lan": "10.7.0.3" }, upstreams: ["9.9.9.9"] },
      upstream,
    );
    const socket = pair.client.connect("10.0.0.2:53");
    const queries = [query("x.example", "A", { id: 1 }), query("db.lan", "A", { id: 2 })];
    for (const each of queries) await socket.write(frame(each));
    const reader = new FrameReader(socket);
    const ids = [await pair.run(reader.next()), await pair.run(reader.next())]
      .map((reply) => decode(reply!).id);
    expect(ids).toEqual([2, 1]);
  });

  // Three hundred at once are all answered, at most 64 concurrently.
  test("bounds the queries of a connection", async () => {
    let [running, most] = [0, 0];
    const upstream = async (asked: Uint8Array) => {
      most = Math.max(most, ++running);
      await later(pair, 10);
      running--;
      return replyTo(asked);
    };
    await using pair = new DnsPair({ upstreams: ["9.9.9.9"] }, upstream);
    const socket = pair.client.connect("10.0.0.2:53");
    const reader = new FrameReader(socket);
    for (let id = 0; id < 300; id++) await socket.write(frame(query("x.example", "A", { id })));
    const ids = new Set<number>();
    for (let i = 0; i < 300; i++) ids.add(decode((await pair.run(reader.next()))!).id!);
    expect([ids.size, most]).toEqual([300, 64]);
  });

  // The connection is idle for ten seconds.
  test("closes idle connections (RFC 7766 6.2.3)", async () => {
    await using pair = new DnsPair({});
    const socket = pair.client.connect("10.0.0.2:53");
    const before = pair.clock.now();
    expect(await pair.run(new FrameReader(socket).next())).toBeUndefined();
    expect(pair.clock.now() - before).toBeGreaterThanOrEqual(10_000);
  });
});

describe("dns that forwards", () => {
  // The answer is unchanged, except for the identification and the flags of this server.
  test("passes on the answer of an upstream", async () => {
    const asked: string[] = [];
    await using pair = new DnsPair({ upstreams: ["9.9.9.9", "[fd00::9]:5353"] }, (q, how, who) => {
      asked.push(`${how} ${who}`);
      // The upstream's answer is authoritative and does not offer recursion.
      return Promise.resolve(replyTo(q, { flags: 0x500, answers: [A("1.2.3.4")] }));
    });
    expect(await pair.ask("x.example", "A")).toBe("NOERROR rd ra: A 1.2.3.4");
    const reply = decode(await pair.exchange(query("x.example", "A", { id: 99 })));
    expect(reply.id).toBe(99);
    expect(asked).toEqual(["udp 9.9.9.9:53", "udp 9.9.9.9:53"]);
  });

  // The next upstream is queried; if there is none, the answer is SERVFAIL.
  test("queries the next upstream if one leads back to it", async () => {
    const asked: string[] = [];
    const back = { hostname: "10.0.0.2", port: 53 };
    await using pair = new DnsPair(
      { upstreams: ["127.0.0.1:5353", "9.9.9.9"] },
      (q, how, who) => {
        asked.push(`${how} ${who}`);
        return Promise.resolve(replyTo(q));
      },
      (_, { hostname }) => hostname === "127.0.0.1" ? back : undefined,
    );
    expect(await pair.ask("a.example", "A")).toBe("NOERROR rd ra");
    expect(asked).toEqual(["udp 9.9.9.9:53"]);
  });

  // Without another upstream the client gets SERVFAIL at once.
  test("fails a question whose only upstream leads back to it", async () => {
    const back = { hostname: "10.0.0.2", port: 53 };
    await using pair = new DnsPair(
      { upstreams: ["127.0.0.1:5353"] },
      (q) => Promise.resolve(replyTo(q)),
      () => back,
    );
    expect(await pair.ask("a.example", "A")).toBe("SERVFAIL rd ra");
  });

  // The first upstream refuses, the second does not answer.
  test("queries the next upstream if one fails or is silent", async () => {
    await using pair = new DnsPair(
      { upstreams: ["9.9.9.9", "9.9.9.8", "9.9.9.7"], timeoutMs: 300 },
      (q, _, who) => {
        if (who === "9.9.9.9:53") return Promise.reject(new Error("refused"));
        if (who === "9.9.9.8:53") return new Promise(() => {});
        return Promise.resolve(replyTo(q, { answers: [A("7.7.7.7")] }));
      },
    );
    const before = pair.clock.now();
    expect(await pair.ask("x.example", "A")).toBe("NOERROR rd ra: A 7.7.7.7");
    expect(pair.clock.now() - before).toBeGreaterThanOrEqual(300);
    await using silent = new DnsPair({ upstreams: ["9.9.9.9"] });
    expect(await silent.ask("x.example", "A")).toBe("SERVFAIL rd ra");
  });

  // The upstream's timeout may be longer than the idle timeout of clients.
  test("waits for upstreams for their whole timeout", async () => {
    const options = { upstreams: ["9.9.9.9", "9.9.9.8"], timeoutMs: 12_000 };
    await using pair = new DnsPair(options, (q, _, who) => {
      if (who === "9.9.9.9:53") return new Promise(() => {});
      return Promise.resolve(replyTo(q, { answers: [A("7.7.7.7")] }));
    });
    expect(await pair.ask("x.example", "A")).toBe("NOERROR rd ra: A 7.7.7.7");
    const socket = pair.client.connect("10.0.0.2:53");
    await socket.write(frame(query("x.example", "A")));
    const reply = await pair.run(new FrameReader(socket).next());
    expect(reply && decode(reply).answers!.length).toBe(1);
  });

  // A truncated answer is requested again over TCP if the client can receive it.
  test("repeats a query over TCP if the answer was truncated (RFC 7766 5)", async () => {
    const answers = Array.from({ length: 100 }, (_, i) => A(`1.2.3.${i}`));
    await using pair = new DnsPair(
      { upstreams: ["9.9.9.9"] },
      (q, how) => Promise.resolve(replyTo(q, how === "tcp" ? { answers } : { flags: 0x380 })),
    );
    expect(await pair.ask("x.example", "A", edns(1232))).toBe("NOERROR tc rd ra");
    const socket = pair.client.connect("10.0.0.2:53");
    await socket.write(frame(query("x.example", "A")));
    const reply = decode((await pair.run(new FrameReader(socket).next()))!);
    expect([reply.answers!.length, reply.flag_tc, reply.id]).toEqual([100, false, 4711]);
  });

  // The upstream's answer is larger than the client accepts.
  test("truncates answers that are too large for the client", async () => {
    const answers = Array.from({ length: 100 }, (_, i) => A(`1.2.3.${i}`));
    await using pair = new DnsPair(
      { upstreams: ["9.9.9.9"] },
      (q) => Promise.resolve(replyTo(q, { answers })),
    );
    expect(await pair.ask("x.example", "A")).toBe("NOERROR tc rd ra");
    // A query with EDNS gets an answer with EDNS (RFC 6891 7).
    const reply = decode(await pair.exchange(query("x.example", "A", edns(1232))));
    expect([reply.flag_tc, reply.additionals!.map(({ type }) => type)]).toEqual([true, ["OPT"]]);
  });

  // Another question, another identification, or a query is not an answer.
  test("accepts only matching answers (RFC 5452 9.1)", async () => {
    let tries = 0;
    await using pair = new DnsPair({ upstreams: ["9.9.9.9"] }, (q) => {
      const reply = replyTo(q, { answers: [A("6.6.6.6")] });
      tries++;
      if (tries === 1) reply[0]! ^= 1;
      if (tries === 2) reply[13]! ^= 1;
      if (tries === 3) reply[2]! &= 0x7f;
      if (tries < 4) return Promise.resolve(reply);
      return Promise.resolve(replyTo(q, { answers: [A("1.2.3.4")] }));
    });
    expect(await pair.ask("x.example", "A")).toBe("NOERROR rd ra: A 1.2.3.4");
    expect(tries).toBe(4);
  });

  // Later queries get SERVFAIL.
  test("bounds the queries waiting for upstreams", async () => {
    await using pair = new DnsPair(
      { upstreams: ["9.9.9.9"], maxQueries: 5, timeoutMs: 1000 },
      () => new Promise(() => {}),
    );
    const socket = pair.client.listenDatagram({ port: 0 });
    for (let id = 0; id < 8; id++) {
      await socket.send(query("x.example", "A", { id }), "10.0.0.2:53");
    }
    await pair.clock.advance(10);
    const early = pair.client.stats()["datagramsIn"];
    await pair.clock.advance(1000);
    expect([early, pair.client.stats()["datagramsIn"]]).toEqual([3, 8]);
    for (let i = 0; i < 8; i++) expect(decode((await socket.receive())[0]).rcode).toBe("SERVFAIL");
  });

  // One client has all waiting queries: its oldest gets SERVFAIL, and another client gets its
  // answer.
  test("evicts a query of the client with the most for another client", async () => {
    await using pair = new DnsPair(
      { upstreams: ["9.9.9.9"], maxQueries: 8, timeoutMs: 5000 },
      (q) =>
        decode(q).questions![0]!.name === "slow.example"
          ? new Promise(() => {})
          : Promise.resolve(replyTo(q, { answers: [A("1.2.3.4")] })),
    );
    const socket = pair.client.listenDatagram({ port: 0 });
    for (let id = 0; id < 8; id++) {
      await socket.send(query("slow.example", "A", { id }), "10.0.0.2:53");
    }
    await pair.clock.advance(10);
    pair.client.addAddress("10.0.0.9/24");
    const other = pair.client.listenDatagram({ port: 0, hostname: "10.0.0.9" });
    await other.send(query("x.example", "A"), "10.0.0.2:53");
    expect(shown(decode((await pair.run(other.receive()))[0]))).toBe("NOERROR rd ra: A 1.2.3.4");
    const evicted = decode((await pair.run(socket.receive()))[0]);
    expect([evicted.id, evicted.rcode]).toEqual([0, "SERVFAIL"]);
  });

  // A client that uses a new port each time leaves no flow.
  test("ends flows after five seconds", async () => {
    await using pair = new DnsPair({ names: { "db.lan": "10.7.0.3" } });
    for (let i = 0; i < 20; i++) await pair.ask("db.lan", "A");
    expect(pair.server.stats()["flows"]).toBe(20);
    await pair.clock.advance(5001);
    expect(pair.server.stats()["flows"]).toBe(0);
    expect(await codeOf(pair.run(pair.server.close()))).toBe("none");
  });
});
