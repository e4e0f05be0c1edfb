/**
 * The numbers in the interfaces of options, from their source text.
 *
 * @module
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { filePaths, ROOT } from "./source_files.ts";

const NUMBER = /^ {2}(?:readonly )?(\w+)(\??): (?:[^;{(\[]*[| ])?number\b(?!\[)[^;{(]*;/gm;

/** `file interface` and its numbers: the optional ones of all interfaces, and all of options. */
export function numbersOfOptions(): [string, string[]][] {
  return filePaths(["core/api", "plugins", "adapters"], ".ts").flatMap((path) =>
    [
      ...readFileSync(join(ROOT, path), "utf8").matchAll(
        /export interface (\w+)[^{]*\{([^]*?)\n\}/g,
      ),
    ].flatMap(
      ([, name, body]): [string, string[]][] => {
        const isOptions = /(Options|Settings?|Limits|Config)$/.test(name!);
        const keys = [...body!.matchAll(NUMBER)].filter(([, , mark]) => isOptions || mark === "?");
        return keys.length === 0 ? [] : [[`${path} ${name}`, keys.map(([, key]) => key!)]];
      },
    )
  );
}
