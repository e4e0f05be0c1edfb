/**
 * Prints, as a line of JSON, what dates without and with a time zone mean to this process. Started with TZ set.
 *
 * @module
 */
import { mkdtempSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { staticFiles } from "../../../../adapters/plugins/static_files.ts";
import { formatDaytime } from "../../../../plugins/daytime.ts";
import { accessLine } from "../../../../plugins/shared/http/access_log.ts";

const MODIFIED = Date.UTC(2024, 6, 1, 12, 0, 0);
const folder = mkdtempSync(join(tmpdir(), "berth-dates-"));
writeFileSync(join(folder, "a.txt"), "ahoy");
utimesSync(join(folder, "a.txt"), MODIFIED / 1000, MODIFIED / 1000);
const app = staticFiles(folder);

async function statusOf(name: string, value: string): Promise<number> {
  const request = new Request("http://berth.test/a.txt", { headers: { [name]: value } });
  return (await app.fetch(request, {} as never)).status;
}

const answer = await app.fetch(new Request("http://berth.test/a.txt"), {} as never);
const since = async (date: string) => [
  await statusOf("If-Modified-Since", date),
  await statusOf("If-Unmodified-Since", date),
];
console.log(JSON.stringify({
  offset: new Date(MODIFIED).getTimezoneOffset(),
  lastModified: answer.headers.get("last-modified"),
  imf: await since("Mon, 01 Jul 2024 12:00:00 GMT"),
  rfc850: await since("Monday, 01-Jul-24 12:00:00 GMT"),
  asctime: await since("Mon Jul  1 12:00:00 2024"),
  asctimeBefore: await since("Mon Jul  1 11:59:59 2024"),
  daytime: new TextDecoder().decode(formatDaytime(new Date(MODIFIED))).trim(),
  access: accessLine(
    "10.0.0.9",
    "common",
    { head: { method: "GET", target: "/" }, status: 200, bytes: 4, protocol: "HTTP/1.1" },
    new Date(MODIFIED),
  ),
}));
rmSync(folder, { recursive: true });
