import { describe, expect, test } from "bun:test";
import { decode } from "@dnsquery/dns-packet";
import { KnownReplies } from "../../../plugins/dns/known_replies.ts";
import { describe as shown, DnsPair, edns, query } from "./client.ts";

describe("KnownReplies", () => {
  // The ID is that of the query; both arrays stay as they were.
  test("finds the reply to a query with another ID", () => {
    const known = new KnownReplies();
    const reply = Uint8Array.of(18, 103, 1, 2, 3);
    known.keep(query("db.lan", "A", { id: 4711 }), reply);
    const found = known.find(query("db.lan", "A", { id: 0x0102 }))!;
    expect([...found]).toEqual([1, 2, 1, 2, 3]);
    expect([...known.find(query("db.lan", "A", { id: 0 }))!]).toEqual([0, 0, 1, 2, 3]);
    expect([...reply]).toEqual([18, 103, 1, 2, 3]);
  });

  // Every other bit of a query may change its reply.
  test("finds no reply to a query that differs in anything else", () => {
    const known = new KnownReplies();
    const asked = query("db.lan", "A");
    known.keep(asked, Uint8Array.of(0, 0, 1));
    for (let at = 2; at < asked.length; at++) {
      for (let bit = 1; bit < 256; bit <<= 1) {
        const other = asked.slice();
        other[at]! ^= bit;
        expect(known.find(other)).toBeUndefined();
      }
    }
    expect(known.find(asked.slice(0, -1))).toBeUndefined();
    expect(known.find(Uint8Array.of(...asked, 0))).toBeUndefined();
    expect(known.find(new Uint8Array(0))).toBeUndefined();
    expect(known.find(asked)).toBeDefined();
  });

  // Ten thousand names: at most 256 replies are kept, none of them for another query.
  test("keeps a bounded number of replies of bounded size", () => {
    const known = new KnownReplies();
    const names = Array.from({ length: 10_000 }, (_, i) => query(`host${i}.lan`, "A"));
    names.forEach((name, i) => known.keep(name, Uint8Array.of(0, 0, i >> 8, i)));
    const found = names.map((name) => known.find(name));
    expect(found.filter((reply) => reply !== undefined).length).toBe(256);
    found.forEach((reply, i) => {
      if (reply) expect([...reply.subarray(2)]).toEqual([i >> 8, i & 255]);
    });
    const asked = query("db.lan", "A");
    known.keep(asked, new Uint8Array(1233));
    expect(known.find(asked)).toBeUndefined();
    const long = new Uint8Array(513);
    known.keep(long, new Uint8Array(3));
    expect(known.find(long)).toBeUndefined();
  });
});

describe("dns over UDP", () => {
  // The second reply of each pair is a known one; letters are repeated as they were sent (RFC 5452 9.3).
  test("answers a repeated query as it did before", async () => {
    const many = Array.from({ length: 200 }, (_, i) => `10.7.1.${i}`);
    await using pair = new DnsPair({ names: { "db.lan": "10.7.0.3", "many.lan": many } });
    for (
      const [name, more] of [
        ["db.lan", {}],
        ["DB.lan", {}],
        ["db.lan", edns(1232)],
        ["no.lan", {}],
        ["many.lan", {}],
      ] as const
    ) {
      const replies = [];
      for (const id of [1, 2]) {
        const reply = decode(await pair.exchange(query(name, "A", { ...more, id })));
        expect(reply.id).toBe(id);
        expect(reply.questions![0]!.name).toBe(name);
        replies.push(shown(reply));
      }
      expect(replies[0]).toBe(replies[1]!);
    }
    // Over TCP there is room for all addresses.
    const socket = pair.client.connect("10.0.0.2:53");
    const asked = query("many.lan", "A");
    await socket.write(Uint8Array.of(0, asked.length, ...asked));
    const length = new Uint8Array(2);
    await pair.run(socket.read(length));
    expect(length[0]! * 256 + length[1]!).toBeGreaterThan(3000);
  });
});
