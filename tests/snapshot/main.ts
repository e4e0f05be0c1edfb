/**
 * Measures in virtual time and prints the figures, or writes them to `numbers.txt` and
 * `grid/short.txt`, with which the tests compare:
 *
 *     main.ts [--update]
 *
 * @module
 */
import { writeFileSync } from "node:fs";
import process from "node:process";
import { shortGrid } from "./grid/short.ts";
import { allTables } from "./tables.ts";

const files = { "numbers.txt": allTables(), "grid/short.txt": shortGrid().text };
for (const [name, text] of Object.entries(files)) {
  if (process.argv.includes("--update")) writeFileSync(new URL(name, import.meta.url), text);
  else console.log(text);
}
