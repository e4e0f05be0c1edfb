import { describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { Program, runtimeCommand } from "../../support/program.ts";
import { requires } from "../../support/requirements.ts";

describe("a process without file descriptors", () => {
  // A client waits in the kernel's queue and is accepted once descriptors are available.
  test("accepts again, and distinguishes its own limit from errors of others", async () => {
    const folder = mkdtempSync(join(tmpdir(), "berth-descriptors-"));
    try {
      const command = runtimeCommand("tests/adapters/host/without_descriptors.ts", folder);
      const program = new Program(
        ["sh", "-c", 'ulimit -n 100; exec "$@"', "sh", ...command],
        process.cwd(),
      );
      const { out, log } = await program.finish(25_000);
      if (out === "") throw new Error(log);
      const expected = {
        late: "x",
        lines: ["cannot accept connections", "accepting connections again"],
        dialled: "INSUFFICIENT_RESOURCES",
      };
      const without = { late: "not supported", lines: [], dialled: "not supported" };
      expect(JSON.parse(out)).toEqual({
        host: expected,
        foreign: requires("native-sockets").ok ? expected : without,
        // 503 while there are none, with one line for all requests, and the file afterwards.
        files: {
          statuses: [503, 503, 503, 200],
          lines: [{
            message: "files: cannot read",
            reason: expect.stringContaining("EMFILE"),
            others: 0,
          }],
        },
        pair: expect.any(String),
        pairAfterwards: "ok",
        qemuPath: { lines: expected.lines, isServed: true },
        qemuPort: { lines: expected.lines, isServed: true },
      });
    } finally {
      rmSync(folder, { recursive: true });
    }
  }, 30_000);
});
