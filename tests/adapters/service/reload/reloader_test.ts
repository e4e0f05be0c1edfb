import { describe, expect, test } from "bun:test";
import { UsageError } from "../../../../adapters/service/errors.ts";
import type { Changes } from "../../../../adapters/service/reload/changes.ts";
import { Reloader } from "../../../../adapters/service/reload/reloader.ts";
import type { Settings } from "../../../../adapters/service/settings/settings.ts";
import type { Logger } from "../../../../core/api/environment.ts";

const NONE = { added: [], removed: [] };
const UNCHANGED: Changes = {
  listen: { ...NONE, changed: [] },
  publish: { ...NONE, changed: [] },
  addresses: NONE,
  settings: [],
  running: 0,
};

/** A reloader of a service whose reloads the test ends, and the lines it logs. */
function reloading() {
  const lines: string[] = [];
  const line: Logger["info"] = (message, fields) => {
    const shown = Object.entries(fields ?? {}).filter(([, value]) => value !== undefined);
    lines.push([message, ...shown.map(([name, value]) => `${name}=${value}`)].join(" "));
  };
  const log: Logger = { debug: line, info: line, warn: line, error: line };
  const going: PromiseWithResolvers<Changes>[] = [];
  let reads = 0;
  const service = {
    reload: () => {
      going.push(Promise.withResolvers<Changes>());
      return going.at(-1)!.promise;
    },
  };
  const settings = (reloadGraceMs: unknown) => ({ reloadGraceMs }) as Settings;
  const read = () => {
    reads++;
    return settings("never");
  };
  return {
    lines,
    going,
    settings,
    reads: () => reads,
    reloader: new Reloader(service, { log, read }),
  };
}

const turn = () => new Promise((resolve) => setTimeout(resolve, 0));

describe("a reload", () => {
  // Three requests during a reload cause a single one afterwards, which reads the file when it
  // starts.
  test("waits for the previous one; further requests share the next", async () => {
    const { reloader, going, reads, lines } = reloading();
    const first = reloader.reload("SIGHUP");
    await turn();
    const others = [1, 2, 3].map(() => reloader.reload("SIGHUP"));
    await turn();
    expect([going.length, reads(), reloader.isReloading]).toEqual([1, 1, true]);
    going[0]!.resolve(UNCHANGED);
    await first;
    await turn();
    expect([going.length, reads()]).toEqual([2, 2]);
    going[1]!.resolve(UNCHANGED);
    await Promise.all(others);
    expect(reloader.isReloading).toBe(false);
    expect(lines).toEqual(Array(2).fill("reloaded: nothing has changed reason=SIGHUP"));
  });

  // The changes, and what happens to older connections.
  test.each([["never", "continue until they end"], [60_000, "have 60000 ms"]] as const)(
    "logs what it has changed, with reloadGraceMs %s",
    async (grace, fate) => {
      const { reloader, going, settings, lines } = reloading();
      const reloaded = reloader.use(() => settings(grace), "PUT /config");
      await turn();
      const listen = { added: ["9", "10"], changed: ["7"], removed: ["8"] };
      going[0]!.resolve({ ...UNCHANGED, listen, running: 3 });
      await reloaded;
      expect(lines).toEqual([
        "reloaded reason=PUT /config added=9,10 changed=7 removed=8 running=3 " +
        `oldConnections=${fate}`,
      ]);
    },
  );

  // A line for each fault; the next request is served.
  test("that fails is logged, and does not prevent the next one", async () => {
    const { reloader, going, lines } = reloading();
    const failed = reloader.reload("SIGHUP").catch(({ message }: Error) => message);
    await turn();
    going[0]!.reject(new UsageError("berth.json:1:2: one\nberth.json:3:4: other"));
    expect(await failed).toContain("one");
    expect(lines).toEqual(
      ["one", "other"].map((fault, i) =>
        "cannot reload, the old configuration stays in use reason=SIGHUP " +
        `fault=berth.json:${i * 2 + 1}:${i * 2 + 2}: ${fault}`
      ),
    );
    const next = reloader.reload("SIGHUP");
    await turn();
    going[1]!.resolve(UNCHANGED);
    await next;
  });
});
