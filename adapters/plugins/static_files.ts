/**
 * An app for `http` and `http2` that serves the files of a folder.
 *
 * @module
 */
import { resolve } from "node:path";
import { z } from "zod";
import { bytes, wholeNumber } from "../../core/api/numbers.ts";
import { checkOptions } from "../../core/api/options.ts";
import type { FetchApp } from "../../plugins/http.ts";
import { LOG, type UpgradableEnv } from "../../plugins/shared/http/env.ts";
import {
  respondPrepared,
  responseOfPrepared,
  TAKES_PREPARED,
} from "../../plugins/shared/http/prepared_response.ts";
import { FaultLog } from "../host/fault_log.ts";
import { Folder } from "./static_files/folder.ts";
import { respond } from "./static_files/respond.ts";

/** Options of {@link staticFiles}. */
export interface StaticFilesOptions {
  /** Also serves files and folders whose names begin with a dot. Default false. */
  hidden?: boolean | undefined;
  /** The file served for a folder. Default `"index.html"`. */
  index?: string | undefined;
  /**
   * Sends `page.html.br`, `.zst` or `.gz` in place of `page.html` to clients that accept it (RFC 9110
   * 12.5.3). The variants are not updated when the file changes. Default false.
   */
  precompressed?: boolean | undefined;
  /** Maximum size of the cache of small files, in bytes of content. Default 16 MiB. */
  cacheBytes?: number | undefined;
  /** `max-age` of Cache-Control, in seconds. Default: clients revalidate before each use. */
  maxAgeSeconds?: number | undefined;
}

const optionsSchema = z.strictObject({
  hidden: z.boolean().default(false),
  index: z.string().min(1).default("index.html"),
  precompressed: z.boolean().default(false),
  cacheBytes: bytes(0, 2 ** 31 - 1).default(16 * 1024 * 1024),
  maxAgeSeconds: wholeNumber(0, 2 ** 31 - 1, "seconds").default(0),
});

/**
 * Serves the files of a folder: an app for `http()` and `http2()`, or to mount in a Hono app.
 *
 * Large files are streamed. Small files are cached in memory; a cached file is sent only if the file
 * on disk has not changed. Byte ranges (RFC 9110 14) and conditional requests (RFC 9110 13), by
 * entity tag and by date, are supported. A folder is served by its index file and never listed.
 * Paths that lead out of the folder, symbolic links included, and names that begin with a dot are
 * answered with 404.
 *
 * @throws {TypeError} An option is invalid.
 *
 * @example
 * ```ts
 * import { createStack } from "@berth/berth";
 * import { linkPair } from "@berth/berth/links";
 * import { http, staticFiles } from "@berth/berth/plugins";
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
  const files = new Folder(resolve(folder), settings);
  const faults = new FaultLog("files: cannot read");
  return {
    fetch(request, env?: Partial<UpgradableEnv>) {
      try {
        return respond(
          request,
          files,
          env?.[TAKES_PREPARED] ? respondPrepared : responseOfPrepared,
        );
      } catch (error) {
        faults.add(error as Error, env?.[LOG]);
        return new Response("Service Unavailable", { status: 503 });
      }
    },
  };
}
