import { describe, expect, test } from "bun:test";
import { rowOf } from "../../../../../../adapters/service/admin/connections.ts";
import { duration, scaled } from "../../../../../../adapters/service/cli/tools/top/columns.ts";
import { keysOf } from "../../../../../../adapters/service/cli/tools/top/keys.ts";
import {
  pageSize,
  render,
  renderOnce,
  type View,
} from "../../../../../../adapters/service/cli/tools/top/render.ts";
import type { Sample } from "../../../../../../adapters/service/cli/tools/top/sampler.ts";
import { fakeConnection } from "../../../../../support/fake_connection.ts";

const ROWS = Array.from({ length: 30 }, (_, i) => ({
  ...rowOf(fakeConnection({ port: 5000 + i, plugin: "http", ageSeconds: i * 100 })),
  inRate: i * 1000,
  outRate: i === 3 ? undefined : i * 1_000_000,
}));

const SAMPLE: Sample = {
  ready: "ready",
  listen: [{ where: "80", plugins: ["limit", "http"] }, { where: "7", plugins: ["echo"] }],
  connections: 30,
  flows: 2,
  packetsIn: 1234,
  packetsOut: 5,
  bitsIn: 1_500_000,
  bitsOut: 12,
  drops: [{ reason: "tcp-no-connection", total: 1234, perSecond: 3 }, {
    reason: "not-ours",
    total: 1,
    perSecond: 0,
  }],
  total: 30,
  rows: ROWS,
};

const view = (changes: Partial<View> = {}): View => ({
  sample: SAMPLE,
  query: { filter: "", sort: "outRate", descending: true, offset: 0, limit: 18 },
  selected: 1,
  message: undefined,
  isHelp: false,
  ...changes,
});

const textOf = (columns: number, rows: number, changes: Partial<View> = {}) =>
  render(view(changes), columns, rows).map(({ text }) => text);

// The name of a plugin comes from the service, so it must not control the terminal.
test("controls no terminal by what it shows", () => {
  const plugin = "a\x1b[2J\nb\x9b31m";
  const rows = [{ ...ROWS[0]!, plugin }];
  const sample = { ...SAMPLE, rows, listen: [{ where: "7", plugins: [plugin] }] };
  const lines = renderOnce(view({ sample })).split("\n");
  expect(lines.filter((line) => line.includes("a [2J b 31m")).length).toBe(2);
  expect(lines.every((line) => !/\p{Cc}/u.test(line))).toBe(true);
});

describe("render", () => {
  // The usual size of a terminal: everything that matters is there.
  test("fits 80 by 24", () => {
    const lines = textOf(80, 24);
    expect(lines.length).toBe(24);
    expect(Math.max(...lines.map(({ length }) => length))).toBeLessThanOrEqual(80);
    expect(lines[0]).toBe(
      "berth  ready  connections 30  flows 2  in 1.5Mbit/s 1.2kp/s  out 12bit/s 5p/s",
    );
    expect(lines[1]).toBe("listen  80 limit+http  7 echo");
    expect(lines[2]).toBe("drops   tcp-no-connection 1.2k (3/s)  not-ours 1");
    expect(lines[3]).toBe("1-30 of 30");
    expect(lines[4]).toMatch(/^PEER +LOCAL +PLUGIN +WAITS FOR +IN\/s +OUT\/sv +RTT *$/);
    expect(lines[5]).toMatch(/^10\.0\.0\.2:5000 +10\.0\.0\.1:80 +http +peer +0 +0 /);
    expect(lines[23]).toContain("q quit  h help");
    expect(render(view(), 80, 24).map(({ style }) => style).slice(4, 8))
      .toEqual(["reverse", "plain", "reverse", "plain"]);
    expect(pageSize(24)).toBe(18);
  });

  // Any size that a terminal may have: no line is too long, and there are as many as rows.
  test("fits every size", () => {
    for (const isHelp of [false, true]) {
      for (let columns = 1; columns < 200; columns += 3) {
        for (const rows of [1, 2, 5, 6, 7, 24, 60]) {
          const lines = textOf(columns, rows, { isHelp });
          expect(lines.length).toBe(rows);
          expect(Math.max(...lines.map(({ length }) => length))).toBeLessThanOrEqual(columns);
        }
      }
    }
  });

  // Narrow terminals lack the least important columns.
  test("leaves out columns of a narrow terminal", () => {
    expect(textOf(40, 24)[4]).toMatch(/^PEER +IN\/s +OUT\/sv *$/);
    expect(textOf(200, 24)[4]).toMatch(/STATE .* AGE .* CWND +FLIGHT +RETX/);
    expect(textOf(10, 24)[4]).toMatch(/^PEER/);
  });

  test("shows the filter, the order, messages and help", () => {
    const query = { filter: "http", sort: "remote", descending: false, offset: 20, limit: 18 };
    expect(textOf(80, 24, { query })[3]).toBe('21-50 of 30  filter "http"');
    expect(textOf(80, 24, { query })[4]).toMatch(/^PEER\^ /);
    expect(textOf(80, 24, { message: "gone" })[23]).toBe("gone");
    expect(textOf(80, 24, { isHelp: true }).join("\n")).toContain("k                reset");
    expect(textOf(80, 24, { sample: undefined })[0]).toBe("waiting for the service");
    const empty = { ...SAMPLE, rows: [], total: 0, drops: [], listen: [] };
    expect(textOf(80, 24, { sample: empty }).slice(1, 4)).toEqual([
      "listen  nothing",
      "drops   none",
      "0-0 of 0",
    ]);
  });

  // For pipes: no bound on the width, no key hints.
  test("prints everything once", () => {
    const lines = renderOnce(view()).split("\n");
    expect(lines.length).toBe(5 + 30);
    expect(lines[4]).toMatch(/PEER .* RETX$/);
    expect(lines.join("")).not.toContain("\x1b");
  });
});

describe("scaled and duration", () => {
  test.each([[0, "0"], [999, "999"], [999.6, "1.0k"], [1234, "1.2k"], [34_567_890, "35M"], [
    9_949_000,
    "9.9M",
  ], [1e15, "1000T"]])("%d is %s", (value, text) => {
    expect(scaled(value)).toBe(text);
  });

  test.each([[5, "5s"], [184, "3m04s"], [7800, "2h10m"], [442_800, "5d03h"]])(
    "%d seconds are %s",
    (value, text) => {
      expect(duration(value)).toBe(text);
    },
  );
});

describe("keysOf", () => {
  test.each([
    ["q", ["q"]],
    ["\x1b[A\x1b[B", ["up", "down"]],
    ["\x1b[5~\x1b[6~\x1bOC", ["page up", "page down", "right"]],
    ["/ab\x7f\r", ["/", "a", "b", "backspace", "enter"]],
    ["\x1b", ["escape"]],
    ["\x03\x1a", ["interrupt"]],
    ["\x1b[15~x", ["x"]], // F5 has no meaning
    ["\x01é", ["é"]],
  ])("%j are %j", (text, keys) => {
    expect(keysOf(text)).toEqual(keys);
  });
});
