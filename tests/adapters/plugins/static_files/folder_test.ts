import { describe, expect, test } from "bun:test";
import { mkdirSync, renameSync, rmSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { staticFiles, type StaticFilesOptions } from "../../../../adapters/plugins/static_files.ts";
import type { HttpEnv } from "../../../../plugins/http.ts";
import { TemporaryFolder } from "../../../support/temporary_folder.ts";
import { until } from "../../../support/until.ts";

/** An app that serves a folder, and answers as text. */
function served(folder: TemporaryFolder, options: StaticFilesOptions = {}) {
  const app = staticFiles(folder.path, options);
  return async (path: string, headers: Record<string, string> = {}) => {
    const response = await app.fetch(
      new Request(`http://berth.test${path}`, { headers }),
      {} as HttpEnv,
    );
    return { status: response.status, headers: response.headers, text: await response.text() };
  };
}

/** Waits until the tick of the kernel's file clock in which they were written is over. */
async function settled(): Promise<void> {
  const from = Date.now();
  await until(() => Date.now() - from > 110);
}

describe("staticFiles with files that change", () => {
  // A file is changed in place, replaced by another of the same size and date, replaced by a link
  // out of the folder, removed and restored.
  test("sees each change at the next request", async () => {
    using folder = new TemporaryFolder();
    mkdirSync(`${folder.path}/public`);
    const get = served({ path: `${folder.path}/public` } as TemporaryFolder);
    const path = `${folder.path}/public/a.txt`;
    const [date] = [new Date("2026-01-02T03:04:05Z")];
    const write = (to: string, text: string) => {
      writeFileSync(to, text);
      utimesSync(to, date, date);
    };
    write(path, "one");
    await settled();
    for (let round = 0; round < 3; round++) expect((await get("/a.txt")).text).toBe("one");

    write(path, "two");
    expect((await get("/a.txt")).text).toBe("two");
    await settled();
    await get("/a.txt");
    write(`${folder.path}/new`, "six");
    renameSync(`${folder.path}/new`, path);
    expect((await get("/a.txt")).text).toBe("six");
    await settled();
    await get("/a.txt");

    writeFileSync(`${folder.path}/secret`, "secret");
    rmSync(path);
    expect((await get("/a.txt")).status).toBe(404);
    symlinkSync(`${folder.path}/secret`, path);
    expect((await get("/a.txt")).status).toBe(404);
    rmSync(path);
    write(path, "back");
    expect((await get("/a.txt")).text).toBe("back");
  });

  // A cached file supports ranges and conditions like an open one.
  test("answers ranges and conditions from memory", async () => {
    using folder = new TemporaryFolder();
    folder.write("a.txt", "0123456789");
    await settled();
    const get = served(folder);
    for (let round = 0; round < 2; round++) {
      const { headers } = await get("/a.txt");
      const part = await get("/a.txt", { Range: "bytes=2-4" });
      expect([part.status, part.text, part.headers.get("content-length")]).toEqual([
        206,
        "234",
        "3",
      ]);
      const same = await get("/a.txt", { "If-None-Match": headers.get("etag")! });
      expect([same.status, same.text]).toEqual([304, ""]);
    }
  });
});

describe("staticFiles with precompressed files", () => {
  // The precompressed variants that the client accepts, in the server's order; each has its own
  // ETag, and Vary names the header (RFC 9110 12.5.5).
  test("sends the variant that the client accepts", async () => {
    using folder = new TemporaryFolder();
    folder.write("a.html", "plain");
    folder.write("a.html.gz", "as gzip");
    folder.write("a.html.br", "as br");
    await settled();
    const get = served(folder, { precompressed: true });
    const tags = new Set<string | null>();
    for (
      const [accepted, text, coding] of [
        ["", "plain", null],
        ["gzip", "as gzip", "gzip"],
        ["gzip, br", "as br", "br"],
        ["zstd, gzip", "as gzip", "gzip"],
        ["zstd", "plain", null],
        ["br;q=0", "plain", null],
      ] as const
    ) {
      for (let round = 0; round < 2; round++) {
        const { text: got, headers } = await get("/a.html", { "Accept-Encoding": accepted });
        expect([accepted, got, headers.get("content-encoding")]).toEqual([accepted, text, coding]);
        expect(headers.get("content-type")).toBe("text/html; charset=utf-8");
        expect(headers.get("vary")).toBe("Accept-Encoding");
        tags.add(headers.get("etag"));
      }
    }
    expect(tags.size).toBe(3);
    // A new variant is found, and a removed one is not used.
    folder.write("a.html.zst", "as zstd");
    expect((await get("/a.html", { "Accept-Encoding": "zstd" })).text).toBe("as zstd");
    rmSync(`${folder.path}/a.html.br`);
    expect((await get("/a.html", { "Accept-Encoding": "gzip, br" })).text).toBe("as gzip");
  });

  // Variants are sent only with the option.
  test("sends the file itself by default", async () => {
    using folder = new TemporaryFolder();
    folder.write("a.html", "plain");
    folder.write("a.html.br", "as br");
    const { text, headers } = await served(folder)("/a.html", { "Accept-Encoding": "br" });
    expect([text, headers.get("vary")]).toEqual(["plain", null]);
  });
});
