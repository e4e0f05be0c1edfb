/**
 * The files of a new project.
 *
 * @module
 */
import { APP_FILES } from "./app_files.ts";
import { NETWORK_FILES } from "./network_files.ts";
import { PLUGIN_FILES } from "./plugin_files.ts";

/** Files by their path in the project. */
export type Files = Readonly<Record<string, string>>;

/** A kind of project. */
export interface ProjectKind {
  readonly help: string;
  readonly files: Files;
  /** Packages that its files import besides `@berth/berth`. */
  readonly packages: readonly ("hono" | "zod")[];
  /** The program that `dev` runs again after a change; without one, it serves `berth.json`. */
  readonly program?: string;
}

/** The kinds of projects, by name. */
export const PROJECT_KINDS: Readonly<Record<string, ProjectKind>> = {
  plugin: { help: "a plugin with options", files: PLUGIN_FILES, packages: ["zod"] },
  app: { help: "a Hono app on a port", files: APP_FILES, packages: ["hono"] },
  network: {
    help: "a lossy network in one program",
    files: NETWORK_FILES,
    packages: [],
    program: "network.ts",
  },
};

/** Where a project gets its packages. */
export interface PackageSource {
  readonly runtime: "deno" | "bun";
  /** The version of `@berth/berth` for `package.json`; for Deno the service's module, such as `jsr:@berth/berth/cli`. */
  readonly berth: string;
  /** For `deno.json`: where `@berth/berth` is. */
  readonly imports: Readonly<Record<string, string>>;
  /** For Deno: the file that npm installs `@berth/berth` from, since Deno itself does not. */
  readonly tarball?: string;
  /** The versions of packages that berth has itself. */
  readonly versions: Readonly<Record<string, string>>;
}

/** All files of a project. */
export function projectFiles(name: string, kind: ProjectKind, source: PackageSource): Files {
  const isDeno = source.runtime === "deno";
  return {
    ...kind.files,
    ...isDeno ? filesForDeno(name, kind, source) : filesForBun(name, kind, source),
    "README.md": readme(name, kind, source),
  };
}

/** Commands to run once in a new project. */
export function installCommands({ runtime, tarball }: PackageSource): readonly string[] {
  return runtime === "bun" ? ["bun install"] : tarball !== undefined ? ["npm install"] : [];
}

function filesForDeno(name: string, kind: ProjectKind, source: PackageSource): Files {
  const { berth, tarball, versions } = source;
  const imports = {
    ...source.imports,
    ...Object.fromEntries(kind.packages.map((one) => [one, `npm:${one}@^${versions[one]}`])),
  };
  const dev = kind.program === undefined
    ? `deno run -A ${berth} dev`
    : `deno run --watch ${kind.program}`;
  return {
    ...tarball === undefined ? {} : {
      "package.json": toJson({
        name,
        private: true,
        type: "module",
        dependencies: dependenciesOf(kind, tarball, versions),
        devDependencies: { "@types/node": "^24.0.0" },
      }),
      ".gitignore": "node_modules/\n",
    },
    "deno.json": toJson({
      ...tarball === undefined ? { imports } : { nodeModulesDir: "manual" },
      tasks: {
        dev,
        test: "deno test",
        check: "deno check && deno lint && deno fmt --check",
        berth: `deno run -A ${berth}`,
      },
      fmt: { lineWidth: 100 },
    }),
    ".vscode/settings.json": toJson({
      "deno.enable": true,
      "editor.defaultFormatter": "denoland.vscode-deno",
    }),
    ".vscode/extensions.json": toJson({ recommendations: ["denoland.vscode-deno"] }),
  };
}

function filesForBun(name: string, kind: ProjectKind, { berth, versions }: PackageSource): Files {
  const dependencies = dependenciesOf(kind, berth, versions);
  const dev = kind.program === undefined ? "berth dev" : `bun --watch ${kind.program}`;
  return {
    "package.json": toJson({
      name,
      private: true,
      type: "module",
      scripts: { dev, test: "bun test", check: "tsc" },
      dependencies,
      devDependencies: { "@types/bun": "^1.4.0", "typescript": "^5.9.0" },
    }),
    "tsconfig.json": toJson({
      compilerOptions: {
        target: "ESNext",
        module: "Preserve",
        lib: ["ESNext", "DOM", "DOM.Iterable", "DOM.AsyncIterable"],
        types: ["bun"],
        strict: true,
        noEmit: true,
        skipLibCheck: true,
        allowImportingTsExtensions: true,
        verbatimModuleSyntax: true,
        noUncheckedIndexedAccess: true,
      },
    }),
    ".gitignore": "node_modules/\n",
    ".vscode/settings.json": toJson({ "typescript.tsdk": "node_modules/typescript/lib" }),
  };
}

function dependenciesOf(
  { packages }: ProjectKind,
  berth: string,
  versions: PackageSource["versions"],
): Readonly<Record<string, string>> {
  const others = packages.map((one) => [one, `^${versions[one]}`]);
  return { "@berth/berth": berth, ...Object.fromEntries(others) };
}

function readme(name: string, kind: ProjectKind, source: PackageSource): string {
  const { runtime } = source;
  const run = runtime === "deno" ? "deno task" : "bun run";
  const rows = [
    `${run} dev     # ${
      kind.program === undefined ? "serves" : "runs"
    } it, again after each change`,
    `${run} test    # in virtual time: hours take milliseconds`,
    `${run} check   # types${runtime === "deno" ? ", lint, format" : ""}`,
    `${run} berth   # the command, such as: ${run} berth ${
      kind.program === undefined ? "check berth.json" : "--help"
    }`,
  ];
  return `# ${name}\n\n\`\`\`sh\n${[...installCommands(source), ...rows].join("\n")}\n\`\`\`\n`;
}

function toJson(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}
