import { expect, test } from "bun:test";
import { fileURLToPath } from "node:url";
import type { HostConnection } from "../../../../adapters/host/connection.ts";
import { Reloader } from "../../../../adapters/service/reload/reloader.ts";
import { parseConfig } from "../../../../adapters/service/settings/config.ts";
import { mergeSettings } from "../../../../adapters/service/settings/merge.ts";
import { until } from "../../../support/until.ts";
import { ChangingService, type Config, say } from "./reload_support.ts";

const CONNECTIONS = 200;
const RELOADS = 100;
const BLOCK = 500;

const APP = fileURLToPath(new URL("../fixtures/web_socket_app.ts", import.meta.url));

/** Port 7 and the app never change; 8 and 9 do, with every reload. */
function configAt(reload: number): Config {
  const others = [{ "8": "echo" }, { "8": ["log", "echo"] }, { "8": "echo", "9": "discard" }];
  return {
    listen: { "7": "echo", "80": `http:${APP}`, ...others[reload % others.length] },
    publish: ["0=10.7.0.2:7", "0=10.7.0.2:8", "0=10.7.0.2:80"],
    logLevel: "off",
  };
}

/** Sends a block of a pattern of its own, and checks every byte of the echo. */
async function checkEcho(connection: HostConnection, seed: number): Promise<void> {
  const block = Uint8Array.from({ length: BLOCK }, (_, i) => (seed + i * 7) & 255);
  const echo = new Uint8Array(BLOCK);
  const writing = connection.write(block);
  for (let at = 0; at < BLOCK;) {
    const size = await connection.read(echo.subarray(at));
    if (size === null) throw new Error("the connection ended");
    at += size;
  }
  await writing;
  if (Buffer.compare(block, echo) !== 0) throw new Error("a wrong byte");
}

// 100 reloads that change other listen addresses, each while blocks are in flight on 40 of 200
// connections, half of them to a listen address that changes with each reload. A WebSocket client
// is answered after each.
test(
  "100 reloads end no connection and change no byte",
  async () => {
    await using running = await ChangingService.start(configAt(0));
    let reload = 0;
    const path = running.folder.file("berth.json");
    const reloader = new Reloader(running.service, {
      log: running.log.logger,
      read: () => mergeSettings({}, parseConfig(JSON.stringify(configAt(reload)), path)),
    });
    const connections: HostConnection[] = [];
    for (let i = 0; i < CONNECTIONS; i++) {
      connections.push(await running.connect(i % 2 === 0 ? 7 : 8));
    }
    const socket = new WebSocket(`ws://127.0.0.1:${running.portFor(80).port}/ws`);
    const closed = new Promise((resolve) => socket.onclose = resolve);
    await new Promise((resolve) => socket.onopen = resolve);
    for (reload = 1; reload <= RELOADS; reload++) {
      const checked = connections.filter((_, i) => i % 5 === reload % 5)
        .map((connection, i) => checkEcho(connection, reload + i));
      await reloader.reload("test");
      const answer = new Promise<unknown>((resolve) =>
        socket.onmessage = ({ data }) => resolve(data)
      );
      socket.send(`${reload}`);
      expect(await answer).toBe(`echo of ${reload}`);
      if (reload % 10 === 0) expect(await say(await running.connect(8), "new")).toBe("new");
      await Promise.all(checked);
    }
    expect(running.log.lines.filter((line) => line.startsWith("error"))).toEqual([]);
    socket.close();
    await closed;
  },
  60_000,
);

// Each reload makes a new plugin, whose predecessor is disposed at once, or after its last connection.
test("200 reloads dispose every plugin that they replace", async () => {
  const plugin = `
    globalThis.disposedPlugins = 0;
    const factory = (options) => ({
      name: "counted",
      handle: async ({ socket }) => { for await (const chunk of socket) await socket.write(chunk); },
      dispose: () => { globalThis.disposedPlugins++; },
    });
    export default Object.assign(factory, { pluginName: "counted" });
  `;
  const config = (reload: number) => ({
    listen: { "7": { plugin: "./plugin.ts", options: { reload } } },
    publish: ["0=10.7.0.2:7"],
  });
  const disposed = () => (globalThis as { disposedPlugins?: number }).disposedPlugins;
  await using running = await ChangingService.start(config(0), { "plugin.ts": plugin });
  const held = await running.connect(7);
  expect(await say(held, "held")).toBe("held");
  for (let reload = 1; reload <= 200; reload++) await running.reload(config(reload));
  await until(() => disposed() === 199);
  expect(await say(held, "still")).toBe("still");
  await held.closeWrite();
  expect(await held.read(new Uint8Array(1))).toBe(null);
  await until(() => disposed() === 200);
});
