/**
 * Writes the demo network as a single HTML file with both stacks in it. A browser can open it from a disk or from any
 * file server.
 *
 *     deno run -A examples/browser/network_page.ts network.html
 *     bun examples/browser/network_page.ts network.html
 *
 * @module
 */
import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const PAGES = fileURLToPath(new URL("../../adapters/pages", import.meta.url));

/** The page, bundled by the current runtime. */
export async function networkPage(): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), "berth-page-"));
  try {
    const script = join(folder, "page.js");
    const entry = join(PAGES, "demo/static.ts");
    const options = process.versions["bun"]
      ? ["build", "--target", "browser", "--minify", "--outfile", script, entry]
      : ["bundle", "--quiet", "--platform", "browser", "--minify", "--output", script, entry];
    await promisify(execFile)(process.execPath, options, { cwd: PAGES });
    return page(readFileSync(script, "utf8"));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function page(script: string): string {
  const uplot = createRequire(import.meta.url).resolve("uplot/dist/uPlot.min.css");
  const style = [uplot, join(PAGES, "shared/style.css"), join(PAGES, "demo/style.css")]
    .map((path) => readFileSync(path, "utf8")).join("\n");
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>berth: two TCP/IP stacks in a browser</title>
<link rel="icon" href="data:,">
<style>${style}</style>
</head>
<body>
<main class="frame">
<header class="intro">
<p class="brand">berth</p>
<h1>Two TCP/IP stacks in this page</h1>
<p class="lead">Both are written in TypeScript and run in your browser, without a server. One sends to the other over a path
whose delay, loss and bandwidth are yours to change.</p>
</header>
<div id="network"></div>
</main>
<script type="module">${script.replaceAll("</script", "<\\/script")}</script>
</body>
</html>
`;
}

if (import.meta.main) {
  const path = process.argv[2];
  if (path === undefined) {
    console.error("usage: network_page.ts FILE, such as network.html");
    process.exit(2);
  }
  writeFileSync(path, await networkPage());
}
