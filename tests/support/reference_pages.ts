/**
 * The reference: a page for each plugin, middleware and link, and the catalogue that leads to them.
 *
 * @module
 */
import { type Entry, type Kind, KINDS } from "./catalogue.ts";
import { formatTable } from "./markdown_table.ts";
import { findOptions, nestedOptions, optionsTable, propertiesOf } from "./options_table.ts";
import { type SourceFile, sourceFiles } from "./source_files.ts";

const FOLDERS: Readonly<Record<Kind, string>> = {
  "Plugins": "plugins",
  "Apps, for http and http2": "plugins",
  "Middleware": "middleware",
  "Links": "links",
  "Ports of Ethernet frames, for ethernet": "links",
  "Wrappers of links": "links",
};

/** The page that explains the subject of an entry. */
const GUIDES: Readonly<Record<string, string>> = {
  connectProxy: "[Proxies](../../proxies.md)",
  dns: "[Name server](../../dns.md)",
  egress: "[Egress](../../egress.md)",
  forward: "[Forwarding](../../forwarding.md)",
  socks5: "[Proxies](../../proxies.md)",
  tls: "[TLS](../../tls.md)",
};

/** The pages that explain the others, by folder. */
const FOLDER_GUIDES: Readonly<Record<string, string>> = {
  plugins: "[Write a plugin](../../write-a-plugin.md)",
  middleware: "[Middleware](../../middleware.md)",
  links: "[Links](../../links.md)",
};

/** The folders of the service's own names. */
const SERVED = ["Plugins", "Middleware"];

/** A file below `docs/`. */
export interface ReferencePage {
  readonly path: string;
  readonly text: string;
}

/** The pages of all entries; `exported` are the values of the entry points, by name. */
export function referencePages(
  entries: readonly Entry[],
  exported: Readonly<Record<string, unknown>>,
): ReferencePage[] {
  const files = sourceFiles("core", "adapters", "plugins");
  return entries.map((entry) => ({
    path: pathOf(entry),
    text: pageOf(entry, files, exported[entry.name]),
  }));
}

/** The path of the page of an entry, below `docs/`. */
export function pathOf({ kind, name }: Entry): string {
  return `reference/${FOLDERS[kind]}/${name}.md`;
}

const MARK = "<!-- Written by `deno task catalogue` from the docstrings and the schemas. -->";

function pageOf(entry: Entry, files: readonly SourceFile[], factory: unknown): string {
  const { name, kind, path, example = "", description, errors } = entry;
  const sections = [`# ${name}`, MARK, description, ...optionsOf(entry, files, factory)];
  if (errors.length > 0) {
    sections.push(`## Errors\n\n${errors.map((one) => `- ${one}`).join("\n")}`);
  }
  // The example already runs in its docstring.
  sections.push(`## Example\n\n\`\`\`ts no_run\n${example.trimEnd()}\n\`\`\``);
  const more = [
    GUIDES[name] ?? FOLDER_GUIDES[FOLDERS[kind]],
    ...SERVED.includes(kind) ? ["[Configuration](../../configuration.md)"] : [],
    "[Catalogue](../../catalogue.md)",
    `[source](../../../${path})`,
  ];
  sections.push(`## See also\n\n${more.join(", ")}`);
  return sections.join("\n\n") + "\n";
}

function optionsOf(
  { optionsType, argumentTypes }: Entry,
  files: readonly SourceFile[],
  factory: unknown,
): string[] {
  const others = argumentTypes.map((type) => findOptions(type, files))
    .filter((one) => one !== undefined)
    .map((one) => `## ${one.name}\n\n${optionsTable(one)}`);
  if (optionsType === undefined) return others;
  const found = findOptions(optionsType, files);
  if (found === undefined || found.options.length === 0) return [...others, "## Options\n\nNone."];
  const { optionsSchema } = Object(factory) as { optionsSchema?: unknown };
  const properties = optionsSchema === undefined ? undefined : propertiesOf(optionsSchema);
  const nested = nestedOptions(found, files).map((one) =>
    `### ${one.name}\n\n${optionsTable(one)}`
  );
  return [...others, `## Options\n\n${optionsTable(found, properties)}`, ...nested];
}

const HEAD = `# Plugins, middleware and links

${MARK}

This page lists all plugins for ports, middleware in front of plugins, and links below a stack. Each name leads
to a page with its options and an example; the tests run all examples, on Deno and on Bun.
[Configuration](configuration.md) lists those that the service offers, and their names there.`;

/** The catalogue. */
export function formatCatalogue(entries: readonly Entry[]): string {
  const tables = KINDS.map((kind) => {
    const rows = entries.filter((entry) => entry.kind === kind)
      .map((entry) => [`[\`${entry.name}\`](${pathOf(entry)})`, entry.summary]);
    return `## ${kind}\n\n${formatTable(["", "what it does"], rows)}`;
  });
  return [HEAD, ...tables].join("\n\n") + "\n";
}
