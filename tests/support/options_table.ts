/**
 * Tables of options: names, types and meanings from the interface in the source, defaults and ranges
 * from the schema that checks the options.
 *
 * @module
 */
import { z } from "zod";
import { MAX_MILLISECONDS } from "../../core/api/numbers.ts";
import { formatTable } from "./markdown_table.ts";
import type { SourceFile } from "./source_files.ts";

/** An interface whose members are options. */
export interface OptionsInterface {
  readonly name: string;
  readonly options: readonly Option[];
}

/** A member. */
export interface Option {
  readonly name: string;
  readonly type: string;
  readonly isRequired: boolean;
  /** The docstring without the default. */
  readonly meaning: string;
  /** The default as the docstring has it. */
  readonly default: string | undefined;
}

/** Interfaces that get their own table if the type of an option mentions them. */
const NESTED = /\b[A-Z]\w*(?:Options|Certificate|Records|Impairments|Routes)\b/g;

/** The interface `name`, with what it extends; `undefined` if no file has it. */
export function findOptions(
  name: string,
  files: Iterable<SourceFile>,
): OptionsInterface | undefined {
  const all = [...files];
  for (const { text } of all) {
    const found = new RegExp(
      `export interface ${name}(?:\\s+extends ([^{]+?))? \\{\\n([^]*?)\\n\\}`,
    ).exec(text);
    if (found === null) continue;
    const [, parents = "", body = ""] = found;
    const inherited = parents.split(",").map((parent) => parent.trim()).filter(Boolean)
      .flatMap((parent) => findOptions(parent, all)?.options ?? []);
    return { name, options: [...optionsIn(body), ...inherited] };
  }
  return undefined;
}

/** The interfaces that the types of `options` mention, directly or not. */
export function nestedOptions(
  { options }: OptionsInterface,
  files: readonly SourceFile[],
  found: Map<string, OptionsInterface> = new Map(),
): OptionsInterface[] {
  for (const { type } of options) {
    for (const [name] of type.matchAll(NESTED)) {
      const nested = found.has(name) ? undefined : findOptions(name, files);
      if (nested === undefined) continue;
      found.set(name, nested);
      nestedOptions(nested, files, found);
    }
  }
  return [...found.values()];
}

function optionsIn(body: string): Option[] {
  const member = /^ {2}\/\*\*([^]*?)\*\/\n {2}(?:readonly )?(\w+)(\??)(\([^]*?)?:? ?([^]*?);$/gm;
  return [...body.matchAll(member)].map(
    ([, doc = "", name = "", optional = "", parameters = "", rest = ""]) => {
      const type = `${parameters}${parameters && ": "}${rest}`.replace(/\s+/g, " ")
        .replace(/ \| undefined$/, "").replace(/^\| /, "");
      const text = doc.replace(/^[ \t]*\*?[ \t]?/gm, "").trim().replace(/\s+/g, " ")
        .replace(/\{@link (?:\w+\.)?(\w+)\}/g, "`$1`");
      const given = /(?:^| )Default:? ((?:`[^`]*`|[^.]|\.(?! |$))+)\./.exec(text);
      const meaning = given === null
        ? text
        : text.replace(given[0], "").replace(/\s+/g, " ").trim();
      return { name, type, isRequired: optional === "", meaning, default: given?.[1] };
    },
  );
}

/** The part of a JSON Schema that the table shows. */
interface Property {
  readonly default?: unknown;
  readonly type?: string;
  readonly minimum?: number;
  readonly maximum?: number;
}

/** The properties of a schema, by name; `undefined` for a schema that is not one of zod's objects. */
export function propertiesOf(schema: unknown): Readonly<Record<string, Property>> | undefined {
  const { properties } = z.toJSONSchema(schema as z.ZodType, {
    io: "input",
    unrepresentable: "any",
  });
  return properties as Readonly<Record<string, Property>> | undefined;
}

/** The table; `properties` are those of the schema, if there is one. */
export function optionsTable(
  { options }: OptionsInterface,
  properties: Readonly<Record<string, Property>> = {},
): string {
  return formatTable(
    ["option", "type", "default", "meaning"],
    options.map((option) => {
      const property = properties[option.name] ?? {};
      return [
        `\`${option.name}\``,
        `\`${option.type}\`${rangeOf(property)}`,
        option.isRequired ? "required" : option.default ?? defaultOf(property),
        option.meaning,
      ];
    }),
  );
}

/** A limit of a range that says no more than the type. */
const LIMITLESS = 2 ** 53 - 1;

function rangeOf({ minimum, maximum }: Property): string {
  if (minimum === undefined || maximum === undefined) return "";
  if (maximum >= LIMITLESS) return `, ${minimum} or more`;
  return `, ${show(minimum)} to ${maximum === MAX_MILLISECONDS ? "a year" : show(maximum)}`;
}

function defaultOf({ default: value }: Property): string {
  if (value === undefined || value === null) return "";
  if (typeof value === "number") return show(value);
  return `\`${JSON.stringify(value)}\``;
}

function show(value: number): string {
  return value.toLocaleString("en-US", { maximumFractionDigits: 6 });
}
