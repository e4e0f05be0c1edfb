/**
 * Measures in virtual time and prints the numbers, or writes them to `numbers.txt` where the test
 * compares them:
 *
 *     main.ts [--update]
 *
 * @module
 */
import { writeFileSync } from "node:fs";
import process from "node:process";
import { allTables } from "./tables.ts";

const text = allTables();
if (process.argv.includes("--update")) {
  writeFileSync(new URL("numbers.txt", import.meta.url), text);
} else {
  console.log(text);
}
