import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, describe, expect, test } from "bun:test";
import { TcpError } from "../../../../core/api/errors.ts";
import { importModule } from "../../../../adapters/service/listen/import_module.ts";
import { loadPlugin } from "../../../../adapters/service/listen/plugin_loader.ts";
import { ROOT } from "../../../support/source_files.ts";

const folder = mkdtempSync(join(tmpdir(), "berth-anywhere-"));
afterAll(() => rmSync(folder, { recursive: true }));

const load = async (path: string) =>
  (await importModule(join(folder, path), ROOT.replace(/\/$/, ""))).default;

// No package.json, no node_modules: only the file.
describe("a plugin in any folder", () => {
  // The classes must be the host's, because a plugin catches the host's errors.
  test("imports @berth/berth, hono and zod from the host", async () => {
    write(
      "bare.ts",
      `import { TcpError } from "@berth/berth";
import { echo } from "@berth/berth/plugins";
import { limit } from '@berth/berth/middleware';
import { Hono, type Context } from "hono";
import { cors } from "hono/cors";
import { z } from "zod";
import { helper } from "./helper.ts";
const kinds = [echo, limit, Hono, cors, z.object, helper].map((one) => typeof one);
export default { TcpError, kinds } satisfies { TcpError: unknown; kinds: string[] };`,
    );
    write("helper.ts", `export { z as helper } from "zod";`);
    const { kinds, ...rest } = await load("bare.ts") as { kinds: string[]; TcpError: unknown };
    expect(kinds).toEqual(["function", "function", "function", "function", "function", "object"]);
    expect(rest.TcpError).toBe(TcpError);
  });

  test("has options with a schema, which the host checks", async () => {
    write(
      "options.ts",
      `import { definePlugin } from "@berth/berth";
import { z } from "zod";
export default definePlugin({
  name: "shout",
  options: z.strictObject({ mark: z.string().default("!") }),
  setup: () => async () => {},
});`,
    );
    const setting = { plugin: "./options.ts", folder, source: "--listen 9" };
    expect((await loadPlugin({ ...setting, options: { mark: "?" } })).name).toBe("shout");
    let message = "";
    await loadPlugin({ ...setting, options: { mark: 1 } }).catch((error) => message = `${error}`);
    expect(message).toContain("mark");
  });

  // The versions that its author installed, and what these import themselves.
  test("imports other packages from the folders above it", async () => {
    write(
      "own/node_modules/esm/package.json",
      JSON.stringify({ type: "module", exports: "./a.js" }),
    );
    write("own/node_modules/esm/a.js", `import { c } from "cjs"; export default "esm and " + c;`);
    write("own/node_modules/cjs/package.json", JSON.stringify({ main: "index.js" }));
    write(
      "own/node_modules/cjs/index.js",
      `exports.c = "cjs and " + require("./part").part; exports.sep = require("path").sep;`,
    );
    write("own/node_modules/cjs/part.js", `exports.part = "its part";`);
    write(
      "own/plugin.ts",
      `import esm from "esm";
import cjs, { c, sep } from "cjs";
import { z } from "zod";
import data from "./data.json" with { type: "json" };
export default [esm, c, cjs.c, sep, typeof z, data.value];`,
    );
    write("own/data.json", `{ "value": 7 }`);
    const c = "cjs and its part";
    expect(await load("own/plugin.ts")).toEqual([`esm and ${c}`, c, c, "/", "object", 7]);
  });

  // A package that needs another version of zod than the host has.
  test("imports hono and zod from its own folder if they are there", async () => {
    write(
      "pinned/node_modules/zod/package.json",
      JSON.stringify({ type: "module", exports: "./zod.js" }),
    );
    write("pinned/node_modules/zod/zod.js", `export const z = "of its own";`);
    write("pinned/plugin.ts", `import { z } from "zod"; export default z;`);
    expect(await load("pinned/plugin.ts")).toBe("of its own");
  });

  // Characters that have a meaning in URLs and in regular expressions.
  test("may be in a folder of any name", async () => {
    const at = "a b#c%20é [d](e)$+{1}";
    write(`${at}/helper.ts`, `export { z as helper } from "zod";`);
    write(
      `${at}/plugin.ts`,
      `import { helper } from "./helper.ts";
const quote = /["']/;
import { TcpError } from "@berth/berth"; // not "zod"
export default [typeof helper, TcpError, quote.source, \`import "\${\`zod\`}"\`];`,
    );
    expect(await load(`${at}/plugin.ts`)).toEqual(["object", TcpError, `["']`, 'import "zod"']);
  });

  test("may be a CommonJS module", async () => {
    write("old/plugin.cjs", `module.exports = require("./part.cjs");`);
    write("old/part.cjs", `module.exports = () => "zod";`);
    expect((await load("old/plugin.cjs") as () => string)()).toBe("zod");
  });

  test("is loaded anew after a change, with the same packages", async () => {
    const code = (version: number) =>
      `import { TcpError } from "@berth/berth";
import { z } from "zod";
import { n } from "./number.ts";
export default [TcpError, typeof z, n, ${version}];`;
    write("changing/number.ts", "export const n: number = 1;");
    write("changing/plugin.ts", code(1));
    expect(await load("changing/plugin.ts")).toEqual([TcpError, "object", 1, 1]);
    write("changing/plugin.ts", code(2));
    expect(await load("changing/plugin.ts")).toEqual([TcpError, "object", 1, 2]);
    write("changing/number.ts", "export const n: number = 2;");
    expect(await load("changing/plugin.ts")).toEqual([TcpError, "object", 2, 2]);
  });
});

function write(path: string, text: string): void {
  const file = join(folder, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
}
