/**
 * The files of a folder as an app for `http` and `http2`.
 *
 * @module
 */
import { resolve } from "node:path";
import { getMimeType } from "hono/utils/mime";
import { z } from "zod";
import { wholeNumber } from "../../core/api/numbers.ts";
import { checkOptions } from "../../core/api/options.ts";
import type { FetchApp } from "../../plugins/http.ts";
import { LOG, type UpgradableEnv } from "../../plugins/shared/http/env.ts";
import { evaluate, rangeApplies } from "./static_files/conditions.ts";
import { FaultLog } from "../host/fault_log.ts";
import { namesOf, type OpenFile, openFile, streamFile } from "./static_files/file.ts";
import { parseRange } from "./static_files/range.ts";

/** Options of {@link staticFiles}. */
export interface StaticFilesOptions {
  /** Serves files and folders whose names begin with a dot too. Default false. */
  hidden?: boolean | undefined;
  /** The file that a folder is served by. Default `"index.html"`. */
  index?: string | undefined;
  /** How long clients may use a file without asking again, in seconds. Default: they have to ask. */
  maxAgeSeconds?: number | undefined;
}

const optionsSchema = z.strictObject({
  hidden: z.boolean().default(false),
  index: z.string().min(1).default("index.html"),
  maxAgeSeconds: wholeNumber(0, 2 ** 31 - 1, "seconds").default(0),
});

type Settings = z.output<typeof optionsSchema>;

/**
 * Serves the files of a folder: an app for `http()` and `http2()`, or to mount in a Hono app.
 *
 * Streams files without loading them, and answers ranges (RFC 9110 14) and conditions (RFC 9110 13) by
 * entity tag and date. A folder is served by its index, never listed. Paths that lead out of the
 * folder, through links too, and names that begin with a dot are not found.
 *
 * @throws {TypeError} An option is not what it has to be.
 *
 * @example
 * ```ts
 * import { createStack, http, linkPair, staticFiles } from "@berth/berth";
 * import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
 *
 * const folder = mkdtempSync("/tmp/berth-");
 * writeFileSync(`${folder}/index.html`, "<h1>ahoy</h1>");
 *
 * const [here, there] = linkPair();
 * await using server = createStack({ link: here, addresses: ["10.0.0.1/24"] });
 * server.use(80, http(staticFiles(folder, { maxAgeSeconds: 60 })));
 *
 * await using client = createStack({ link: there, addresses: ["10.0.0.2/24"] });
 * await using socket = client.connect("10.0.0.1:80");
 * const request = "GET / HTTP/1.0\r\nHost: berth\r\nRange: bytes=4-7\r\n\r\n";
 * await socket.write(new TextEncoder().encode(request));
 * const response = await new Response(socket.readable).text();
 * rmSync(folder, { recursive: true });
 * if (!/^HTTP\/1.1 206 [^]*\r\n\r\nahoy$/.test(response)) throw new Error(response);
 * ```
 */
export function staticFiles(folder: string, options: StaticFilesOptions = {}): FetchApp {
  const settings = checkOptions("staticFiles", optionsSchema, options);
  const root = resolve(folder);
  const faults = new FaultLog("files: cannot read");
  return {
    async fetch(request, env) {
      try {
        return await answer(request, root, settings);
      } catch (error) {
        faults.add(error as Error, (env as Partial<UpgradableEnv> | undefined)?.[LOG]);
        return new Response("Service Unavailable", { status: 503 });
      }
    },
  };
}

async function answer(request: Request, root: string, settings: Settings): Promise<Response> {
  if (request.method !== "GET" && request.method !== "HEAD") {
    return new Response(null, { status: 405, headers: { Allow: "GET, HEAD" } });
  }
  const { pathname, search } = new URL(request.url);
  const names = namesOf(pathname, settings.hidden);
  if (!names) return notFound();
  const wantsFolder = pathname.endsWith("/");
  const path = wantsFolder ? [...names, settings.index] : names;
  const file = await openFile(root, path);
  if (file === "folder" && !wantsFolder) {
    // Relative links of the index have to lead into the folder. Only its name (RFC 9110 10.2.2): what
    // stands before, an app that this one is mounted in may have taken off.
    const location = `${encodeURIComponent(names.at(-1)!)}/${search}`;
    return new Response(null, { status: 308, headers: { Location: location } });
  }
  if (file === undefined || file === "folder") return notFound();
  try {
    const response = respond(request, file, path.at(-1)!, settings);
    if (response.body === null) await file.handle.close();
    return response;
  } catch (error) {
    await file.handle.close();
    throw error;
  }
}

function respond(
  { method, headers }: Request,
  file: OpenFile,
  name: string,
  { maxAgeSeconds }: Settings,
): Response {
  const fields = new Headers({
    "Accept-Ranges": "bytes",
    "Cache-Control": maxAgeSeconds > 0 ? `public, max-age=${maxAgeSeconds}` : "no-cache",
    "ETag": file.etag,
    "Last-Modified": new Date(file.modified * 1000).toUTCString(),
  });
  const status = evaluate(headers, file);
  if (status !== 200) return new Response(null, { status, headers: fields });

  const asked = method === "GET" && rangeApplies(headers, file)
    ? parseRange(headers.get("range"), file.size)
    : undefined;
  if (asked === "unsatisfiable") {
    fields.set("Content-Range", `bytes */${file.size}`);
    return new Response(null, { status: 416, headers: fields });
  }
  const range = asked ?? { start: 0, end: file.size };
  fields.set("Content-Type", getMimeType(name) ?? "application/octet-stream");
  fields.set("X-Content-Type-Options", "nosniff");
  fields.set("Content-Length", `${range.end - range.start}`);
  if (asked) fields.set("Content-Range", `bytes ${range.start}-${range.end - 1}/${file.size}`);
  const body = method === "HEAD" ? null : streamFile(file, range);
  return new Response(body, { status: asked ? 206 : 200, headers: fields });
}

function notFound(): Response {
  return new Response("Not Found", { status: 404 });
}
