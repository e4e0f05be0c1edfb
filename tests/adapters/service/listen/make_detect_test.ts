import { describe, expect, test } from "bun:test";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { UsageError } from "../../../../adapters/service/errors.ts";
import { loadPlugin } from "../../../../adapters/service/listen/plugin_loader.ts";
import { parseConfig } from "../../../../adapters/service/settings/config.ts";
import type { PluginSetting } from "../../../../adapters/service/settings/listen_setting.ts";
import { bytes } from "../../../support/conversation.ts";
import { socketPair, testContext } from "../../../support/fake_socket.ts";

const folder = join(dirname(fileURLToPath(import.meta.url)), "../fixtures");
const source = "berth.json: listen.443";
const setting = (options?: Record<string, unknown>, plugin = "detect"): PluginSetting => ({
  plugin,
  options,
  folder,
  source,
});

const faultOf = (options?: Record<string, unknown>, plugin?: string): Promise<string> =>
  loadPlugin(setting(options, plugin)).then(
    () => "",
    (error) => error instanceof UsageError ? error.message : `unexpected: ${error}`,
  );

/** Sends `text` to port 443 as configured; returns the answer. */
async function answerTo(text: string, options: Record<string, unknown>): Promise<string> {
  const config = { listen: { "443": { plugin: "detect", options } } };
  const { listen } = parseConfig(JSON.stringify(config), join(folder, "berth.json"));
  const { handler } = await loadPlugin(listen![0]!);
  const { client, server } = socketPair();
  const served = Promise.resolve(handler.handle!(testContext(server).context, async () => {}));
  await client.write(bytes(text));
  await client.closeWrite();
  await served;
  await server.close();
  let answer = "";
  for await (const chunk of client) answer += new TextDecoder().decode(chunk);
  return answer;
}

describe("detect in a setting", () => {
  // A plugin by name, one of a module with options, and one behind middleware.
  test("has a chain of plugins for each protocol", async () => {
    const options = {
      http: ["log", "http:./app.ts"],
      ssh: { plugin: "./factory.ts", options: { text: "no shell here" } },
      other: "echo",
      timeoutMs: 500,
    };
    const request = "GET /here HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    expect(await answerTo(request, options)).toMatch(/^HTTP\/1.1 200 [^]*hello from \/here/);
    expect(await answerTo("SSH-2.0-client\r\n", options)).toBe("no shell here");
    expect(await answerTo("ahoy", options)).toBe("ahoy");
  });

  // The chain of a protocol may contain another detect.
  test("can be nested", async () => {
    const inner = { plugin: "detect", options: { other: "./factory.ts" } };
    expect(await answerTo("ahoy", { other: inner })).toBe("hello");
  });

  // Each message has the path of the nested plugin.
  test.each([
    [undefined, "detect needs plugins for protocols, in a configuration file: "],
    [{ timeoutMs: 5 }, "detect needs plugins for protocols"],
    [{ other: "echo", smtp: "echo" }, "detect: options.smtp: unknown key"],
    [{ other: "echo", timeoutMs: 0 }, "detect: options.timeoutMs: "],
  ])("refuses the options %j", async (options, message: string) => {
    expect(await faultOf(options)).toContain(`${source}: ${message}`);
  });
  test.each([
    [{ other: 5 }, 'options.other: expected "PLUGIN" or { "plugin", "options" }'],
    [{ ssh: ["log", {}] }, "options.ssh.1.plugin: expected a plugin such as echo"],
    [{ ssh: [] }, "options.ssh"],
    [{ ssh: "telnet" }, "options.ssh: there is no plugin telnet: use one of echo, "],
    [{ tls: ["log", "tls:cert.pem"] }, "options.tls.1: tls needs a certificate and its key"],
    [{ other: { plugin: "forward" } }, "options.other: forward: options.to: "],
    [{ http: "./flow_only.ts" }, "options.http: Plugin resolver has neither handle nor onSyn"],
  ])("refuses the plugins of %j", async (options: Record<string, unknown>, message: string) => {
    expect(await faultOf(options)).toContain(`${source}.${message}`);
  });

  // Chains of plugins cannot be written after a colon.
  test("takes no argument", async () => {
    expect(await faultOf(undefined, "detect:http")).toContain(`${source}: detect needs plugins`);
  });
});
