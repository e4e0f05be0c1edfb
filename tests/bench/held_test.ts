import { describe, expect } from "bun:test";
import { Program, runtimeCommand } from "../support/program.ts";
import { testRequiring } from "../support/requirements.ts";
import { ROOT } from "../support/source_files.ts";

const CONNECTIONS = 2000;
/** Maximum number of bytes per connection after an echo; Deno's suspended handlers take most of them. */
const PER_CONNECTION = 2048;
/** Allowance for memory of the server itself, in addition to the maximum per connection. */
const SERVER_SHARE = 256;
const LIMIT_MS = 60_000;

describe("the benchmark of held connections", () => {
  // No connection fails or remains, and each is small.
  testRequiring(["tun", "program:ip", "program:nsenter"], "measures and checks them", async () => {
    const command = runtimeCommand("tests/bench/held.ts", String(CONNECTIONS));
    const { exit, out, log } = await new Program(command, ROOT).finish(LIMIT_MS);
    expect([exit, log]).toEqual([0, ""]);
    const [held, reset] = out.trim().split("\n").map((line) => JSON.parse(line));
    expect(held).toMatchObject({ benchmark: "connections held", connections: CONNECTIONS });
    expect(held.bytesEach).toBeGreaterThan(500);
    expect(held.bytesEach).toBeLessThan(PER_CONNECTION + SERVER_SHARE);
    expect(held.microsecondsAmongAll).toBeGreaterThan(0);
    expect(held.closeMicrosecondsEach).toBeGreaterThan(0);
    expect(reset).toMatchObject({ benchmark: "connections reset at once" });
    expect(reset.probesWhileIdle).toBeGreaterThanOrEqual(CONNECTIONS);
    expect(reset.secondsUntilGone).toBeGreaterThan(0);
  }, LIMIT_MS);
});
