/**
 * Writes the manual page, `dist/berth.1`.
 *
 *     deno task man
 *
 * @module
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { manPage } from "./man_page.ts";

const folder = fileURLToPath(new URL("../../dist/", import.meta.url));
mkdirSync(folder, { recursive: true });
writeFileSync(`${folder}berth.1`, manPage());
console.log("dist/berth.1");
