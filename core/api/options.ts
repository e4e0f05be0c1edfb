/**
 * Options of plugins and stacks: checked by a schema, with error messages in one format.
 *
 * @module
 */
import { suggestionFor } from "./suggestion.ts";

/**
 * A schema of options: any Standard Schema (https://standardschema.dev), such as those of zod, Valibot
 * and ArkType, that checks synchronously.
 */
export interface OptionsSchema<Input, Output> {
  /** The interface of the standard, version 1. */
  readonly "~standard": {
    /** Version of the standard. */
    readonly version: 1;
    /** Name of the library that made the schema. */
    readonly vendor: string;
    /** Checks a value, without throwing. */
    readonly validate: (value: unknown) => CheckedOptions<Output> | Promise<CheckedOptions<Output>>;
    /** For the compiler only: the type before and after the check. Absent at run time. */
    readonly types?: { readonly input: Input; readonly output: Output } | undefined;
  };
}

/** The result of a check: a value, or what is wrong with it. */
export type CheckedOptions<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | { readonly issues: readonly SchemaIssue[] };

/** One fault, as a schema reports it. */
export interface SchemaIssue {
  /** The fault. */
  readonly message: string;
  /** The keys that lead to the value, or objects with them. */
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
}

/** One fault of a value, with the keys that lead to it. */
export interface Issue {
  /** The keys that lead to the value. */
  readonly path: readonly PropertyKey[];
  /** The fault. */
  readonly message: string;
}

/**
 * Checks options and fills in the defaults.
 *
 * @throws {TypeError} `NAME: options.KEY: expected THIS, got THAT`, for every fault.
 */
export function checkOptions<Input, Output>(
  name: string,
  schema: OptionsSchema<Input, Output>,
  options: unknown,
): Output {
  const value = options ?? {};
  const checked = schema["~standard"].validate(value);
  if (checked instanceof Promise) {
    // An exception in the schema ends here too: zod repeats the check asynchronously.
    checked.catch(() => {});
    throw new TypeError(
      `${name}: options: the schema checks asynchronously or has thrown an exception; use one that ` +
        "checks synchronously, and do the rest in setup",
    );
  }
  if (checked.issues === undefined) return checked.value;
  const faults = describeIssues(checked.issues.map(issueOf), ["options"], { value, schema });
  throw new TypeError(`${name}: ${faults}`);
}

/** An issue of any library; the other properties that zod gives it are kept. */
function issueOf(issue: SchemaIssue): Issue {
  const path = (issue.path ?? []).map((part) => typeof part === "object" ? part.key : part);
  return { ...issue, path };
}

/** The checked value and its schema, for messages that show them. */
export interface CheckedValue {
  /** The value, as it was given. */
  readonly value?: unknown;
  /** The schema, which knows the names of the keys. */
  readonly schema?: unknown;
}

/**
 * One line of text with each fault, prefixed by the path of its value, which begins with `root`.
 */
export function describeIssues(
  issues: readonly Issue[],
  root: readonly string[] = [],
  checked: CheckedValue = {},
): string {
  return faultsOf(issues, checked).map(({ path, message }) => {
    const place = [...root, ...path.map(String)].join(".");
    return place === "" ? message : `${place}: ${message}`;
  }).join("; ");
}

/** The faults, reworded in this package's format: what was expected, and what was given. */
export function faultsOf(issues: readonly Issue[], checked: CheckedValue = {}): Issue[] {
  return issues.flatMap((issue) => faultsOfOne(issue, checked));
}

function faultsOfOne(issue: Issue & ZodIssue, checked: CheckedValue): Issue[] {
  const { path, message, code } = issue;
  const fault = (text: string): Issue[] => [{ path, message: text }];
  // Not zod: the message is complete.
  if (code === undefined) return fault(message);
  const given = "value" in checked ? { value: valueAt(checked.value, path) } : undefined;
  const instead = (expected: string): Issue[] =>
    fault(given === undefined ? expected : `${expected}, got ${show(given.value)}`);
  if (code === "unrecognized_keys" && issue.keys) {
    const known = keysOf(checked.schema, path);
    return issue.keys.map((key) => {
      return { path: [...path, key], message: `unknown key${adviceFor(key, known)}` };
    });
  }
  if (code === "invalid_union") return instead(message === DEFAULT_MESSAGE ? "not valid" : message);
  // The message of the schema's author.
  if (!ZOD_DEFAULT_MESSAGE.test(message)) return fault(message);
  if (code === "invalid_type") {
    const expected = `expected ${TYPE_NAMES[issue.expected ?? ""] ?? issue.expected}`;
    return given !== undefined && given.value === undefined
      ? fault(`missing, ${expected}`)
      : instead(expected);
  }
  if (code === "invalid_value" && issue.values) {
    return instead(`expected ${issue.values.map(show).join(" or ")}`);
  }
  if (code === "too_small" && issue.minimum === 1) {
    const unit = issue.origin === "string" ? "character" : "item";
    return instead(`expected at least one ${unit}`);
  }
  return instead(message.replace(/^(?:Too small|Too big|Invalid \w+): /, ""));
}

function adviceFor(key: string, known: readonly string[] | undefined): string {
  if (known === undefined) return "";
  if (known.length === 0) return "; no key is expected";
  const suggestion = suggestionFor(key, known);
  return suggestion === undefined
    ? `; the keys are ${known.join(", ")}`
    : `; did you mean ${suggestion}?`;
}

/** The properties of a zod issue, which depend on its code. */
interface ZodIssue {
  readonly code?: string;
  readonly keys?: readonly string[];
  readonly expected?: string;
  readonly values?: readonly unknown[];
  readonly origin?: string;
  readonly minimum?: number | bigint;
}

const DEFAULT_MESSAGE = "Invalid input";
/**
 * The prefixes of zod's default messages, which it uses for schemas without a message of their own.
 */
const ZOD_DEFAULT_MESSAGE = /^(?:Invalid |Too small: |Too big: |Unrecognized key)/;

const TYPE_NAMES: Readonly<Record<string, string>> = {
  string: "a string",
  number: "a number",
  boolean: "true or false",
  array: "a list",
  object: "an object",
  record: "an object",
};

/** Longer strings are cut. */
const MAX_SHOWN = 60;

function show(value: unknown): string {
  if (typeof value === "string") {
    return JSON.stringify(value.length > MAX_SHOWN ? `${value.slice(0, MAX_SHOWN)}…` : value);
  }
  if (Array.isArray(value)) return value.length === 0 ? "an empty list" : "a list";
  if (typeof value === "function") return "a function";
  return typeof value === "object" && value !== null ? "an object" : String(value);
}

function valueAt(value: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>(
    (inner, key) => (inner as Readonly<Record<PropertyKey, unknown>> | null | undefined)?.[key],
    value,
  );
}

/** The keys of the object schema at `path`; `undefined` if there is no object schema. */
function keysOf(schema: unknown, path: readonly PropertyKey[]): string[] | undefined {
  let at = unwrapped(schema);
  for (const key of path) {
    const { shape, element } = (at ?? {}) as ZodSchema;
    at = unwrapped(shape?.[key] ?? element);
  }
  const { shape } = (at ?? {}) as ZodSchema;
  return shape && Object.keys(shape);
}

interface ZodSchema {
  readonly shape?: Readonly<Record<PropertyKey, unknown>>;
  readonly element?: unknown;
  readonly def?: {
    readonly type?: string;
    readonly innerType?: unknown;
    readonly in?: unknown;
    readonly out?: unknown;
  };
}

/** The schema inside of `optional`, `default`, `preprocess` and `transform`. */
function unwrapped(schema: unknown): unknown {
  let at = schema as ZodSchema | undefined;
  for (;;) {
    const { innerType, in: first, out } = at?.def ?? {};
    const inner = (innerType ?? (isTransform(first) ? out : first)) as ZodSchema | undefined;
    if (inner === undefined) return at;
    at = inner;
  }
}

function isTransform(schema: unknown): boolean {
  return (schema as ZodSchema | undefined)?.def?.type === "transform";
}
