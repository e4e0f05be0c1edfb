import { describe, expect } from "bun:test";
import type { Impairments } from "../../adapters/links/decorators/impair.ts";
import { NEEDS, runEchoClients, V4, V6 } from "../e2e/service.ts";
import { Namespace } from "../support/namespace.ts";
import { runtimeCommand } from "../support/program.ts";
import { testRequiring } from "../support/requirements.ts";
import type { BadPathOptions } from "./programs/bad_path.ts";

const LIMIT_MS = 30_000;
const SIZE = 300_000;

const PATHS: Readonly<Record<string, Impairments>> = {
  "loses 2 %": { loss: 0.02, delayMs: 2 },
  "loses 10 %": { loss: 0.1, delayMs: 1 },
  "reorders half": { reorder: 0.5, reorderMs: 3, delayMs: 3 },
  "duplicates and corrupts": { duplicate: 0.1, corrupt: 0.02, delayMs: 1 },
  "does everything": {
    loss: 0.02,
    duplicate: 0.05,
    reorder: 0.1,
    corrupt: 0.01,
    delayMs: 2,
    jitterMs: 2,
  },
};

describe("the kernel and a stack on a path that", () => {
  for (const [what, impairments] of Object.entries(PATHS)) {
    // The kernel's sockets send, the stack sends back: each has to interoperate with the other's
    // loss recovery.
    for (const profile of ["local", "internet"] as const) {
      testRequiring(NEEDS, `${what} deliver every byte, profile ${profile}`, async () => {
        await using namespace = await Namespace.open();
        const options: BadPathOptions = { profile, seed: what.length, impairments };
        const program = "tests/differential/programs/bad_path.ts";
        const stack = namespace.start(...runtimeCommand(program, JSON.stringify(options)));
        await stack.printed(/ready/);
        for (const host of [V4, V6]) {
          const load = { host, connections: 2, atOnce: 2, least: SIZE, most: SIZE };
          expect(await runEchoClients(namespace, load, LIMIT_MS)).toBe("2 equal\n");
        }
        stack.hush();
        await stack.finish(LIMIT_MS);
      }, LIMIT_MS);
    }
  }
});
