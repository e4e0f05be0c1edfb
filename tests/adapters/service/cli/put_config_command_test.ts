import { afterEach, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { request } from "node:http";
import { dialHost } from "../../../../adapters/host/dial.ts";
import { endRuns, start } from "../../../support/service_run.ts";
import { TemporaryFolder } from "../../../support/temporary_folder.ts";
import { say } from "../reload/reload_support.ts";

let folder: TemporaryFolder;
afterEach(async () => {
  await endRuns();
  folder[Symbol.dispose]();
});

interface Answer {
  readonly listen?: { readonly changed: readonly string[] };
  readonly reloadGraceMs?: unknown;
  readonly error?: string;
  readonly ready?: boolean;
  readonly reason?: string;
}

/** Sends a request to the admin API. */
function ask(method: string, path: string, body = ""): Promise<{ status: number; answer: Answer }> {
  return new Promise((resolve, reject) => {
    const headers = { "Content-Type": "application/json", "Content-Length": body.length };
    request({ socketPath: folder.file("admin.sock"), method, path, headers }, (message) => {
      let text = "";
      message.setEncoding("utf8").on("data", (chunk) => text += chunk)
        .on("end", () => resolve({ status: message.statusCode!, answer: JSON.parse(text) }));
    }).on("error", reject).end(body);
  });
}

/** A plugin that answers every chunk with the text. */
const plugin = (text: string) =>
  `export default async ({ socket }) => {
  for await (const _ of socket) await socket.write(new TextEncoder().encode("${text}"));
};
`;
const config = (module: string) =>
  JSON.stringify({ listen: { "7": module }, publish: ["0=10.7.0.2:7"], admin: "unix:admin.sock" });

describe("PUT /config", () => {
  // The service runs in another folder: paths are relative to that of the file, and what was put is kept for the
  // next start, with the path of the file.
  test("changes a service, with paths relative to its file", async () => {
    folder = new TemporaryFolder();
    folder.write("one.ts", plugin("one"));
    folder.write("two.ts", plugin("two"));
    const file = folder.write("berth.json", config("./one.ts"));
    const state = folder.file("state");
    const run = start("--config", file, "--state", state);
    const port = await run.published();
    const connection = await dialHost(port);
    expect(await say(connection, "x")).toBe("one");
    const { status, answer } = await ask("PUT", "/config", config("./two.ts"));
    expect([status, answer.listen?.changed, answer.reloadGraceMs]).toEqual([200, ["7"], "never"]);
    const after = await dialHost(port);
    expect(await say(after, "x")).toBe("two");
    const kept = { path: file, text: config("./two.ts") };
    expect(JSON.parse(readFileSync(`${state}/last-good.json`, "utf8"))).toEqual(kept);
    const faulty = await ask("PUT", "/config", config("./gone.ts"));
    expect(faulty.status).toBe(422);
    expect(faulty.answer.error).toMatch(
      /^PUT \/config:1:16: listen\.7: there is no file .*gone\.ts/,
    );
    expect(JSON.parse(readFileSync(`${state}/last-good.json`, "utf8"))).toEqual(kept);
    for (const each of [connection, after]) each.abort();
  }, 60_000);
});

describe("/readyz", () => {
  // A plugin that takes its time to load holds the reload until the test lets it continue.
  test("says that the service reloads", async () => {
    folder = new TemporaryFolder();
    folder.write("plugin.ts", plugin("quick"));
    const run = start("--config", folder.write("berth.json", config("./plugin.ts")));
    await run.published();
    expect(await ask("GET", "/readyz")).toEqual({ status: 200, answer: { ready: true } });
    const go = JSON.stringify(folder.file("go"));
    const waiting = `import { existsSync } from "node:fs";
while (!existsSync(${go})) await new Promise((resolve) => setTimeout(resolve, 5));
`;
    folder.write("plugin.ts", waiting + plugin("slow"));
    const reload = ask("POST", "/reload");
    let ready = await ask("GET", "/readyz");
    while (ready.status === 200) ready = await ask("GET", "/readyz");
    expect(ready).toEqual({ status: 503, answer: { ready: false, reason: "reloading" } });
    folder.write("go", "");
    expect((await reload).status).toBe(200);
    expect(await ask("GET", "/readyz")).toEqual({ status: 200, answer: { ready: true } });
  }, 60_000);
});
