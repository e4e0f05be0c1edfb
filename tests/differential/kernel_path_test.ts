import { describe, expect } from "bun:test";
import { testRequiring } from "../support/requirements.ts";
import { KernelPath, type KernelRun } from "./kernel_path.ts";

const NEEDS = ["tun", "program:cc"] as const;
const PLAIN: KernelRun = {
  congestion: "reno",
  seed: 1,
  seconds: 0.3,
  polls: false,
  conditions: { delayMs: 1, bytesPerMs: 1250, queueBytes: 15_000 },
  back: {},
};

describe("the kernel's path", () => {
  // The bottleneck carries 1250 bytes per millisecond, and no more.
  testRequiring(NEEDS, "carries a connection of the kernel to itself", async () => {
    using path = KernelPath.compile();
    const { bytes } = await path.run(PLAIN);
    expect(bytes).toBeGreaterThan(10_000);
    expect(bytes).toBeLessThan(300 * 1250);
  });

  // No packet arrives, but the program still ends.
  testRequiring(NEEDS, "loses packets of one direction", async () => {
    using path = KernelPath.compile();
    const { bytes } = await path.run({ ...PLAIN, back: { loss: 1 } });
    expect(bytes).toBe(0);
  });

  // A condition that the program does not know would be ignored silently.
  testRequiring(NEEDS, "refuses unknown conditions", async () => {
    using path = KernelPath.compile();
    const conditions = { ...PLAIN.conditions, corrupt: 0.5 };
    let message = "";
    await path.run({ ...PLAIN, conditions }).catch((error) => message = String(error));
    expect(message).toContain("unknown condition corrupt=0.5");
  });
});
