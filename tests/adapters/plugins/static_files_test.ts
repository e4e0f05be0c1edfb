import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { Hono } from "hono";
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { staticFiles, type StaticFilesOptions } from "../../../adapters/plugins/static_files.ts";
import type { HttpEnv } from "../../../plugins/http.ts";
import { TAKES_PREPARED } from "../../../plugins/shared/http/prepared_response.ts";

const MODIFIED = new Date("2026-01-02T03:04:05Z");
const DATE = "Fri, 02 Jan 2026 03:04:05 GMT";
let folder = "";

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "berth-files-"));
  const write = (path: string, text: string) => {
    const file = join(folder, path);
    mkdirSync(join(file, ".."), { recursive: true });
    writeFileSync(file, text);
    utimesSync(file, MODIFIED, MODIFIED);
  };
  write("secret.txt", "secret");
  write("public/index.html", "<p>index</p>");
  write("public/ten.txt", "0123456789");
  write("public/empty.bin", "");
  write("public/sub/index.html", "sub");
  write("public/bare/file", "bare");
  write("public/with space%.js", "js");
  write("public/.hidden", "hidden");
  write("public/.git/config", "hidden");
  write("public/large.bin", "x".repeat(300_000));
  symlinkSync(join(folder, "secret.txt"), join(folder, "public/link.txt"));
  symlinkSync("ten.txt", join(folder, "public/inner.txt"));
});
afterAll(() => rmSync(folder, { recursive: true }));

/** Requests a path unchanged; `new URL()` would normalize it. */
async function get(
  path: string,
  headers: Record<string, string> = {},
  { method = "GET", ...options }: StaticFilesOptions & { method?: string } = {},
): Promise<Response & { text: () => Promise<string> }> {
  const app = staticFiles(join(folder, "public"), options);
  const request = new Request(`http://berth.test${path}`, { method, headers });
  return await app.fetch(request, env as HttpEnv);
}

/** The bindings of another server, and of this package's servers, which read the content without the Response. */
const ENVS: readonly [string, object][] = [["", {}], [" prepared", { [TAKES_PREPARED]: true }]];
let env: object = {};

const statusOf = async (...args: Parameters<typeof get>) => {
  const response = await get(...args);
  await response.body?.cancel();
  return response.status;
};

for (const [kind, given] of ENVS) {
  describe(`staticFiles${kind}`, () => {
    beforeAll(() => void (env = given));

    // All response fields of a file.
    test("serves a file", async () => {
      const response = await get("/ten.txt");
      expect(response.status).toBe(200);
      expect(await response.text()).toBe("0123456789");
      const { etag, ...fields } = Object.fromEntries(response.headers);
      expect(etag).toMatch(/^"a-[0-9a-f]+"$/);
      expect(fields).toEqual({
        "accept-ranges": "bytes",
        "cache-control": "no-cache",
        "content-length": "10",
        "content-type": "text/plain; charset=utf-8",
        "last-modified": DATE,
        "x-content-type-options": "nosniff",
      });
      const cached = await get("/ten.txt", {}, { maxAgeSeconds: 60 });
      expect(cached.headers.get("cache-control")).toBe("public, max-age=60");
      await cached.body?.cancel();
    });

    // Names: encoded, of unknown type, empty, large, and a link inside the folder.
    test.each([
      ["/with%20space%25.js", "js", "text/javascript; charset=utf-8"],
      ["/bare/file", "bare", "application/octet-stream"],
      ["/empty.bin", "", "application/octet-stream"],
      ["/large.bin", "x".repeat(300_000), "application/octet-stream"],
      ["/inner.txt", "0123456789", "text/plain; charset=utf-8"],
      ["//ten.txt?query", "0123456789", "text/plain; charset=utf-8"],
      ["/", "<p>index</p>", "text/html; charset=utf-8"],
      ["/sub/", "sub", "text/html; charset=utf-8"],
    ])("serves %s", async (path, text, type) => {
      const response = await get(path);
      expect(response.status).toBe(200);
      expect(response.headers.get("content-type")).toBe(type);
      expect(await response.text()).toBe(text);
    });

    // Paths out of the folder, hidden files, and missing files.
    test.each([
      "/../secret.txt",
      "/%2e%2e/secret.txt",
      "/..%2fsecret.txt",
      "/..%5csecret.txt",
      "/sub/..%2f..%2fsecret.txt",
      "/link.txt",
      "/.hidden",
      "/%2ehidden",
      "/.git/config",
      "/ten.txt%00.html",
      "/%ff",
      "/%",
      "/nothing",
      "/bare/",
      "/ten.txt/",
      "/ten.txt/index.html",
    ])("does not find %s", async (path) => {
      expect(await statusOf(path)).toBe(404);
    });

    // Serves hidden files, and an index of another name, only if configured.
    test("serves hidden files and another index if configured", async () => {
      expect(await (await get("/.hidden", {}, { hidden: true })).text()).toBe("hidden");
      expect(await (await get("/bare/", {}, { index: "file" })).text()).toBe("bare");
    });

    // Opening a FIFO would block the request forever.
    test("answers 404 for anything but regular files", async () => {
      execFileSync("mkfifo", [join(folder, `public/pipe${kind.trim()}`)]);
      const late = Promise.withResolvers<string>();
      const timer = setTimeout(() => late.resolve("still waiting"), 2000);
      expect(await Promise.race([statusOf(`/pipe${kind.trim()}`), late.promise])).toBe(404);
      clearTimeout(timer);
    });

    // Relative links of the index must lead into the folder, and the redirect must not lead to
    // another host.
    test("redirects to a folder's own path", async () => {
      const response = await get("/sub?a=b");
      expect([response.status, response.headers.get("location")]).toEqual([308, "sub/?a=b"]);
      const other = await get("//sub");
      expect(other.headers.get("location")).toBe("sub/");
    });

    // Hono removes the mount point from the path, but the client needs it.
    test("redirects to a folder's own path where it is mounted", async () => {
      const app = new Hono().mount("/mnt/a", staticFiles(join(folder, "public")).fetch as never);
      const url = "http://berth.test/mnt/a/sub";
      const location = (await app.request(url)).headers.get("location")!;
      expect(new URL(location, url).href).toBe("http://berth.test/mnt/a/sub/");
      expect((await app.request(new URL(location, url).href, { method: "HEAD" })).status).toBe(200);
    });

    // HEAD has the fields without content; other methods are not allowed.
    test("supports only GET and HEAD (RFC 9110 15.5.6)", async () => {
      const head = await get("/ten.txt", { Range: "bytes=0-1" }, { method: "HEAD" });
      expect([head.status, head.headers.get("content-length")]).toEqual([200, "10"]);
      expect(await head.text()).toBe("");
      const post = await get("/ten.txt", {}, { method: "POST" });
      expect([post.status, post.headers.get("allow")]).toEqual([405, "GET, HEAD"]);
    });

    // RFC 9110 14.1.2, 14.2: a single range; anything else gets the whole file.
    test.each([
      ["bytes=0-3", 206, "0123", "bytes 0-3/10"],
      ["bytes=4-", 206, "456789", "bytes 4-9/10"],
      ["bytes=-3", 206, "789", "bytes 7-9/10"],
      ["bytes=-99", 206, "0123456789", "bytes 0-9/10"],
      ["bytes=9-99", 206, "9", "bytes 9-9/10"],
      ["BYTES= 2-2 ", 206, "2", "bytes 2-2/10"],
      ["bytes=10-", 416, "", "bytes */10"],
      ["bytes=-0", 416, "", "bytes */10"],
      ["bytes=3-2", 200, "0123456789", null],
      ["bytes=0-1,3-4", 200, "0123456789", null],
      ["lines=0-1", 200, "0123456789", null],
      ["bytes=-", 200, "0123456789", null],
      ["bytes=2-9223372036854775806", 206, "23456789", "bytes 2-9/10"],
      [`bytes=0002-${"9".repeat(400)}`, 206, "23456789", "bytes 2-9/10"],
      [`bytes=-${"9".repeat(400)}`, 206, "0123456789", "bytes 0-9/10"],
      ["bytes=9223372036854775806-", 416, "", "bytes */10"],
      ["bytes=9007199254740993-9007199254740992", 200, "0123456789", null],
      ["bytes=9007199254740992-9007199254740993", 416, "", "bytes */10"],
      ["bytes=-000", 416, "", "bytes */10"],
    ])("answers Range: %s with %s", async (range, status, text, contentRange) => {
      const response = await get("/ten.txt", { Range: range });
      expect(response.status).toBe(status);
      expect(response.headers.get("content-range")).toBe(contentRange);
      expect(await response.text()).toBe(text);
      if (status !== 416) expect(response.headers.get("content-length")).toBe(`${text.length}`);
    });

    // A suffix range gets the whole empty file; a range from the first byte cannot be satisfied (RFC
    // 9110 14.1.2).
    test("answers ranges of an empty file", async () => {
      writeFileSync(join(folder, "public", "empty.txt"), "");
      expect(await statusOf("/empty.txt", { Range: "bytes=-5" })).toBe(200);
      expect(await statusOf("/empty.txt", { Range: "bytes=-0" })).toBe(416);
      expect(await statusOf("/empty.txt", { Range: "bytes=0-" })).toBe(416);
      expect(await statusOf("/empty.txt", {})).toBe(200);
    });

    // Formats that only JavaScript accepts, and other time zones, are invalid.
    test.each([
      "2030",
      "2030-01-01",
      "Fri, 02 Jan 2030 03:04:06 +0200",
      "Fri, 02 Jan 2030 03:04:06",
    ])(
      "ignores the date %s (RFC 9110 13.1.3)",
      async (date) => {
        expect(await statusOf("/ten.txt", { "If-Modified-Since": date })).toBe(200);
        expect(await statusOf("/ten.txt", { "If-Unmodified-Since": date.replace("30", "01") }))
          .toBe(
            200,
          );
        expect(await statusOf("/ten.txt", { "Range": "bytes=0-0", "If-Range": date })).toBe(200);
      },
    );

    // RFC 9110 13.2.2: ETags take precedence over dates; a range applies only to the matching file.
    test("answers conditions", async () => {
      const etag = (await get("/ten.txt", {}, { method: "HEAD" })).headers.get("etag")!;
      const [earlier, later] = ["Fri, 02 Jan 2026 03:04:04 GMT", "Fri, 02 Jan 2026 03:04:06 GMT"];
      const cases: [Record<string, string>, number][] = [
        [{ "If-None-Match": etag }, 304],
        [{ "If-None-Match": `"x", W/${etag}` }, 304],
        [{ "If-None-Match": "*" }, 304],
        [{ "If-None-Match": '"x"' }, 200],
        [{ "If-None-Match": '"x"', "If-Modified-Since": later }, 200],
        [{ "If-Modified-Since": DATE }, 304],
        [{ "If-Modified-Since": earlier }, 200],
        [{ "If-Modified-Since": "yesterday" }, 200],
        [{ "If-Match": etag }, 200],
        [{ "If-Match": `W/${etag}` }, 412],
        [{ "If-Match": '"x"' }, 412],
        [{ "If-Match": "*" }, 200],
        [{ "If-Unmodified-Since": earlier }, 412],
        [{ "If-Unmodified-Since": DATE }, 200],
        [{ "If-Match": etag, "If-Unmodified-Since": earlier }, 200],
        [{ "Range": "bytes=0-0", "If-Range": etag }, 206],
        [{ "Range": "bytes=0-0", "If-Range": '"x"' }, 200],
        [{ "Range": "bytes=0-0", "If-Range": DATE }, 206],
        [{ "Range": "bytes=0-0", "If-Range": earlier }, 200],
        [{ "Range": "bytes=0-0", "If-None-Match": etag }, 304],
      ];
      const got = await Promise.all(cases.map(([headers]) => statusOf("/ten.txt", headers)));
      expect(cases.map(([headers], index) => [headers, got[index]])).toEqual(cases);
    });

    // A file that shrinks while it is read makes the body fail, since a part must not look like the
    // whole.
    test("aborts the body of a file that shrinks", async () => {
      const path = join(folder, "public", "shrinking.bin");
      writeFileSync(path, "y".repeat(600_000));
      const reader = (await get("/shrinking.bin")).body!.getReader();
      expect((await reader.read()).value?.length).toBe(262_144);
      writeFileSync(path, "y".repeat(262_144));
      await expect(reader.read()).rejects.toThrow("shorter");
      rmSync(path);
    });

    // One line says what is wrong.
    test("validates its options", () => {
      expect(() => staticFiles(".", { maxAgeSeconds: -1 })).toThrow(
        /^staticFiles: options.maxAgeSeconds: /,
      );
    });
  });
}
