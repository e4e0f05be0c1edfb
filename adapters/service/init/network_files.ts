/** A program that measures a download on a lossy path, and its test. */
export const NETWORK_FILES: Readonly<Record<string, string>> = {
  "network.ts": `/** Downloads over paths that lose packets, in virtual time. */
import { chargen } from "@berth/berth/plugins";
import { testNetwork } from "@berth/berth/testing";

const BYTES = 1_000_000;

/** The seconds that a download takes at 20 Mbit/s and 40 ms of round trip. */
export async function download(loss: number, seed = 1): Promise<number> {
  await using network = testNetwork({
    seed,
    loss,
    delayMs: 20,
    bitsPerSecond: 20_000_000,
    tcp: { profile: "internet" },
  });
  network.server.use(19, chargen({ limit: BYTES }));
  const client = await network.connect(19);
  const received = await client.receiveAll();
  if (received.length !== BYTES) throw new Error(\`\${received.length} bytes arrived\`);
  return network.clock.now() / 1000;
}

if (import.meta.main) {
  for (const loss of [0, 0.001, 0.01, 0.05]) {
    console.log(\`\${loss * 100} % loss: \${(await download(loss)).toFixed(2)} s\`);
  }
}
`,
  "network_test.ts": `import assert from "node:assert/strict";
import { test } from "node:test";
import { download } from "./network.ts";

test("a download takes longer on a path that loses packets", async () => {
  const clean = await download(0);
  const lossy = await download(0.02);
  assert.ok(clean < 1, \`\${clean} s\`);
  assert.ok(lossy > clean, \`\${lossy} s\`);
});

// The same packets are lost on each run.
test("a run can be repeated", async () => {
  assert.equal(await download(0.02, 7), await download(0.02, 7));
});
`,
};
