import { describe, expect, test } from "bun:test";
import { rowOf } from "../../../../../adapters/service/admin/connections.ts";
import { connectionFilter } from "../../../../../adapters/service/cli/tools/connection_filter.ts";
import { UsageError } from "../../../../../adapters/service/errors.ts";
import { fakeConnection } from "../../../../support/fake_connection.ts";

const ROWS = [
  rowOf(fakeConnection({ port: 5001, plugin: "limit+http" })),
  rowOf(fakeConnection({ port: 5002, plugin: "echo", stats: { state: "TIME-WAIT" } })),
  {
    ...rowOf(fakeConnection({ port: 5003 })),
    remote: "[fd00::2]:443",
    waitsFor: "window" as const,
  },
];

const select = (filter: string) => {
  const selects = connectionFilter(filter === "" ? [] : filter.split(" "));
  return ROWS.flatMap((row, i) => selects(row) ? [i] : []);
};

describe("connectionFilter", () => {
  test.each([
    ["", [0, 1, 2]],
    ["state established", [0, 2]],
    ["state time-wait", [1]],
    ["state connected", [0, 1, 2]],
    ["state synchronized", [0, 1, 2]],
    ["dport = :5001", [0]],
    ["dport 443", [2]],
    ["sport :80 and dport :5002", [1]],
    ["dst 10.0.0.2", [0, 1]],
    ["dst 10.0.0.0/8:5002", [1]],
    ["dst [fd00::2]:443", [2]],
    ["dst fd00::2", [2]],
    ["dst [fd00::2]:444", []],
    ["src 10.0.0.1:80", [0, 1, 2]],
    ["plugin http", [0]],
    ["waits window", [2]],
    ["waits window plugin http", []],
  ])("%s selects %j", (filter, expected) => {
    expect(select(filter)).toEqual(expected);
  });

  test.each([
    ["dprt 80", '"dprt" is unknown'],
    ["state", "state has no value"],
    ["dport http", '"http" is not a port'],
    ["dst example.org", '"example.org" is not an address'],
    ["toString x", '"toString" is unknown'],
  ])("refuses %s", (filter, message) => {
    expect(() => select(filter)).toThrow(UsageError);
    expect(() => select(filter)).toThrow(message);
  });
});
