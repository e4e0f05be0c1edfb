/**
 * The files of the pages that berth serves: one table with the path and the source of each.
 *
 * They are imported as text, so that they are found wherever the program's own modules are: in a checkout, a
 * package, a remote module and a compiled binary, and on Deno without `--allow-read`.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { stripTypes } from "../runtime/strip_types.ts";

/** A file as a browser gets it. */
export interface Asset {
  readonly type: string;
  readonly body: string;
  readonly etag: string;
}

type Text = Promise<unknown>;

/**
 * The files by their path below `/assets/`. Modules have the same paths as in this folder, so that their relative
 * imports work.
 */
const FILES: Readonly<Record<string, () => Text>> = {
  "dashboard/page.html": () => import("./dashboard/page.html", { with: { type: "text" } }),
  "dashboard/api.ts": () => import("./dashboard/api.ts", { with: { type: "text" } }),
  "dashboard/confirm.ts": () => import("./dashboard/confirm.ts", { with: { type: "text" } }),
  "dashboard/connection.ts": () => import("./dashboard/connection.ts", { with: { type: "text" } }),
  "dashboard/connections.ts": () =>
    import("./dashboard/connections.ts", { with: { type: "text" } }),
  "dashboard/capture.ts": () => import("./dashboard/capture.ts", { with: { type: "text" } }),
  "dashboard/event_log.ts": () => import("./dashboard/event_log.ts", { with: { type: "text" } }),
  "dashboard/packets.ts": () => import("./dashboard/packets.ts", { with: { type: "text" } }),
  "dashboard/live.ts": () => import("./dashboard/live.ts", { with: { type: "text" } }),
  "dashboard/main.ts": () => import("./dashboard/main.ts", { with: { type: "text" } }),
  "dashboard/overview.ts": () => import("./dashboard/overview.ts", { with: { type: "text" } }),
  "dashboard/rates.ts": () => import("./dashboard/rates.ts", { with: { type: "text" } }),
  "dashboard/sign_in.ts": () => import("./dashboard/sign_in.ts", { with: { type: "text" } }),
  "demo/main.ts": () => import("./demo/main.ts", { with: { type: "text" } }),
  "demo/network.ts": () => import("./demo/network.ts", { with: { type: "text" } }),
  "demo/page.html": () => import("./demo/page.html", { with: { type: "text" } }),
  "demo/path_picture.ts": () => import("./demo/path_picture.ts", { with: { type: "text" } }),
  "demo/path_sliders.ts": () => import("./demo/path_sliders.ts", { with: { type: "text" } }),
  "demo/source.ts": () => import("./demo/source.ts", { with: { type: "text" } }),
  "demo/style.css": () => import("./demo/style.css", { with: { type: "text" } }),
  "shared/events.ts": () => import("./shared/events.ts", { with: { type: "text" } }),
  "shared/format.ts": () => import("./shared/format.ts", { with: { type: "text" } }),
  "shared/history.ts": () => import("./shared/history.ts", { with: { type: "text" } }),
  "shared/html.ts": () => import("./shared/html.ts", { with: { type: "text" } }),
  "shared/plot.ts": () => import("./shared/plot.ts", { with: { type: "text" } }),
  "shared/sequence.ts": () => import("./shared/sequence.ts", { with: { type: "text" } }),
  "shared/time_sequence.ts": () => import("./shared/time_sequence.ts", { with: { type: "text" } }),
  "shared/style.css": () => import("./shared/style.css", { with: { type: "text" } }),
  "lib/htm.js": () => import("htm", { with: { type: "text" } }),
  "lib/preact.js": () => import("preact", { with: { type: "text" } }),
  "lib/preact_hooks.js": () => import("preact/hooks", { with: { type: "text" } }),
  "lib/uplot.js": () => import("uplot/dist/uPlot.esm.js", { with: { type: "text" } }),
  "lib/uplot.css": () => import("uplot/dist/uPlot.min.css", { with: { type: "text" } }),
};

/** Where a browser finds the packages that modules import. */
const PACKAGES: Readonly<Record<string, string>> = {
  "htm": "/assets/lib/htm.js",
  "preact": "/assets/lib/preact.js",
  "preact/hooks": "/assets/lib/preact_hooks.js",
  "uplot": "/assets/lib/uplot.js",
};

const TYPES: Readonly<Record<string, string>> = {
  html: "text/html; charset=utf-8",
  css: "text/css; charset=utf-8",
  js: "text/javascript; charset=utf-8",
  ts: "text/javascript; charset=utf-8",
};

/** Allows only the page's own scripts, styles and connections, and no frame around the page. */
const CONTENT_SECURITY_POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; " +
  "connect-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; " +
  "frame-ancestors 'none'";

/** Fields of every answer with a file of a page. */
const HEADERS: Readonly<Record<string, string>> = {
  "Content-Security-Policy": CONTENT_SECURITY_POLICY,
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Resource-Policy": "same-origin",
  "Referrer-Policy": "no-referrer",
  "X-Content-Type-Options": "nosniff",
  "Cache-Control": "no-cache",
};

const loaded = new Map<string, Promise<Asset>>();

/** A file; `undefined` if there is none of that name. */
export function asset(name: string): Promise<Asset> | undefined {
  if (!Object.hasOwn(FILES, name)) return undefined;
  let found = loaded.get(name);
  if (found === undefined) loaded.set(name, found = load(name));
  return found;
}

/** The response to a request for a file. */
export async function assetResponse(name: string, request: Request): Promise<Response> {
  const found = await asset(name);
  if (found === undefined) return new Response("not found\n", { status: 404 });
  const headers = { ...HEADERS, "Content-Type": found.type, ETag: found.etag };
  return request.headers.get("if-none-match") === found.etag
    ? new Response(null, { status: 304, headers })
    : new Response(found.body, { headers });
}

async function load(name: string): Promise<Asset> {
  const { default: text } = await FILES[name]!() as { default: string };
  const extension = name.slice(name.lastIndexOf(".") + 1);
  const code = extension === "ts" ? stripTypes(text) : text;
  const body = TYPES[extension]!.startsWith("text/javascript") ? withPackages(code) : code;
  const etag = `"${createHash("sha256").update(body).digest("base64url").slice(0, 22)}"`;
  return { type: TYPES[extension]!, body, etag };
}

/** A module with URLs for the packages that it imports; an import map would be an inline script. */
function withPackages(code: string): string {
  return code.replace(
    /(\bfrom\s*|\bimport\s*)(["'])([\w/]+)\2/g,
    (whole, before, quote, name) =>
      Object.hasOwn(PACKAGES, name) ? `${before}${quote}${PACKAGES[name]}${quote}` : whole,
  );
}
