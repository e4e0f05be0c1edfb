import { describe, expect, test } from "bun:test";
import { FileCache } from "../../../../adapters/plugins/static_files/file_cache.ts";
import { FileVersion } from "../../../../adapters/host/file_version.ts";
import { TemporaryFolder } from "../../../support/temporary_folder.ts";

const LONG_AGO = 0;

describe("FileCache", () => {
  // Three values of 40 bytes in 100: the least recently used one is evicted.
  test("limits its size", () => {
    using folder = new TemporaryFolder();
    const versions = [new FileVersion(folder.write("file", "x"))];
    const cache = new FileCache<string>(100);
    cache.keep("a", { value: "A", size: 40, versions }, LONG_AGO);
    cache.keep("b", { value: "B", size: 40, versions }, LONG_AGO);
    expect(cache.find("a")).toBe("A");
    cache.keep("c", { value: "C", size: 40, versions }, LONG_AGO);
    expect([cache.find("a"), cache.find("b"), cache.find("c")]).toEqual(["A", undefined, "C"]);
    expect(cache.bytes).toBe(80);
    cache.keep("d", { value: "D", size: 101, versions }, LONG_AGO);
    expect(cache.find("d")).toBeUndefined();
    expect(cache.bytes).toBe(80);
  });

  // A file changed within the last tick of the kernel's clock may change again with the same
  // timestamp.
  test("does not cache a file that has just changed", () => {
    using folder = new TemporaryFolder();
    const versions = [new FileVersion(folder.write("file", "x"))];
    const cache = new FileCache<string>(100);
    cache.keep("a", { value: "A", size: 1, versions }, Date.now());
    expect(cache.find("a")).toBeUndefined();
  });

  // Three requests arrive in one burst of packets; then a client sends one after it has received an answer.
  test("checks a file once for requests that have arrived together", async () => {
    let checks = 0;
    const version = {
      get isCurrent(): boolean {
        checks++;
        return true;
      },
    };
    const cache = new FileCache<string>(100);
    cache.keep("a", { value: "A", size: 1, versions: [version] }, LONG_AGO);
    checks = 0;
    const find = async () => {
      await undefined;
      return cache.find("a");
    };
    expect(await Promise.all([find(), find(), find()])).toEqual(["A", "A", "A"]);
    expect(checks).toBe(1);
    await find();
    expect(checks).toBe(2);
  });

  // A replaced file, another size, and a new file are detected.
  test("invalidates changed files", async () => {
    using folder = new TemporaryFolder();
    const cache = new FileCache<string>(100);
    const path = folder.write("file", "x");
    const missing = `${folder.path}/missing`;
    const keep = async () => {
      const versions = [new FileVersion(missing), new FileVersion(path)];
      cache.keep("a", { value: "A", size: 1, versions }, LONG_AGO);
      expect(cache.find("a")).toBe("A");
      // After this, the requests that have arrived together have ended.
      await undefined;
    };
    await keep();
    folder.write("file", "yy");
    expect(cache.find("a")).toBeUndefined();
    await keep();
    folder.write("missing", "");
    expect(cache.find("a")).toBeUndefined();
    expect(cache.bytes).toBe(0);
  });
});
