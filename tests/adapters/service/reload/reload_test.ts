import { describe, expect, test } from "bun:test";
import { type AddressInfo, createServer } from "node:net";
import { dialHost } from "../../../../adapters/host/dial.ts";
import { UsageError } from "../../../../adapters/service/errors.ts";
import { isUnchanged } from "../../../../adapters/service/reload/changes.ts";
import { codeOf } from "../../../support/conversation.ts";
import { ChangingService, type Config, say } from "./reload_support.ts";

/** A plugin's module that answers with a text, and counts how often it was loaded. */
const answering = (text: string) => `
  globalThis.loadedPlugins = (globalThis.loadedPlugins ?? 0) + 1;
  const text = new TextEncoder().encode(${JSON.stringify(text)});
  export default async ({ socket }) => { for await (const _ of socket) await socket.write(text); };
`;
const loads = () => (globalThis as { loadedPlugins?: number }).loadedPlugins ?? 0;

const PUBLISH = ["0=10.7.0.2:7", "0=10.7.0.2:8"];
const listen = (...plugins: unknown[]): Config => ({
  listen: Object.fromEntries(plugins.map((plugin, i) => [String(7 + i), plugin])),
  publish: PUBLISH,
});

/** A port of the host that nothing listens on. */
async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  const { port } = server.address() as AddressInfo;
  await new Promise((closed) => server.close(closed));
  return port;
}

describe("a reload", () => {
  // 7 changes, 8 does not: the connection to 8 is not affected, that to 7 continues with the old
  // plugin.
  test("changes what differs, and leaves all connections alone", async () => {
    await using running = await ChangingService.start(listen("echo", "echo"));
    const before = await running.connect(7);
    const other = await running.connect(8);
    expect([await say(before, "one"), await say(other, "two")]).toEqual(["one", "two"]);
    const changes = await running.reload(listen("discard", "echo"));
    expect(changes).toMatchObject({
      listen: { added: [], changed: ["7"], removed: [] },
      publish: { added: [], changed: [], removed: [] },
      running: 1,
      reloadGraceMs: "never",
    });
    expect([await say(before, "still"), await say(other, "here")]).toEqual(["still", "here"]);
    const after = await running.connect(7);
    await after.write(new Uint8Array(1));
    await after.closeWrite();
    expect(await after.read(new Uint8Array(1))).toBe(null);
  });

  // Listen addresses and published ports are added and removed.
  test("opens and closes listen addresses and ports", async () => {
    await using running = await ChangingService.start(listen("echo", "echo"));
    const before = await running.connect(8);
    expect(await say(before, "is open")).toBe("is open");
    const gone = running.portFor(8);
    const changes = await running.reload({
      listen: { "7": "echo", "9": "echo" },
      publish: ["0=10.7.0.2:7", "0=10.7.0.2:9"],
    });
    expect(changes).toMatchObject({ listen: { added: ["9"], changed: [], removed: ["8"] } });
    expect(await say(await running.connect(9), "new")).toBe("new");
    expect(await codeOf(dialHost(gone))).toBe("CONNECTION_REFUSED");
    expect(await say(before, "goes on")).toBe("goes on");
  });

  // The port of the host stays open and gets another target.
  test("redirects a published port without closing it", async () => {
    const port = await freePort();
    const config = { ...listen("echo", "./plugin.ts"), publish: [`${port}=10.7.0.2:7`] };
    await using running = await ChangingService.start(config, {
      "plugin.ts": answering("elsewhere"),
    });
    const before = await running.connect(7);
    expect(await say(before, "x")).toBe("x");
    const next = { ...config, publish: [`${port}=10.7.0.2:8`] };
    expect((await running.reload(next)).publish)
      .toEqual({ added: [], changed: [`127.0.0.1:${port}`], removed: [] });
    expect(running.portFor(8).port).toBe(port);
    expect(await say(await running.connect(8), "x")).toBe("elsewhere");
    expect(await say(before, "y")).toBe("y");
  });

  // Positions in the file, the order of keys and unchanged plugins make no difference.
  test("changes nothing if nothing differs", async () => {
    await using running = await ChangingService.start(listen("echo", ["log", "echo"]));
    expect(isUnchanged(await running.reload(listen("echo", ["log", "echo"])))).toBe(true);
  });

  // Only the middleware is created anew: the plugin after it keeps its state.
  test("keeps the plugin whose middleware changes", async () => {
    const plugin = "./plugin.ts";
    await using running = await ChangingService.start(listen([plugin]), {
      "plugin.ts": answering("kept"),
    });
    const before = loads();
    const options = { connections: 5 };
    const changes = await running.reload(listen([{ plugin: "limit", options }, plugin]));
    expect(changes.listen.changed).toEqual(["7"]);
    expect(await say(await running.connect(7), "x")).toBe("kept");
    expect(loads()).toBe(before);
  });

  // Connections of the old plugin get graceMs after reloadGraceMs.
  test("ends old connections after reloadGraceMs and graceMs", async () => {
    const times = { reloadGraceMs: 1, graceMs: 1 };
    await using running = await ChangingService.start(listen("echo"));
    const before = await running.connect(7);
    expect(await say(before, "one")).toBe("one");
    const changes = await running.reload({ ...listen("discard"), ...times });
    expect(changes.settings).toEqual(["graceMs", "reloadGraceMs"]);
    expect(await codeOf(before.read(new Uint8Array(1)))).toBe("CONNECTION_RESET");
  });

  // The stack's address and the second stack behind the memory link change together.
  test("adds and removes addresses of the stack", async () => {
    const at = (...addresses: string[]) => ({
      ...{ listen: { "*": "echo" }, addresses },
      publish: addresses.map((text) => `0=${text.split("/")[0]}:7`),
    });
    await using running = await ChangingService.start(at("10.7.0.2/24"));
    for (const addresses of [["10.7.0.2/24", "10.9.0.0/16"], ["10.7.0.2/24"], ["10.9.0.5/16"]]) {
      const { removed } = (await running.reload(at(...addresses))).addresses;
      expect(removed).not.toContain(addresses[0]);
      if (addresses.some((text) => text.endsWith("0/16"))) continue;
      expect(await say(await running.connect(7), "there")).toBe("there");
    }
  });
});

describe("a service", () => {
  // By the ID that the list has; the other connection is not touched.
  test("resets a connection on request", async () => {
    await using running = await ChangingService.start(listen("echo", "echo"));
    const [one, other] = [await running.connect(7), await running.connect(8)];
    expect([await say(one, "one"), await say(other, "two")]).toEqual(["one", "two"]);
    const rows = await running.service.connections();
    const { id } = rows.find(({ local }) => local === "10.7.0.2:7")!;
    expect(await running.service.reset(id)).toBe(true);
    expect(await codeOf(one.read(new Uint8Array(1)))).toBe("CONNECTION_RESET");
    expect(await running.service.reset(id)).toBe(false);
    expect(await say(other, "still")).toBe("still");
  });
});

describe("a configuration that cannot be used", () => {
  const files = {
    "throws.ts": 'throw new Error("broken on purpose");',
    "nothing.ts": "export const x = 1;",
  };

  // Nothing is changed, not even valid settings: 8 stays, and no port is opened.
  test.each([
    ["an unknown plugin", listen("echo", "discart"), "did you mean discard?"],
    ["a plugin that throws", listen("echo", "./throws.ts"), "broken on purpose"],
    ["a module without a plugin", listen("echo", "./nothing.ts"), "has no default export"],
    ["a wrong option", listen("echo", ["limit:x", "echo"]), "connections"],
    ["another MTU", { ...listen("echo", "discard"), mtu: 1400 }, "mtu: 1500 cannot become 1400"],
    ["impairments", { ...listen("discard"), impair: { loss: 0.1 } }, "impair cannot change"],
  ])("leaves the old one serving: %s", async (_, config, message) => {
    await using running = await ChangingService.start(listen("echo", "echo"), files);
    const before = await running.connect(7);
    expect(await say(before, "one")).toBe("one");
    const fault = await running.reload(config).then(() => undefined, (error: Error) => error);
    expect(fault).toBeInstanceOf(UsageError);
    expect(fault!.message).toContain(message);
    expect(await say(before, "two")).toBe("two");
    expect(await say(await running.connect(8), "three")).toBe("three");
    expect(running.service.published).toHaveLength(2);
  });

  // Of two new ports one is in use: neither is open, and the plugins do not change.
  test("leaves the old one serving: a port that is in use", async () => {
    await using running = await ChangingService.start(listen("echo"));
    await using other = await ChangingService.start(listen("echo"));
    const { port } = other.portFor(7);
    const config = { ...listen("discard"), publish: [...PUBLISH, `${port}=10.7.0.2:7`] };
    await expect(running.reload(config)).rejects.toThrow("the port is in use");
    expect(await say(await running.connect(7), "still echo")).toBe("still echo");
  });

  // One line for each setting that needs a restart.
  test("names every setting that needs a restart", async () => {
    await using running = await ChangingService.start(listen("echo"));
    const fixed = { mtu: 1400, profile: "internet", icmp: { echo: "ignore" } };
    const fault = await running.reload({ ...listen("echo"), ...fixed })
      .catch(({ message }: Error) => message);
    expect(String(fault).split("\n")).toEqual([
      "mtu: 1500 cannot become 1400 in a reload: restart the service",
      "profile: local cannot become internet in a reload: upgrade or restart the service",
      "icmp cannot change in a reload: upgrade or restart the service",
    ]);
  });
});

describe("code that has changed", () => {
  // The module itself, and one that it imports through another.
  test("is loaded anew, with what it imports", async () => {
    await using running = await ChangingService.start(listen("./plugin.ts"), {
      "plugin.ts": 'export { default } from "./inner.ts";',
      "inner.ts": answering("first"),
    });
    const config = listen("./plugin.ts");
    const before = await running.connect(7);
    expect(await say(before, "x")).toBe("first");
    for (const text of ["second", "third"]) {
      running.folder.write("inner.ts", answering(text));
      expect((await running.reload(config)).listen.changed).toEqual(["7"]);
      expect(await say(await running.connect(7), "x")).toBe(text);
    }
    expect(await say(before, "x")).toBe("first");
  });

  // 20 reloads without a change load nothing.
  test("is loaded once for each change", async () => {
    await using running = await ChangingService.start(listen("./plugin.ts"), {
      "plugin.ts": answering("first"),
    });
    const before = loads();
    for (let i = 0; i < 20; i++) await running.reload(listen("./plugin.ts"));
    running.folder.write("plugin.ts", answering("second"));
    for (let i = 0; i < 20; i++) await running.reload(listen("./plugin.ts"));
    expect(loads() - before).toBe(1);
  });

  // After a faulty version, the corrected one is loaded; in between the old one serves.
  test("may be faulty", async () => {
    await using running = await ChangingService.start(listen("./plugin.ts"), {
      "plugin.ts": answering("first"),
    });
    running.folder.write("plugin.ts", "export default (");
    await expect(running.reload(listen("./plugin.ts"))).rejects.toThrow("cannot load ./plugin.ts");
    expect(await say(await running.connect(7), "x")).toBe("first");
    running.folder.write("plugin.ts", answering("second"));
    await running.reload(listen("./plugin.ts"));
    expect(await say(await running.connect(7), "x")).toBe("second");
  });

  // An app behind detect and http.
  test("is found in the options of a plugin", async () => {
    const app = (text: string) => `export default { fetch: () => new Response("${text}") };`;
    const config = listen([{ plugin: "detect", options: { http: "http:./app.ts" } }]);
    await using running = await ChangingService.start(config, { "app.ts": app("first") });
    const fetched = async () => {
      const { port } = running.portFor(7);
      return await (await fetch(`http://127.0.0.1:${port}/`, { keepalive: false })).text();
    };
    expect(await fetched()).toBe("first");
    running.folder.write("app.ts", app("second"));
    await running.reload(config);
    const answer = await say(await running.connect(7), "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    expect(answer).toContain("second");
  });
});
