import { execFile } from "node:child_process";
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import process from "node:process";
import { promisify } from "node:util";
import { afterAll, describe, expect, test } from "bun:test";
import { devArguments } from "../../../../adapters/service/cli/dev.ts";
import { installedFrom, runInit } from "../../../../adapters/service/cli/init.ts";
import { PROJECT_KINDS, projectFiles } from "../../../../adapters/service/init/project.ts";
import { parseConfig } from "../../../../adapters/service/settings/config.ts";
import { ENVIRONMENT } from "../../../support/program.ts";
import { ROOT } from "../../../support/source_files.ts";

const isBun = process.versions["bun"] !== undefined;
const folder = mkdtempSync(join(tmpdir(), "berth-init-"));
/** Inside the tree, so that `@berth/berth` is this checkout. */
const inside = join(ROOT, "tests/.scratch", `init-${isBun ? "bun" : "deno"}`);
afterAll(() => {
  rmSync(folder, { recursive: true });
  rmSync(inside, { recursive: true, force: true });
});

function messageOf(...args: string[]): string {
  try {
    runInit(args);
  } catch (error) {
    return (error as Error).message;
  }
  return "nothing was thrown";
}

describe("init", () => {
  test("writes a project for the runtime that it runs on", () => {
    const root = join(folder, "My Plugin");
    const text = runInit(["plugin", root]);
    expect(text).toContain(isBun ? "bun install" : "deno task test");
    expect(text).toContain(`cd '${root}'\n`);
    const files = readdirSync(root);
    expect(files).toContain("plugin.ts");
    expect(files.includes("package.json")).toBe(isBun);
    expect(files.includes("deno.json")).toBe(!isBun);
    expect(readdirSync(join(root, ".vscode"))).toContain("settings.json");
    if (!isBun) return;
    expect(JSON.parse(readFileSync(join(root, "package.json"), "utf8")).name).toBe("my-plugin");
  });

  // `npm install /path/to/berth.tgz`, `bun add`: the new project has to name the same file until a
  // registry has the package.
  test("finds the tarball that the package was installed from", () => {
    const name = "@berth/berth";
    const root = join(folder, "project/node_modules", name);
    mkdirSync(root, { recursive: true });
    const sourceIs = (manifest: object) => {
      writeFileSync(join(folder, "project/package.json"), JSON.stringify(manifest));
      return installedFrom(root, name);
    };
    expect(sourceIs({ dependencies: { [name]: "file:../berth.tgz" } }))
      .toBe(join(folder, "berth.tgz"));
    expect(sourceIs({ devDependencies: { [name]: "/tmp/berth.tgz" } })).toBe("/tmp/berth.tgz");
    expect(sourceIs({ dependencies: { [name]: "^0.2.0" } })).toBeUndefined();
    expect(sourceIs({})).toBeUndefined();
  });

  // Part of a project over existing files would be worse than no project.
  test("changes nothing if one of the files exists", () => {
    const root = join(folder, "taken");
    mkdirSync(root);
    writeFileSync(join(root, "berth.json"), "mine");
    expect(messageOf("app", root)).toBe(
      `init: ${join(root, "berth.json")} exists: choose an empty folder`,
    );
    expect(readdirSync(root)).toEqual(["berth.json"]);
    expect(readFileSync(join(root, "berth.json"), "utf8")).toBe("mine");
  });

  // A link that leads nowhere counts, and a file in place of a folder is named.
  test("changes nothing if a link is in the way", () => {
    const root = join(folder, "linked");
    mkdirSync(root);
    symlinkSync("/nonexistent/README.md", join(root, "README.md"));
    expect(messageOf("app", root)).toContain("README.md exists: choose an empty folder");
    expect(readdirSync(root)).toEqual(["README.md"]);
    writeFileSync(join(root, "file"), "mine");
    expect(messageOf("app", join(root, "file"))).toMatch(/^init: cannot write .*file.*: /);
  });

  test("throws an error that says what is expected", () => {
    expect(messageOf()).toBe("init: expected plugin, app, network, got none");
    expect(messageOf("plugn")).toContain("got plugn; did you mean plugin?");
    expect(messageOf("toString")).toContain("got toString");
    expect(messageOf("app", "one", "two")).toContain("expected one folder after app");
    expect(messageOf("app", "--force")).toContain("expected one folder after app");
  });
});

describe("a new project", () => {
  // As its user runs them: on Deno with its own configuration, which names the files of this checkout.
  test.each(Object.keys(PROJECT_KINDS))("of kind %s passes its own tests", async (name) => {
    const root = join(isBun ? inside : folder, name);
    if (!isBun) runInit([name, root]);
    else {for (const [path, text] of Object.entries(PROJECT_KINDS[name]!.files)) {
        mkdirSync(dirname(join(root, path)), { recursive: true });
        writeFileSync(join(root, path), text);
      }}
    const file = join(root, readdirSync(root).find((path) => path.endsWith("_test.ts"))!);
    const command = isBun ? ["test", file] : ["test", "--no-check", file];
    const { stdout, stderr } = await promisify(execFile)(process.execPath, command, {
      cwd: isBun ? ROOT : root,
      env: ENVIRONMENT,
      timeout: 60_000,
    });
    expect(stdout + stderr).toMatch(/\b[23] pass/);
  }, 90_000);

  test.each(Object.keys(PROJECT_KINDS))("of kind %s has a valid configuration", (name) => {
    const text = PROJECT_KINDS[name]!.files["berth.json"];
    if (text !== undefined) expect(parseConfig(text, "berth.json").publish?.length).toBe(1);
    else expect(PROJECT_KINDS[name]!.program).toBe("network.ts");
  });

  // `deno task dev` and `bun run dev` start the service that the project depends on.
  test("runs the berth that it depends on", () => {
    const source = { versions: { zod: "4.0.0" } };
    const kind = PROJECT_KINDS["plugin"]!;
    const berth = "jsr:@berth/berth@^1.0.0";
    const imports = { "@berth/berth": berth };
    const forDeno = { ...source, runtime: "deno", berth: `${berth}/cli`, imports } as const;
    const { tasks, imports: all } = JSON.parse(projectFiles("x", kind, forDeno)["deno.json"]!);
    expect(tasks.dev).toBe("deno run -A jsr:@berth/berth@^1.0.0/cli dev");
    expect(all).toEqual({ ...imports, zod: "npm:zod@^4.0.0" });
    const forBun = { ...source, runtime: "bun", berth: "^1.0.0", imports: {} } as const;
    const files = projectFiles("x", kind, forBun);
    const { scripts, dependencies } = JSON.parse(files["package.json"]!);
    expect(scripts.dev).toBe("berth dev");
    expect(dependencies).toEqual({ "@berth/berth": "^1.0.0", zod: "^4.0.0" });
  });

  // Deno installs no package from a file: npm does, and Deno takes it from node_modules.
  test("of Deno has npm install the tarball that berth came from", () => {
    const files = projectFiles("x", PROJECT_KINDS["plugin"]!, {
      runtime: "deno",
      berth: "npm:@berth/berth",
      imports: {},
      tarball: "file:/tmp/berth.tgz",
      versions: { zod: "4.0.0" },
    });
    expect(JSON.parse(files["package.json"]!).dependencies)
      .toEqual({ "@berth/berth": "file:/tmp/berth.tgz", zod: "^4.0.0" });
    const { nodeModulesDir, imports, tasks } = JSON.parse(files["deno.json"]!);
    expect([nodeModulesDir, imports]).toEqual(["manual", undefined]);
    expect(tasks.dev).toBe("deno run -A npm:@berth/berth dev");
    expect(files["README.md"]).toContain("npm install\ndeno task dev ");
  });
});

describe("dev", () => {
  test("serves berth.json and watches it, unless flags say otherwise", () => {
    const watched = ["--config", "berth.json", "--watch"];
    expect(devArguments([])).toEqual(watched);
    expect(devArguments(["--workers", "2"])).toEqual([...watched, "--workers", "2"]);
    expect(devArguments(["--config=a.json"])).toEqual(["--watch", "--config=a.json"]);
    expect(devArguments(["--config", "a.json", "--watch"]))
      .toEqual(["--config", "a.json", "--watch"]);
  });
});
