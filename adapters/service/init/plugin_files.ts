/** A plugin with options, its test, and the configuration that serves it. */
export const PLUGIN_FILES: Readonly<Record<string, string>> = {
  "plugin.ts": `/** Answers each line in capitals. */
import { definePlugin, type PluginFactory, readLines } from "@berth/berth";
import { z } from "zod";

const options = z.strictObject({
  /** Added to each answer. */
  mark: z.string().default("!"),
});

const shout: PluginFactory<z.input<typeof options>> = definePlugin({
  name: "shout",
  options,
  // \`setup\` is called once for each port, with checked options. Its result is called once for each
  // connection, which is closed when it returns.
  setup: ({ mark }) => async ({ socket }) => {
    const encoder = new TextEncoder();
    // A peer must not be able to fill the memory with one line.
    for await (const line of readLines(socket, { maxLineBytes: 4096 })) {
      await socket.write(encoder.encode(\`\${line.toUpperCase()}\${mark}\\n\`));
    }
  },
});

export default shout;
`,
  "plugin_test.ts": `import assert from "node:assert/strict";
import { test } from "node:test";
import { testNetwork } from "@berth/berth/testing";
import shout from "./plugin.ts";

test("answers each line in capitals", async () => {
  await using network = testNetwork();
  network.server.use(9000, shout({ mark: "?" }));
  const client = await network.connect(9000);
  await client.send("ahoy\\nthere\\n");
  assert.equal(await client.receiveLine(), "AHOY?");
  assert.equal(await client.receiveLine(), "THERE?");
  await client.end();
  assert.equal(await client.receiveAll(), "");
});

// A tenth of all packets is lost in each direction, and each takes 50 ms.
test("works on a bad path", async () => {
  await using network = testNetwork({ loss: 0.1, delayMs: 50 });
  network.server.use(9000, shout());
  const client = await network.connect(9000);
  for (let round = 0; round < 100; round++) {
    await client.send(\`line \${round}\\n\`);
    assert.equal(await client.receiveLine(), \`LINE \${round}!\`);
  }
  await client.end();
  assert.equal(await client.receiveAll(), "");
});

test("ends a connection that sends a line without an end", async () => {
  await using network = testNetwork();
  network.server.use(9000, shout());
  const client = await network.connect(9000);
  await client.send("x".repeat(10_000));
  await assert.rejects(client.receiveAll(), { code: "CONNECTION_RESET" });
});
`,
  "berth.json": `{
  // nc 127.0.0.1 9000
  "listen": { "9000": { "plugin": "./plugin.ts", "options": { "mark": "!" } } },
  "publish": ["9000=10.7.0.2:9000"]
}
`,
};
