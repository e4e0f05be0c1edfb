import { describe, expect, test } from "bun:test";
import { UsageError } from "../../../../adapters/service/errors.ts";
import type { Changes } from "../../../../adapters/service/reload/changes.ts";
import { Reloader } from "../../../../adapters/service/reload/reloader.ts";
import type { Settings } from "../../../../adapters/service/settings/settings.ts";
import { type Logger, silentLogger } from "../../../../core/api/environment.ts";

const NONE = { added: [], removed: [] };
const UNCHANGED: Changes = {
  listen: { ...NONE, changed: [] },
  publish: { ...NONE, changed: [] },
  addresses: NONE,
  settings: [],
  running: 0,
  reloadGraceMs: "never",
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
    log,
    read,
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
      going[0]!.resolve({ ...UNCHANGED, listen, running: 3, reloadGraceMs: grace });
      await reloaded;
      expect(lines).toEqual([
        "reloaded reason=PUT /config added=9,10 changed=7 removed=8 running=3 " +
        `oldConnections=${fate}`,
      ]);
    },
  );

  // The configuration is on the disk before the service changes, and replaces the old one afterwards; it is removed
  // if the service refuses it.
  test.each([[true, "stage, reload, commit"], [false, "stage, reload, discard"]])(
    "keeps the configuration before it is in use, %s",
    async (isUsable, expected) => {
      const did: string[] = [];
      const step = (name: string) => () => void did.push(name);
      const reload = () => {
        did.push("reload");
        return isUsable ? Promise.resolve(UNCHANGED) : Promise.reject(new UsageError("no"));
      };
      const stage = () => {
        did.push("stage");
        return { commit: step("commit"), discard: step("discard") };
      };
      const read = () => ({}) as Settings;
      const reloader = new Reloader({ reload }, { log: silentLogger, read, stage });
      await reloader.reload("SIGHUP").catch(() => {});
      expect(did.join(", ")).toBe(expected);
    },
  );

  // If the disk is full, nothing changes, and the requester gets the reason.
  test("is refused if the configuration cannot be kept", async () => {
    const { going, read, lines, log } = reloading();
    const stage = () => {
      throw new Error("no space left on device");
    };
    const service = { reload: () => Promise.resolve(going.push(Promise.withResolvers()) as never) };
    const reloader = new Reloader(service, { log, read, stage });
    await expect(reloader.reload("SIGHUP")).rejects.toThrow("no space left");
    expect(going).toEqual([]);
    expect(lines).toEqual([
      "cannot reload, the old configuration stays in use reason=SIGHUP fault=no space left on device",
    ]);
  });

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
