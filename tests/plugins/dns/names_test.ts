import { describe, expect, test } from "bun:test";
import { decode } from "@dnsquery/dns-packet";
import { dns } from "../../../adapters/plugins/dns.ts";
import { DnsPair, edns, query } from "./client.ts";

describe("dns", () => {
  // By family; a known name without the requested type has an empty answer without an error.
  test("answers with the addresses of its names (RFC 1035 3.4.1, RFC 3596 2.1)", async () => {
    await using pair = new DnsPair({
      names: { "Db.Lan.": ["10.7.0.3", "10.7.0.4", "fd07::3"], "one.lan": "10.7.0.9" },
    });
    expect(await pair.ask("db.lan", "A")).toBe("NOERROR aa rd: A 10.7.0.3, A 10.7.0.4");
    expect(await pair.ask("DB.lAn", "AAAA")).toBe("NOERROR aa rd: AAAA fd07::3");
    expect(await pair.ask("one.lan", "A", { flags: 0 })).toBe("NOERROR aa: A 10.7.0.9");
    expect(await pair.ask("one.lan", "AAAA")).toBe("NOERROR aa rd");
    expect(await pair.ask("one.lan", "MX")).toBe("NOERROR aa rd");
    expect(await pair.ask("one.lan", "HTTPS")).toBe("NOERROR aa rd");
  });

  // The reply has the question with its case, and the identification.
  test("repeats the question byte for byte", async () => {
    await using pair = new DnsPair({ names: { "db.lan": "10.7.0.3" } });
    const asked = query("dB.LaN", "A", { id: 77 });
    const reply = await pair.exchange(asked);
    expect(reply.subarray(0, 2)).toEqual(asked.subarray(0, 2));
    expect(reply.subarray(12, asked.length)).toEqual(asked.subarray(12));
    const ttl = (decode(reply).answers![0] as { ttl: number }).ttl;
    expect(ttl).toBe(60);
  });

  // The chain of aliases and the final record.
  test("follows aliases, and answers with texts (RFC 1034 3.6.2)", async () => {
    await using pair = new DnsPair({
      names: {
        "www.lan": { cname: "web.lan" },
        "web.lan": { cname: "host.lan" },
        "host.lan": { addresses: ["10.7.0.3"], txt: ["hello", "you"] },
      },
    });
    expect(await pair.ask("www.lan", "A"))
      .toBe("NOERROR aa rd: CNAME web.lan, CNAME host.lan, A 10.7.0.3");
    expect(await pair.ask("www.lan", "CNAME")).toBe("NOERROR aa rd: CNAME web.lan");
    expect(await pair.ask("host.lan", "TXT")).toBe('NOERROR aa rd: TXT "hello", TXT "you"');
    expect(await pair.ask("host.lan", "ANY"))
      .toBe('NOERROR aa rd: HINFO {"cpu":"RFC8482","os":""}');
  });

  // Every name below that does not exist itself.
  test("supports wildcards (RFC 4592 2.2.1)", async () => {
    await using pair = new DnsPair({
      names: { "*.app.lan": "10.7.0.4", "db.app.lan": "10.7.0.5", "a.b.app.lan": "10.7.0.6" },
      zones: ["lan"],
    });
    expect(await pair.ask("x.app.lan", "A")).toBe("NOERROR aa rd: A 10.7.0.4");
    expect(await pair.ask("x.y.app.lan", "A")).toBe("NOERROR aa rd: A 10.7.0.4");
    expect(await pair.ask("db.app.lan", "A")).toBe("NOERROR aa rd: A 10.7.0.5");
    // Existing names hide the wildcard.
    expect(await pair.ask("x.db.app.lan", "A")).toBe("NXDOMAIN aa rd");
    expect(await pair.ask("x.b.app.lan", "A")).toBe("NXDOMAIN aa rd");
    expect(await pair.ask("b.app.lan", "A")).toBe("NOERROR aa rd");
    expect(await pair.ask("app.lan", "A")).toBe("NOERROR aa rd");
  });

  // It is authoritative for its own zones only.
  test("denies names of its zones, and refuses others (RFC 1035 4.1.1)", async () => {
    await using pair = new DnsPair({ names: { "db.lan": "10.7.0.3" }, zones: ["lan"] });
    expect(await pair.ask("nobody.lan", "A")).toBe("NXDOMAIN aa rd");
    expect(await pair.ask("lan", "A")).toBe("NOERROR aa rd");
    expect(await pair.ask("elan", "A")).toBe("REFUSED rd");
    expect(await pair.ask("example.com", "A")).toBe("REFUSED rd");
  });

  // A resolver caches negative answers for the time in the SOA record.
  test("adds an SOA record to negative answers (RFC 2308 2)", async () => {
    await using pair = new DnsPair({
      names: {
        "db.lan": "10.7.0.3",
        "www.lan": { cname: "one.example" },
        "one.example": "10.7.0.9",
        "*.apps": "10.7.0.5",
      },
      zones: ["lan", "sub.lan"],
      ttl: 30,
    });
    const owner = async (name: string, type: string) => {
      const { rcode, answers, authorities } = decode(await pair.exchange(query(name, type)));
      const [soa] = authorities as { type: string; name: string; ttl: number; data: unknown }[];
      const { minimum } = (soa?.data ?? {}) as { minimum?: number };
      return [rcode, answers!.length, soa?.type, soa?.name, soa?.ttl, minimum].join(" ");
    };
    expect(await owner("db.lan", "A")).toBe("NOERROR 1    ");
    expect(await owner("nobody.lan", "A")).toBe("NXDOMAIN 0 SOA lan 30 30");
    expect(await owner("a.b.sub.lan", "A")).toBe("NXDOMAIN 0 SOA sub.lan 30 30");
    expect(await owner("db.lan", "AAAA")).toBe("NOERROR 0 SOA lan 30 30");
    expect(await owner("lan", "A")).toBe("NOERROR 0 SOA lan 30 30");
    expect(await owner("one.example", "MX")).toBe("NOERROR 0 SOA one.example 30 30");
    expect(await owner("x.y.apps", "MX")).toBe("NOERROR 0 SOA apps 30 30");
    expect(await owner("www.lan", "AAAA")).toBe("NOERROR 1 SOA one.example 30 30");
    expect(await owner("lan", "SOA")).toBe("NOERROR 1    ");
    expect(await owner("nobody.example", "A")).toBe("REFUSED 0    ");
  });

  // The record has four or sixteen bytes for every spelling of an address.
  test("accepts every spelling of an address", async () => {
    await using pair = new DnsPair({ names: { "a.lan": ["::ffff:10.0.0.1", "FD07:0::0003"] } });
    expect(await pair.ask("a.lan", "A")).toBe("NOERROR aa rd: A 10.0.0.1");
    expect(await pair.ask("a.lan", "AAAA")).toBe("NOERROR aa rd: AAAA fd07::3");
  });

  // Invalid names are reported when the plugin is created.
  test("refuses invalid names", () => {
    expect(() => dns({ names: { "db.lan": "10.7.0" } })).toThrow("names.db.lan");
    expect(() => dns({ names: { "a..b": "10.7.0.1" } })).toThrow('"a..b" is not a name');
    expect(() => dns({ names: { "a\\.b": "10.7.0.1" } })).toThrow("is not a name");
    expect(() => dns({ names: { "A.b.": "10.7.0.1", "a.B": "10.7.0.2" } })).toThrow(
      "a.B appears twice",
    );
    expect(() => dns({ names: { [`${"x".repeat(64)}.lan`]: "10.7.0.1" } })).toThrow("not a name");
    expect(() => dns({ names: { a: { cname: "b" } } })).toThrow("which has no entry");
    expect(() => dns({ names: { a: { cname: "b" }, b: { cname: "a" } } })).toThrow("or a loop");
    expect(() => dns({ names: { a: { cname: "b", txt: [] }, b: "10.7.0.1" } })).toThrow(
      "can have no other",
    );
    expect(() => dns({ names: { a: { txt: ["x".repeat(256)] } } })).toThrow("names.a");
    expect(() => dns({ upstreams: ["dns.example"] })).toThrow("upstreams.0");
    expect(() => dns({ upstreams: ["9.9.9.9", "[::1]:5353", "::1"] })).not.toThrow();
  });
});

describe("queries that are not served", () => {
  // Another class, another operation, another version, a whole zone.
  test("are answered with the right error code (RFC 1035 4.1.1, RFC 6891 6.1.3)", async () => {
    await using pair = new DnsPair({ names: { "db.lan": "10.7.0.3" } });
    const ask = (more: object, type = "A") => pair.ask("db.lan", type, more);
    expect(await ask({ questions: [{ name: "db.lan", type: "A", class: "CH" }] }))
      .toBe("REFUSED rd");
    expect(await ask({}, "AXFR")).toBe("REFUSED rd");
    expect(await ask({ flags: 0x2800 })).toBe("NOTIMP");
    const bad = decode(await pair.exchange(query("db.lan", "A", edns(1232, 1))));
    expect([bad.rcode, (bad.additionals![0] as { extendedRcode?: number }).extendedRcode])
      .toEqual(["NOERROR", 1]);
    expect(await ask({ questions: [] })).toBe("FORMERR rd");
    const two = [{ name: "a", type: "A" as const }, { name: "b", type: "A" as const }];
    expect(await ask({ questions: two })).toBe("FORMERR rd");
  });

  // Truncated at every offset, and with a pointer to itself.
  test("that are malformed are answered with FORMERR or not at all", async () => {
    await using pair = new DnsPair({ names: { "db.lan": "10.7.0.3" } });
    const whole = query("db.lan", "A", edns(1232));
    for (let length = 12; length < whole.length; length++) {
      expect(decode(await pair.exchange(whole.slice(0, length))).rcode).toBe("FORMERR");
    }
    const looping = query("db.lan", "A");
    looping.set([0xc0, 12], 12);
    expect(decode(await pair.exchange(looping)).rcode).toBe("FORMERR");
    for (const length of [0, 1, 11]) {
      expect(await pair.isAnswered(whole.slice(0, length))).toBe(false);
    }
  });

  // Two servers that answered responses would loop forever.
  test("that are responses are not answered", async () => {
    await using pair = new DnsPair({ names: { "db.lan": "10.7.0.3" } });
    const answer = query("db.lan", "A");
    answer[2]! |= 0x80;
    expect(await pair.isAnswered(answer)).toBe(false);
  });
});

describe("long answers", () => {
  const addresses = Array.from({ length: 100 }, (_, i) => `10.7.1.${i}`);
  const texts = Array.from({ length: 12 }, (_, i) => `${"x".repeat(60)}${i}`);

  // 512 bytes without EDNS, with EDNS what the client accepts, but at most 1232.
  test("are truncated to what the client accepts (RFC 6891 6.2.5, RFC 2181 9)", async () => {
    await using pair = new DnsPair({ names: { "many.lan": addresses, "t.lan": { txt: texts } } });
    expect(await pair.ask("many.lan", "A")).toBe("NOERROR aa tc rd");
    expect(await pair.ask("many.lan", "A", edns(4096))).toBe("NOERROR aa tc rd");
    expect(await pair.ask("t.lan", "TXT")).toBe("NOERROR aa tc rd");
    expect(await pair.ask("t.lan", "TXT", edns(100))).toBe("NOERROR aa tc rd");
    expect((await pair.ask("t.lan", "TXT", edns(1232))).split("TXT ").length).toBe(13);
    const reply = decode(await pair.exchange(query("t.lan", "TXT", edns(1232))));
    expect((reply.additionals![0] as { udpPayloadSize?: number }).udpPayloadSize).toBe(1232);
  });
});
