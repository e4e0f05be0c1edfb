import { describe, expect, test } from "bun:test";
import { Namespace } from "../support/namespace.ts";
import { runtimeCommand } from "../support/program.ts";
import { testRequiring } from "../support/requirements.ts";
import { findRuntime } from "../support/runtimes.ts";
import { checkedLoads, sharesOf } from "./loads.ts";
import { PATTERN, PatternCheck } from "./programs/bulk_pattern.ts";

const LIMIT_MS = 30_000;
const ADDRESS = "10.90.0.2";

/** Result of the check for a stream in chunks of this length. */
function check(stream: Uint8Array, chunk: number): PatternCheck {
  const result = new PatternCheck();
  for (let at = 0; at < stream.length; at += chunk) result.take(stream.subarray(at, at + chunk));
  return result;
}

/** The pattern twice, without the bytes from `start` to `end`. */
function without(start: number, end: number): Uint8Array {
  const stream = new Uint8Array([...PATTERN, ...PATTERN]);
  stream.copyWithin(start, end);
  return stream.subarray(0, stream.length - (end - start));
}

describe("PatternCheck", () => {
  // The check is independent of chunk boundaries, and works across repetitions.
  test.each([1448, 65_521, 65_536, 1_000_000])("accepts the pattern in chunks of %d", (chunk) => {
    const { bytes, mismatches } = check(without(0, 0), chunk);
    expect([bytes, mismatches]).toEqual([2 * PATTERN.length, 0]);
  });

  // A single bit is wrong.
  test.each([0, 1, 65_520, 65_521, 131_072, 262_083])("detects a wrong byte at %d", (at) => {
    const stream = PATTERN.slice();
    stream[at]! ^= 1;
    expect(check(stream, 65_536).mismatches).toBe(1);
  });

  // A byte, a segment, a super-packet, or whole buffers are missing.
  test.each([1, 1448, 65_160, 65_536, 131_072])("detects %d missing bytes", (length) => {
    expect(check(without(100_000, 100_000 + length), 65_536).mismatches).toBeGreaterThan(0);
  });
});

describe("the bulk benchmark", () => {
  const needs = ["tun", "program:ip", "program:nsenter"] as const;

  // A short run of each load: there are figures, and all data arrives intact.
  testRequiring(needs, "transfers data in both directions, checked and unchecked", async () => {
    await using namespace = await startService();
    const loads = checkedLoads(findRuntime("Bun").executable, 9000, 0.2);
    const results = [];
    for (const load of loads) {
      const command = load.command({ name: "", address: ADDRESS, serves: ["bulk"] })!;
      const median = load.figure(await namespace.run(command, LIMIT_MS));
      expect(median).toBeGreaterThan(0);
      results.push({ load: load.name, unit: load.unit, target: "", median });
    }
    expect(sharesOf(results).map(({ load }) => load)).toEqual([
      "up, 1 connection, checked of counted",
      "up, 16 connections, checked of counted",
      "down, 1 connection, checked of counted",
      "down, 16 connections, checked of counted",
    ]);
  }, LIMIT_MS);

  // The server sends characters in place of the pattern.
  testRequiring(needs, "reports no figure for wrong data", async () => {
    await using namespace = await startService();
    const loads = checkedLoads(findRuntime("Bun").executable, 19, 0.2);
    const load = loads.find(({ name }) => name === "down, 1 connection, every byte checked")!;
    const command = load.command({ name: "", address: ADDRESS, serves: ["bulk"] })!;
    const out = await namespace.run(command, LIMIT_MS);
    expect(() => load.figure(out)).toThrow("mismatches");
  }, LIMIT_MS);
});

async function startService(): Promise<Namespace> {
  const namespace = await Namespace.open();
  const ports = ["--listen", "9000=./tests/bench/programs/bulk.ts", "--listen", "19=chargen"];
  const device = ["--tun", "berth0", "--address", `${ADDRESS}/24`, "--log-level", "warn"];
  await namespace.start(...runtimeCommand("main.ts", ...device, ...ports)).printed(/Ctrl\+C/);
  return namespace;
}
