import { describe, expect, test } from "bun:test";
import { ChangingService, say } from "./reload_support.ts";

const config = (plugin: string, more: Readonly<Record<string, unknown>> = {}) => ({
  listen: { 7: plugin },
  publish: ["0=10.7.0.2:7"],
  ...more,
});

/** A plugin that answers everything with `text`, and takes part in moves. */
function moving(text: string, stateVersion = 0): string {
  return `
    const answer = async (socket) => {
      for await (const _ of socket) await socket.write(new TextEncoder().encode("${text}"));
    };
    export default {
      name: "moving",
      stateVersion: ${stateVersion},
      handle: ({ socket }) => answer(socket),
      freeze: () => null,
      thaw: ({ socket }) => answer(socket),
    };`;
}

const REQUEST = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

describe("a connection after a reload", () => {
  // The client notices nothing but the new answer.
  test("continues with the new code of its plugin", async () => {
    await using running = await ChangingService.start(config("./plugin.ts"), {
      "plugin.ts": moving("first"),
    });
    const connection = await running.connect(7);
    expect(await say(connection, "x")).toBe("first");
    running.folder.write("plugin.ts", moving("second"));
    expect((await running.reload(config("./plugin.ts"))).running).toBe(0);
    expect(await say(connection, "x")).toBe("second");
  });

  // A browser that keeps its connection alive gets the new application.
  test("gets the answers of the new application", async () => {
    const app = (text: string) => `export default { fetch: () => new Response("${text}") };`;
    await using running = await ChangingService.start(config("http:./app.ts"), {
      "app.ts": app("first"),
    });
    const connection = await running.connect(7);
    expect(await say(connection, REQUEST)).toContain("first");
    running.folder.write("app.ts", app("second"));
    await running.reload(config("http:./app.ts"));
    expect(await say(connection, REQUEST)).toContain("second");
  });

  // The connection keeps its old plugin because of the setting, or because of the version of the state.
  test.each(
    [[{ reloadMoves: false }, 0], [{}, 1]] as const,
  )("stays with the old code: %p, version %d", async (settings, version) => {
    await using running = await ChangingService.start(config("./plugin.ts", settings), {
      "plugin.ts": moving("first"),
    });
    const connection = await running.connect(7);
    expect(await say(connection, "x")).toBe("first");
    running.folder.write("plugin.ts", moving("second", version));
    expect((await running.reload(config("./plugin.ts", settings))).running).toBe(1);
    expect(await say(connection, "x")).toBe("first");
    expect(await say(await running.connect(7), "x")).toBe("second");
  });
});
