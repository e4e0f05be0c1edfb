import { expect, test } from "bun:test";
import { rowsWith } from "./row.ts";

// A mistyped number, and a title that was changed in only one of two places.
test("row refuses a title that differs from the list", () => {
  const names: string[] = [];
  const row = rowsWith((name) => names.push(name));
  const title = "LISTEN ignores a RST";
  row(25, title, "with ACK", "");
  expect(names).toEqual([`row 25: ${title}, with ACK (RFC 9293 3.10.7.2)`]);
  expect(() => row(26, title, () => {})).toThrow(
    `row 26 is "LISTEN answers an ACK with RST, SEQ=SEG.ACK" in rows.ts, and "${title}" in its test`,
  );
  expect(() => row.decidedAgainst(25, "LISTEN ignores RST", "why")).toThrow("row 25 is");
  expect(() => row(0, title, () => {})).toThrow("there is no row 0");
  expect(names.length).toBe(1);
});
