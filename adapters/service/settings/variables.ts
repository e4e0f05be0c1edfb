/**
 * Environment variables in the strings of a configuration file.
 *
 * @module
 */
import process from "node:process";
import { requirePermissions } from "../cli/permissions.ts";

/** Looks up a variable; returns `undefined` if it is not set. */
export type ReadVariable = (name: string) => string | undefined;

/** A string with a variable that is not set, or with a `${` that names none. */
export interface VariableFault {
  readonly path: readonly string[];
  readonly message: string;
}

/**
 * Reads the environment of the process.
 *
 * @throws {UsageError} Deno does not permit reading the variable.
 */
export function environmentVariable(name: string): string | undefined {
  requirePermissions(new Map([["env", [{ variable: name }]]]));
  return process.env[name];
}

/**
 * A copy of `value` in whose strings `${NAME}` is replaced by the variable's value, and `$${` by `${`.
 * Keys are not touched.
 */
export function expandVariables(
  value: unknown,
  read: ReadVariable,
): { readonly value: unknown; readonly faults: readonly VariableFault[] } {
  const faults: VariableFault[] = [];
  const expand = (inner: unknown, path: readonly string[]): unknown => {
    if (typeof inner === "string") {
      const { text, message } = expandText(inner, read);
      if (message !== undefined) faults.push({ path, message });
      return text;
    }
    if (Array.isArray(inner)) return inner.map((each, i) => expand(each, [...path, String(i)]));
    if (typeof inner !== "object" || inner === null) return inner;
    return Object.fromEntries(
      Object.entries(inner).map(([key, each]) => [key, expand(each, [...path, key])]),
    );
  };
  return { value: expand(value, []), faults };
}

function expandText(given: string, read: ReadVariable): { text: string; message?: string } {
  let message: string | undefined;
  const text = given.replaceAll(
    /\$(\$?)\{(?:([A-Za-z_]\w*)\})?/g,
    (all, escape: string, name: string | undefined) => {
      if (escape !== "") return all.slice(1);
      const value = name === undefined ? undefined : read(name);
      if (value !== undefined) return value;
      message ??= name === undefined
        ? `expected \${NAME} for an environment variable, or $\${ for the text \${, got "${given}"`
        : `the environment variable ${name} is not set`;
      return all;
    },
  );
  return message === undefined ? { text } : { text, message };
}
