import { describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { UsageError } from "../../../../adapters/service/errors.ts";
import { loadChain, loadPlugin } from "../../../../adapters/service/listen/plugin_loader.ts";
import { loadPlugins } from "../../../../adapters/service/listen/plugins.ts";
import type { ListenSetting } from "../../../../adapters/service/settings/listen_setting.ts";
import { socketPair, testContext } from "../../../support/fake_socket.ts";
import { TemporaryFolder } from "../../../support/temporary_folder.ts";

const folder = join(dirname(fileURLToPath(import.meta.url)), "../fixtures");
const setting = (plugin: string, options?: Record<string, unknown>): ListenSetting => ({
  where: "80",
  plugin,
  options,
  folder,
  source: "berth.json: listen.80",
});

/** The message of {@link loadPlugin}, or an empty string. */
function faultOf(plugin: string, options?: Record<string, unknown>): Promise<string> {
  return loadPlugin(setting(plugin, options)).then(
    () => "",
    (error) => error instanceof UsageError ? error.message : `unexpected: ${error}`,
  );
}

describe("loadPlugin", () => {
  // A name, with an argument if the plugin accepts one.
  test.each([
    ["echo", "echo"],
    ["discard", "discard"],
    ["chargen", "chargen"],
    ["demo", "demo"],
    ["http:./app.ts", "http"],
    ["forward:[::1]:3000", "forward"],
    ["http2:./app.ts", "http2"],
    ["files:.", "files"],
    ["./factory.ts", "greet"],
    ["./plugin.ts", "plain"],
    ["./handler.ts", "./handler.ts"],
    ["../fixtures/plugin.ts", "plain"],
    [join(folder, "plugin.ts"), "plain"],
  ])("loads %s", async (plugin: string, name: string) => {
    const loaded = await loadPlugin(setting(plugin));
    expect([loaded.name, loaded.handler.name]).toEqual([name, name]);
  });

  // Options in the file are passed to the module's factory.
  test("passes options to a factory", async () => {
    const { handler } = await loadPlugin(setting("./factory.ts", { text: "ahoy" }));
    const { client, server } = socketPair();
    await handler.handle!(testContext(server).context, () => Promise.resolve());
    const chunk = new Uint8Array(10);
    expect(await client.read(chunk)).toBe(4);
  });

  // Options are passed to built-in plugins too; an argument is one of them.
  test("passes options to a built-in plugin", async () => {
    expect(await faultOf("chargen", { limit: 10 })).toBe("");
    expect(await faultOf("forward", { to: "127.0.0.1:3000" })).toBe("");
    expect(await faultOf("forward:127.0.0.1:3000", { connectTimeoutMs: 5 })).toBe("");
  });

  // Each message has the path of the setting and says what to do.
  test.each([
    ["telnet", undefined, "there is no plugin telnet: use one of echo, "],
    ["ehco", undefined, "there is no plugin ehco; did you mean echo?"],
    ["htttp:./app.ts", undefined, "there is no plugin htttp; did you mean http?"],
    ["constructor", undefined, "there is no plugin constructor: "],
    ["echo:loud", undefined, "echo takes no argument, got loud"],
    ["echo", { loud: true }, "echo: options.loud: unknown key; no key is expected"],
    ["http", undefined, "http needs an app, such as http:./app.ts"],
    ["http:./gone.ts", undefined, `there is no file ${join(folder, "gone.ts")}`],
    ["http:./plugin.ts", undefined, "the default export of ./plugin.ts has no fetch()"],
    ["http:./app.ts", { speed: 9 }, "http: "],
    ["forward", undefined, "forward: options.to: "],
    ["forward:3000", undefined, "forward: options.to: expected HOST:PORT such as"],
    ["./gone.ts", undefined, `there is no file ${join(folder, "gone.ts")}`],
    ["./broken.ts", undefined, "cannot load ./broken.ts: "],
    ["./nothing.ts", undefined, "./nothing.ts has no default export: write export default"],
    ["./app.ts", undefined, "the default export of ./app.ts is an app: write http:./app.ts"],
    ["./factory.ts", { text: 5 }, "greet: options.text: "],
    ["./plugin.ts", { text: "" }, "the default export of ./plugin.ts takes no options: "],
  ])("refuses %s with options %j", async (plugin: string, options, message: string) => {
    expect(await faultOf(plugin, options)).toContain(`berth.json: listen.80: ${message}`);
  });

  // A module exports its plugin by name and not as the default, or misspells an entry point.
  test.each([
    ["export const plugin = () => {};", "has no default export: write export default"],
    [
      'import "@berth/berth/plugin"; export default () => {};',
      "imports @berth/berth/plugin, which does not exist; did you mean @berth/berth/plugins?",
    ],
    [
      'import "@berth/berth/cli"; export default () => {};',
      "imports @berth/berth/cli, which does not exist; there are @berth/berth, ",
    ],
  ])("says what is missing in %s", async (text, message) => {
    using place = new TemporaryFolder();
    const module = place.write("module.ts", text);
    expect(await faultOf(module)).toContain(message);
    if (!text.includes("import")) {
      expect(await faultOf(module, { loud: true })).toContain(message);
      expect(await faultOf(`http:${module}`)).toContain(message);
    }
  });

  // A syntax error has a position: file, line and column, on both runtimes.
  test.each([
    ["two faults", "export default (\n  const = 5;\n", /xpected .*module\.ts:2:3/],
    ["one fault", "let a = 1;\nlet a = 2;\n", /already been declared.*module\.ts:2:5/],
    ["an import of nothing", 'import "./gone.ts";\n', /gone\.ts.*module\.ts/],
  ])("says where a module with %s is wrong", async (_what, text, message) => {
    const place = mkdtempSync(join(tmpdir(), "berth-loader-"));
    try {
      writeFileSync(join(place, "module.ts"), text);
      const fault = await faultOf(join(place, "module.ts"));
      expect(fault).toMatch(/^berth.json: listen.80: cannot load [^\n]*$/);
      expect(fault).toMatch(message);
    } finally {
      rmSync(place, { recursive: true });
    }
  });
});

describe("a default export that is no plugin", () => {
  // A proxy or a getter runs code when it is looked at. A promise that never settles is not awaited.
  test.each([
    ["new Proxy({}, { has() { throw 1; } })", "cannot use FILE: it throws 1"],
    ["{ get name() { throw new Error('no name'); }, handle() {} }", "cannot use FILE: no name"],
    [
      "new Proxy({}, { has: () => true, get: () => 1 })",
      "the default export of FILE is not a plugin",
    ],
    ["Proxy.revocable({}, {}).proxy", "the default export of FILE is not a plugin"],
    [
      "new Promise(() => {})",
      "the default export of FILE is a promise: write export default await",
    ],
    ["{ then() {} }", "the default export of FILE is not a plugin"],
  ])("%s", async (expression, message) => {
    using place = new TemporaryFolder();
    const file = place.write("module.ts", `export default ${expression};\n`);
    expect(await faultOf(file)).toContain(
      `berth.json: listen.80: ${message.replace("FILE", file)}`,
    );
  });

  // As if it had come from a module without types.
  test("{ name, handle: 3 }", async () => {
    using place = new TemporaryFolder();
    const file = place.write("module.ts", `export default { name: "x", handle: 3 };\n`);
    const loaded = loadPlugins({ listen: [setting(file)] });
    expect(await loaded.then(() => "", ({ message }: Error) => message)).toBe(
      "berth.json: listen.80: Expected a handler or a plugin, got one whose handle is not a function",
    );
  });
});

describe("loadChain", () => {
  const before = [setting("allow:10.0.0.0/8,fd00::1"), setting("shape", { sendRate: 1000 })];

  // Middleware is loaded like plugins, by name and argument or with options.
  test("loads middleware and the plugin", async () => {
    const { name, handlers } = await loadChain({ ...setting("echo"), before });
    expect(name).toBe("allow+shape+echo");
    expect(handlers.map((each) => each.name)).toEqual(["allow", "shape", "echo"]);
    expect((await loadChain(setting("./handler.ts"))).name).toBe("./handler.ts");
  });

  // Arguments are validated like the corresponding options.
  test.each([
    ["timeout:soon", "timeout: options.idleMs: "],
    ["timeout", "timeout: options: expected at least one of idleMs, totalMs and firstByteMs"],
    ["shape:0", "shape: options.receiveRate: "],
    ["proxyProtocol", "proxyProtocol: options.trusted: "],
    ["proxyProtocol:10.0.0.0/8,proxy", "proxyProtocol: options.trusted.1: expected an address"],
    ["log:loud", "log takes no argument, got loud"],
    ["deny:10.0.0.0/8,somebody", "deny: options.from.1: expected an address"],
    ["limit:many", "limit: options.connections: "],
    ["rate", "rate: options: expected at least one of perSecond and perAddress"],
  ])("refuses %s", async (plugin: string, message: string) => {
    const chain = loadChain({ ...setting("echo"), before: [setting(plugin)] });
    await expect(chain).rejects.toThrow(`berth.json: listen.80: ${message}`);
  });
});

describe("the order of plugins", () => {
  const chain = (where: string, ...plugins: string[]): ListenSetting => {
    const all = plugins.map((plugin) => ({ ...setting(plugin), where }));
    return { ...all.at(-1)!, before: all.slice(0, -1) };
  };

  /** What {@link loadChain} says; empty when it says nothing. */
  const faultOfChain = (where: string, ...plugins: string[]) =>
    loadChain(chain(where, ...plugins)).then(() => "", (error: Error) => error.message);

  // Without another plugin, its connections would be closed at once, which looks like a fault of the network.
  test.each(["limit:5", "allow:10.0.0.0/8", "log"])("needs a plugin after %s", async (plugin) => {
    const name = plugin.split(":")[0];
    const fault =
      `berth.json: listen.80: ${name} passes connections on, and no plugin follows it: ` +
      `add one, such as ${plugin}+echo`;
    expect(await faultOfChain("80", plugin)).toBe(fault);
    expect(await faultOfChain("80", "trace", plugin)).toBe(fault);
    expect(await faultOfChain("80", plugin, "./handler.ts")).toBe("");
  });

  // The user expects the limit to apply.
  test("refuses plugins after one that serves every connection", async () => {
    const fault =
      "berth.json: listen.80: echo serves every connection itself, so plugins after it " +
      "are never reached: put it last";
    expect(await faultOfChain("80", "echo", "discard")).toBe(fault);
    expect(await faultOfChain("80", "limit:5", "echo", "http:./app.ts")).toBe(fault);
    // `http2` leaves datagrams to others, and a module may do anything.
    expect(await faultOfChain("udp/80", "http:./app.ts", "echo")).toBe("");
    expect(await faultOfChain("80", "./handler.ts", "echo")).toBe("");
  });

  // With a mistyped folder every request would be answered with 404.
  test("requires an existing folder for files", async () => {
    expect(await faultOfChain("80", "files:./nowhere")).toBe(
      `berth.json: listen.80: files: there is no folder ${join(folder, "nowhere")}`,
    );
    expect(await faultOfChain("80", "files:./app.ts")).toBe(
      `berth.json: listen.80: files: there is no folder ${join(folder, "app.ts")}`,
    );
  });
});
