/**
 * How plugins are made and how several of them share a port.
 *
 * @module
 */
import { runInOrder } from "./run_chain.ts";
import type { Handler, Plugin, Syn, SynContext } from "./types.ts";

/** What checks options: every zod object schema is one. */
export interface OptionsSchema<Input, Output> {
  /** For the compiler alone (Standard Schema): what is given, and what comes of it. */
  readonly "~standard": {
    /** Never there at run time. */
    readonly types?: { readonly input: Input; readonly output: Output } | undefined;
  };
  /** Checks a value, without throwing. */
  safeParse(value: unknown): CheckedOptions<Output>;
}

/** What came of checking options. */
export type CheckedOptions<Output> =
  | { success: true; data: Output }
  | { success: false; error: { readonly issues: readonly Issue[] } };

/** What is wrong with a value: enough of zod's issue to name the place and the fault. */
export interface Issue {
  /** The keys that lead to the value. */
  readonly path: readonly PropertyKey[];
  /** The fault. */
  readonly message: string;
}

/** The arguments of a factory: none are needed where no option is required. */
export type OptionArguments<Options> = Record<never, never> extends Options ? [options?: Options]
  : [options: Options];

/** What {@link definePlugin} returns: options in, a plugin out. */
export interface PluginFactory<Options> {
  /**
   * Checks the options and makes the plugin.
   *
   * @throws {TypeError} The options do not fit the schema; the message names each fault.
   */
  (...options: OptionArguments<Options>): Plugin;
  /** The name that every plugin of this factory has. */
  readonly pluginName: string;
}

/** What {@link definePlugin} takes. */
export interface PluginDefinition<Input, Output> {
  /** Shown in logs and in error messages. */
  name: string;
  /** What the options are checked with. */
  options: OptionsSchema<Input, Output>;
  /** Makes the plugin of checked options. A function alone is the plugin's `handle`. */
  setup(options: Output): Handler | Omit<Plugin, "name">;
}

/**
 * Defines a plugin as a factory of checked options.
 *
 * @example
 * ```ts
 * import { definePlugin } from "@berth/berth";
 * import { z } from "zod";
 *
 * const greet = definePlugin({
 *   name: "greet",
 *   options: z.strictObject({ text: z.string().default("hello") }),
 *   setup: ({ text }) => async ({ socket }) => {
 *     await socket.write(new TextEncoder().encode(text));
 *   },
 * });
 *
 * greet({ text: "ahoy" }); // a Plugin for stack.use()
 * ```
 */
export function definePlugin<Input, Output>(
  definition: PluginDefinition<Input, Output>,
): PluginFactory<Input> {
  const { name, options: schema, setup } = definition;
  const create = (options?: unknown): Plugin => {
    const checked = schema.safeParse(options ?? {});
    if (!checked.success) {
      throw new TypeError(`${name}: ${describeIssues(checked.error.issues, ["options"])}`);
    }
    const made = setup(checked.data);
    return typeof made === "function" ? { name, handle: made } : { ...made, name };
  };
  return Object.assign(create, { pluginName: name });
}

/** One line for people: every fault behind the path of its value, which begins with `root`. */
export function describeIssues(issues: readonly Issue[], root: readonly string[] = []): string {
  return issues.map(({ path, message }) => {
    const place = [...root, ...path.map(String)].join(".");
    return place === "" ? message : `${place}: ${message}`;
  }).join("; ");
}

/** The handlers of a port as one. */
export interface Chain {
  /** Runs the handlers in order. */
  readonly handle: Handler;
  /** There when a plugin of the chain decides before the SYN is answered; replaces `handle`. */
  readonly onSyn?: (syn: Syn, c: SynContext) => Promise<Handler>;
}

/**
 * Makes one of the handlers of a port: they run in order, each around the following ones, which
 * run when it calls `next()`. A `next()` that is not called ends the chain there; after the last
 * handler it does nothing. With a socket, `next(socket)`, the following ones have that one.
 *
 * At most one plugin may have `onSyn`. The handler that it returns for a connection runs in that
 * plugin's place; its `handle` is not used.
 *
 * @throws {TypeError} There is no handler, a plugin has neither `handle` nor `onSyn`, or more than
 * one has `onSyn`.
 */
export function compose(handlers: readonly (Handler | Plugin)[]): Chain {
  if (handlers.length === 0) throw new TypeError("A chain needs at least one handler or plugin");
  const deciders = handlers.filter((each) => typeof each !== "function" && each.onSyn);
  if (deciders.length > 1) {
    const names = deciders.map((each) => each.name).join(", ");
    throw new TypeError(`Only one plugin of a chain may have onSyn, here are several: ${names}`);
  }
  const decider = deciders[0] as Plugin | undefined;
  if (!decider) return { handle: runInOrder(handlers.map(handlerOf)) };

  const place = handlers.indexOf(decider);
  const around = handlers.map((each) => each === decider ? undecided : handlerOf(each));
  return {
    handle: runInOrder(around),
    async onSyn(syn, c) {
      const decided = await decider.onSyn!(syn, c);
      return runInOrder(around.with(place, decided));
    },
  };
}

function handlerOf(each: Handler | Plugin): Handler {
  if (typeof each === "function") return each;
  if (!each.handle) throw new TypeError(`Plugin ${each.name} has neither handle nor onSyn`);
  return each.handle;
}

function undecided(): void {
  throw new Error("onSyn has to make this connection's handler");
}
