import { describe, expect } from "bun:test";
import { testRequiring } from "../support/requirements.ts";
import { NEEDS, V4, V6, withService } from "./service.ts";

describe("--impair", () => {
  // The kernel's ping measures both directions.
  testRequiring(
    [...NEEDS, "program:ping"],
    "delays packets in both directions",
    () =>
      withService(
        async (namespace) => {
          for (const address of [V4, V6]) {
            const out = await namespace.run(["ping", "-c", "2", "-i", "0.2", address]);
            const times = [...out.matchAll(/time=([\d.]+) ms/g)].map(([, ms]) => Number(ms));
            expect(times.length).toBe(2);
            for (const ms of times) expect(ms).toBeGreaterThan(59);
          }
        },
        "--impair",
        "delayMs=20,incoming.delayMs=40",
      ),
    60_000,
  );

  // A transfer with 5 % loss is slow but complete.
  testRequiring(
    [...NEEDS, "program:curl"],
    "drops packets, and the transfer is complete",
    () =>
      withService(
        async (namespace) => {
          const length = await namespace.shell(
            `curl -s http://${V4}/bytes/2000000 | wc -c`,
            40_000,
          );
          expect(length).toBe("2000000\n");
        },
        "--impair",
        "seed=7,loss=0.05,incoming.loss=0.05,delayMs=1",
      ),
    60_000,
  );
});
