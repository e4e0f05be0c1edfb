import { describe, expect } from "bun:test";
import { testRequiring } from "../support/requirements.ts";
import { NEEDS, V4, withService } from "./service.ts";

const needs = [...NEEDS, "program:curl", "program:slowhttptest"] as const;
/** 200 connections, all at once, for 4 seconds. */
const ATTACK = ["slowhttptest", "-c", "200", "-r", "200", "-l", "4", "-p", "20"];
const CURL = ["curl", "--silent", "--show-error", "--fail", "--max-time", "20"];

const MODES: readonly (readonly [string, readonly string[], string])[] = [
  ["never end their heads", ["-H", "-i", "1", "-x", "8"], "/number/1"],
  ["never end their bodies", ["-B", "-i", "1", "-s", "8192", "-x", "10"], "/number/1"],
  ["hardly read", ["-X", "-w", "64", "-y", "128", "-n", "1", "-z", "16"], "/bytes/1000000"],
];

describe("slow clients", () => {
  for (const [what, flags, path] of MODES) {
    // Other clients are served, and the service logs no warnings.
    testRequiring(
      needs,
      `that ${what} do not keep out others`,
      () =>
        withService(async (namespace) => {
          const attack = namespace.start(...ATTACK, ...flags, "-u", `http://${V4}${path}`);
          await attack.printed(/slow HTTP test status/);
          for (let i = 0; i < 5; i++) {
            const answer = await namespace.run([...CURL, `http://${V4}/number/${i}`], 25_000);
            expect(answer).toBe(`${i}\n`);
          }
          await attack.ended;
          const answer = await namespace.run([...CURL, `http://${V4}/number/7`], 25_000);
          expect(answer).toBe("7\n");
        }),
      180_000,
    );
  }
});
