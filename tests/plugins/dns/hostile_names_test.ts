import { describe, expect, test } from "bun:test";
import { Dice } from "../../fuzz/dice.ts";
import { DnsPair } from "./client.ts";
import { rawQuery, readStrictly, type StrictMessage } from "./strict_message.ts";

const OPTIONS = {
  names: {
    "db.lan": ["10.7.0.3", "fd07::3"],
    "*.app.lan": { addresses: ["10.7.0.4"], txt: ["text"] },
    "www.app.lan": { cname: "any.app.lan" },
    "*.alias.lan": { cname: "db.lan" },
  },
  zones: ["lan"],
};

const [NOERROR, FORMERR, NXDOMAIN, REFUSED] = [0, 1, 3, 5];

async function asked(pair: DnsPair, query: Uint8Array): Promise<StrictMessage> {
  return readStrictly(await pair.exchange(query));
}

describe("a label of any bytes", () => {
  // Dots, zeros, escapes, invalid UTF-8: with a wildcard, the owner name is that of the question.
  test.each([
    ".",
    "x.",
    ".x",
    "a..b",
    "a.b",
    "\\",
    "\\.",
    "\\046",
    "\0",
    "\xff",
    "\xff".repeat(63),
    "\xc3\xb6",
    "\xc4\xb0".repeat(31),
    "*",
    "\x03lan",
    "__proto__",
  ])("is behind a wildcard what it was (RFC 2181 11): %j", async (label) => {
    await using pair = new DnsPair(OPTIONS);
    const labels = [label, "App", "lan"];
    for (const type of [1, 16, 255]) {
      const { rcode, question, answers } = await asked(pair, rawQuery(labels, type));
      expect([rcode, question, answers.map(({ name }) => name)])
        .toEqual([NOERROR, labels, [labels]]);
    }
    const alias = await asked(pair, rawQuery([label, "alias", "lan"]));
    expect(alias.answers.map(({ name }) => name))
      .toEqual([[label, "alias", "lan"], ["db", "lan"]]);
    const none = await asked(pair, rawQuery(labels, 15));
    expect([none.rcode, none.authorities[0]!.name]).toEqual([NOERROR, ["lan"]]);
  });

  // Names that look the same as text are distinct.
  test.each([
    [["db.lan"], REFUSED],
    [["db", "lan."], REFUSED],
    [["db", "lan", "."], REFUSED],
    [["a.db", "lan"], NXDOMAIN],
    [["db.", "lan"], NXDOMAIN],
    [["db\0", "lan"], NXDOMAIN],
    [["x.app", "lan"], NXDOMAIN],
    [["db\x03lan"], REFUSED],
    [["\x02db\x03lan"], REFUSED],
    [["\xe2\x84\xaab", "lan"], NXDOMAIN],
    [["DB", "LAN"], NOERROR],
  ])("%j is not the name that it looks like", async (labels, rcode) => {
    await using pair = new DnsPair(OPTIONS);
    const reply = await asked(pair, rawQuery(labels));
    expect([reply.rcode, reply.question]).toEqual([rcode, labels]);
    expect(reply.answers.length).toBe(rcode === NOERROR ? 1 : 0);
  });

  // The maximum length of a name, and longer.
  test("is part of a name of at most 255 bytes (RFC 1035 2.3.4)", async () => {
    await using pair = new DnsPair(OPTIONS);
    const longest = [
      "a".repeat(63),
      "b".repeat(63),
      "\xff".repeat(63),
      "d".repeat(52),
      "app",
      "lan",
    ];
    const reply = await asked(pair, rawQuery(longest));
    expect([reply.rcode, reply.answers[0]!.name]).toEqual([NOERROR, longest]);
    expect((await asked(pair, rawQuery(["e", ...longest]))).rcode).toBe(FORMERR);
  });
});

describe("any message", () => {
  // Every reply is well-formed, and has only the name in the question or known names.
  test("is answered by a reply that is well-formed, or not at all", async () => {
    await using pair = new DnsPair(OPTIONS);
    const dice = new Dice(53);
    const known = ["db", "lan", "app", "www", "alias", "*", ".", "x.", "\xff".repeat(63), "\\"];
    const owners = ["db.lan", "any.app.lan", "lan"];
    for (let i = 0; i < 400; i++) {
      const labels = Array.from({ length: dice.below(4) }, () => dice.of(known));
      const query = rawQuery([...labels, "lan"], dice.of([1, 5, 6, 16, 28, 41, 255]), {
        additionals: dice.below(3),
        extra: Array.from({ length: dice.below(40) }, () => dice.chance(0.3) ? dice.byte() : 0),
      });
      if (dice.chance(0.5)) query[12 + dice.below(query.length - 12)] = dice.byte();
      const reply = readStrictly(await pair.exchange(query));
      if (reply.question === undefined) continue;
      const name = reply.question.join(".").toLowerCase();
      for (const { name: owner } of [...reply.answers, ...reply.authorities]) {
        const text = owner.join(".").toLowerCase();
        expect(text === name || name.endsWith(`.${text}`) || owners.includes(text)).toBe(true);
      }
    }
  });
});

describe("EDNS", () => {
  const opt = [0, 0, 41, 16, 0, 0, 0, 0, 0, 0, 0];
  const ask = (pair: DnsPair, additionals: number, extra: number[]) =>
    asked(pair, rawQuery(["db", "lan"], 1, { additionals, extra }));

  // A query has at most one OPT record, at the root, with complete options.
  test("is one OPT record, at the root (RFC 6891 6.1.1)", async () => {
    await using pair = new DnsPair(OPTIONS);
    expect((await ask(pair, 1, opt)).rcode).toBe(NOERROR);
    expect((await ask(pair, 2, [...opt, ...opt])).rcode).toBe(FORMERR);
    expect((await ask(pair, 1, [1, 97, ...opt])).rcode).toBe(FORMERR);
    expect((await ask(pair, 1, [0xc0, 12, ...opt.slice(1)])).rcode).toBe(FORMERR);
    const withOption = [...opt.slice(0, 10), 8, 0, 10, 0, 4, 1, 2, 3, 4];
    expect((await ask(pair, 1, withOption)).rcode).toBe(NOERROR);
    expect((await ask(pair, 1, withOption.with(14, 5))).rcode).toBe(FORMERR);
    expect((await ask(pair, 1, withOption.with(14, 0))).rcode).toBe(FORMERR);
    expect((await ask(pair, 1, withOption.slice(0, -1))).rcode).toBe(FORMERR);
  });

  // The extended code requires an OPT record in the reply.
  test("of another version is answered with BADVERS (RFC 6891 6.1.3)", async () => {
    await using pair = new DnsPair(OPTIONS);
    const { rcode, additionals, answers } = await ask(pair, 1, opt.with(6, 1));
    expect([rcode, answers.length, additionals.length]).toEqual([16, 0, 1]);
    expect(additionals[0]!.ttl & 0xff_0000).toBe(0);
  });

  // A record that points to itself, forward, or to an invalid name.
  test("is not read after malformed names", async () => {
    await using pair = new DnsPair(OPTIONS);
    const record = [0, 1, 0, 1, 0, 0, 0, 0, 0, 4, 1, 2, 3, 4];
    expect((await ask(pair, 1, [0xc0, 12, ...record])).rcode).toBe(NOERROR);
    for (const pointer of [[0xc0, 24], [0xc0, 25], [0xff, 0xff], [0x41, 97]]) {
      expect((await ask(pair, 1, [...pointer, ...record])).rcode).toBe(FORMERR);
    }
  });
});

describe("questions for meta-types", () => {
  // Message types, zone transfers, and obsolete types.
  test.each([[41, 1], [249, 1], [250, 1], [251, 5], [252, 5], [253, 4], [254, 4], [65_280, 0]])(
    "of type %d are answered with code %d",
    async (type, rcode) => {
      await using pair = new DnsPair(OPTIONS);
      expect((await asked(pair, rawQuery(["db", "lan"], type))).rcode).toBe(rcode);
    },
  );
});
