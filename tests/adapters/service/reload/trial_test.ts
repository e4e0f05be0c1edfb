import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { UsageError } from "../../../../adapters/service/errors.ts";
import { Trial } from "../../../../adapters/service/reload/trial.ts";
import { parseConfig } from "../../../../adapters/service/settings/config.ts";
import { mergeSettings } from "../../../../adapters/service/settings/merge.ts";
import { TemporaryFolder } from "../../../support/temporary_folder.ts";

const PLUGIN = "export default () => {};\n";

const settingsOf = (folder: TemporaryFolder, config: unknown) =>
  mergeSettings({}, parseConfig(JSON.stringify(config), join(folder.path, "berth.json")));

describe("new code of a plugin", () => {
  // Loaded in the service's own thread, the first would block it for ever, and the second would end it.
  test.each([
    ["for (;;);", "it has not finished loading after 0.5 seconds"],
    ["process.exit(3);", "its code, or that of another new plugin, ends the process"],
    ['throw new Error("no disk");', "no disk"],
  ])("is not used if it is %s", async (code, reason) => {
    using folder = new TemporaryFolder();
    folder.write("plugin.ts", PLUGIN);
    const settings = settingsOf(folder, { listen: { "7": "./plugin.ts", "9": "echo" } });
    const trial = new Trial(settings, code.startsWith("for") ? 500 : undefined);
    folder.write("plugin.ts", `import process from "node:process";\n${code}\n${PLUGIN}`);
    const fault = await trial.load(settings).then(() => undefined, (error) => error);
    expect(fault).toBeInstanceOf(UsageError);
    expect(fault.message).toMatch(/^\S+berth\.json:1:16: listen\.7: cannot load \.\/plugin\.ts: /);
    expect(fault.message).toContain(reason);
  }, 30_000);

  // The plugin writes a line when its code runs. Code and options in use are not tried again.
  test("is tried once", async () => {
    using folder = new TemporaryFolder();
    const log = folder.write("runs", "");
    const code = (version: number) =>
      `import { appendFileSync } from "node:fs";
appendFileSync(${JSON.stringify(log)}, "${version} ");
const plugin = () => ({ name: "x", handle() {} });
export default Object.assign(plugin, { pluginName: "x" });
`;
    const runs = () => readFileSync(log, "utf8");
    const settings = (options: unknown) =>
      settingsOf(folder, { listen: { "7": { plugin: "./plugin.ts", options } } });
    folder.write("plugin.ts", code(1));
    const trial = new Trial(settings({}));
    await trial.load(settings({}));
    expect(runs()).toBe("");
    folder.write("plugin.ts", code(2));
    await trial.load(settings({}));
    trial.use(settings({}));
    await trial.load(settings({}));
    expect(runs()).toBe("2 ");
    await trial.load(settings({ a: 1 }));
    expect(runs()).toBe("2 2 ");
  }, 30_000);
});
