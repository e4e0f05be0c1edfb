/**
 * Completes the HTML of `deno doc`, which does not fit on a phone and makes browsers ask for an icon that no
 * page has.
 *
 * @module
 */
import { appendFileSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const STYLE = `
@media (max-width: 50rem) {
  .ddoc, .ddoc *, #content > * { min-width: 0; }
  .ddoc { overflow-wrap: anywhere; }
  #topnav, #topnav div { flex-wrap: wrap; height: auto; }
  #searchbar, #searchResults { width: 100%; margin-inline: 0; }
  #content { display: block; }
  .ddoc pre, .ddoc table, .ddoc code { max-width: 100%; overflow-x: auto; }
  .ddoc .symbolTitle, .ddoc .space-x-1 { overflow-x: auto; }
}
`;

/** Changes the pages in a folder. */
export function completeReference(folder: string): void {
  appendFileSync(join(folder, "page.css"), STYLE);
  for (const path of readdirSync(folder, { recursive: true, encoding: "utf8" })) {
    if (!path.endsWith(".html")) continue;
    const file = join(folder, path);
    const text = readFileSync(file, "utf8");
    writeFileSync(file, text.replace("</head>", '<link rel="icon" href="data:,"></head>'));
  }
}
