import { describe, expect, test } from "bun:test";
import process from "node:process";
import { Program, runtimeCommand } from "../../../support/program.ts";

describe("a process in another time zone", () => {
  // A date without a zone in it would be read four hours off, and answered 200 instead of 304.
  test.each([["America/New_York", 240], ["Asia/Kolkata", -330], ["UTC", 0]])(
    "reads and writes dates in UTC: %s (RFC 9110 5.6.7)",
    async (zone, offset) => {
      const command = runtimeCommand("tests/adapters/plugins/static_files/print_dates.ts");
      const program = new Program(["env", `TZ=${zone}`, ...command], process.cwd());
      const { out, log } = await program.finish(25_000);
      if (out === "") throw new Error(log);
      expect(JSON.parse(out)).toEqual({
        offset,
        lastModified: "Mon, 01 Jul 2024 12:00:00 GMT",
        imf: [304, 200],
        rfc850: [304, 200],
        asctime: [304, 200],
        asctimeBefore: [200, 412],
        daytime: "Monday, July 1, 2024 12:00:00-UTC",
        access: '10.0.0.9 - - [01/Jul/2024:12:00:00 +0000] "GET / HTTP/1.1" 200 4',
      });
    },
    30_000,
  );
});
