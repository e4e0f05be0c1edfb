import { describe, expect, test } from "bun:test";
import { VirtualClock } from "../../../../adapters/runtime/virtual_clock.ts";
import { watchFiles } from "../../../../adapters/service/reload/watcher.ts";
import { TemporaryFolder } from "../../../support/temporary_folder.ts";

describe("watchFiles", () => {
  // A file that is written for two seconds is reported once, when it no longer changes.
  test("reports a change once, when it is complete", async () => {
    const clock = new VirtualClock();
    const versions = new Map([["a", "1"], ["b", "1"]]);
    let reports = 0;
    const versionOf = (file: string) => versions.get(file)!;
    const stop = watchFiles(() => ["a", "b"], () => reports++, { clock, versionOf });
    await clock.advance(5000);
    expect(reports).toBe(0);
    for (const version of ["2", "3", "4"]) {
      versions.set("b", version);
      await clock.advance(1000);
    }
    expect(reports).toBe(0);
    await clock.advance(1000);
    expect(reports).toBe(1);
    await clock.advance(5000);
    expect(reports).toBe(1);
    stop();
    expect(clock.pending).toBe(0);
  });

  // Files are replaced by others of the same name, removed, and imported anew.
  test("detects files that are replaced, created and removed", async () => {
    using folder = new TemporaryFolder();
    const clock = new VirtualClock();
    const files = [folder.write("a", "one"), folder.file("b")];
    let reports = 0;
    const stop = watchFiles(() => files, () => reports++, { clock });
    const changed = async (change: () => unknown) => {
      change();
      await clock.advance(2000);
      return reports;
    };
    expect(await changed(() => folder.write("b", "new"))).toBe(1);
    expect(await changed(() => folder.write("a", "other text"))).toBe(2);
    expect(await changed(() => files.push(folder.write("c", "imported")))).toBe(3);
    expect(await changed(() => files.pop())).toBe(4);
    stop();
  });
});
