/**
 * Defining plugins, and composing several of them on one port.
 *
 * @module
 */
import { messageOf } from "./error_text.ts";
import { type ChainMoves, movesOf } from "./moves/chain_moves.ts";
import { checkOptions, type OptionsSchema } from "./options.ts";
import { cancellationOf } from "./runtime/pending_syn.ts";
import { runInOrder } from "./runtime/run_chain.ts";
import type { Context, Handler, Next, Plugin, Syn, SynContext } from "./types.ts";

/** The arguments of a factory: optional if no option is required. */
export type OptionArguments<Options> = Record<never, never> extends Options ? [options?: Options]
  : [options: Options];

/** The result of {@link definePlugin}: makes a plugin from options. */
export interface PluginFactory<Options> {
  /**
   * Checks the options and makes the plugin.
   *
   * @throws {TypeError} The options do not match the schema; the message names each fault.
   */
  (...options: OptionArguments<Options>): Plugin;
  /** The name that every plugin of this factory has. */
  readonly pluginName: string;
  /** The schema of the options, for tools that describe them. */
  readonly optionsSchema: OptionsSchema<unknown, unknown>;
}

/** The argument of {@link definePlugin}. */
export interface PluginDefinition<Input, Output> {
  /** Name, for logs and error messages. */
  name: string;
  /** Schema of the options: of zod, or any other Standard Schema that checks synchronously. */
  options: OptionsSchema<Input, Output>;
  /** Makes the plugin from checked options. A function is the plugin's `handle`. */
  setup(options: Output): Handler | Omit<Plugin, "name">;
}

/**
 * Defines a plugin: returns a factory that checks options.
 *
 * @throws {TypeError} `name`, `options` or `setup` is missing. The factory throws one too if
 * `setup` returns neither a handler nor a plugin.
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
  requireDefinition(definition);
  const { name, options: schema, setup } = definition;
  const create = (options?: unknown): Plugin => {
    const made = setup(checkOptions(name, schema, options));
    requireMade(name, made);
    return typeof made === "function" ? { name, handle: made } : { ...made, name };
  };
  return Object.assign(create, { pluginName: name, optionsSchema: schema });
}

/** For callers without a type checker. */
function requireDefinition(definition: unknown): void {
  const { name, options, setup } = (definition ?? {}) as Readonly<Record<string, unknown>>;
  if (typeof name !== "string" || name === "") {
    throw new TypeError('definePlugin: a plugin needs a name, such as name: "greet"');
  }
  const fault = (what: string) => new TypeError(`definePlugin: plugin ${name} needs ${what}`);
  const { validate } = Object(Object(options)["~standard"]) as { validate?: unknown };
  if (typeof validate !== "function") {
    throw fault("options: a Standard Schema such as z.strictObject({})");
  }
  if (typeof setup !== "function") {
    throw fault("setup: a function such as setup: (options) => async (c) => {}");
  }
}

function requireMade(name: string, made: unknown): void {
  const expected = "return a handler, or an object with handle, onSyn or flow";
  try {
    requireHandler(made);
  } catch (error) {
    throw new TypeError(`${name}: setup: ${messageOf(error)}; ${expected}`);
  }
  if (typeof made === "function" || made.handle || made.onSyn || made.flow) return;
  throw new TypeError(`${name}: setup returned neither a handler nor a plugin; ${expected}`);
}

/** The handlers of one listen address, composed. */
export interface Chain {
  /** Runs the handlers in order. */
  readonly handle: Handler;
  /** Present if a plugin of the chain has `onSyn`; replaces `handle`. */
  readonly onSyn?: (syn: Syn, c: SynContext) => Promise<Handler | "refuse" | "ignore">;
  /** How its connections move. */
  readonly moves: ChainMoves;
}

/**
 * Composes the handlers of one listen address: they run in order, and each runs the following ones by calling
 * `next()`. If it does not, the chain ends there; after the last handler, `next()` does nothing. `next(socket)`
 * runs the following ones on another socket.
 *
 * `onSyn` of the plugins is called in order, until one refuses or ignores the SYN, or the peer
 * gives up. A handler that it returns runs instead of the plugin's `handle`; a plugin without
 * either is skipped.
 *
 * @throws {TypeError} There is no handler, or a plugin has neither `handle` nor `onSyn`.
 */
export function compose(handlers: readonly (Handler | Plugin)[]): Chain {
  if (handlers.length === 0) throw new TypeError("A chain needs at least one handler or plugin");
  const inOrder = handlers.map(handlerOf);
  const handle = runInOrder(inOrder);
  const deciders = handlers.flatMap((each, place) =>
    typeof each !== "function" && each.onSyn !== undefined ? [{ plugin: each, place }] : []
  );
  const moves = movesOf(handlers);
  if (deciders.length === 0) return { handle, moves };
  return {
    handle,
    moves,
    async onSyn(syn, c) {
      let decided: Handler[] | undefined;
      for (const { plugin, place } of deciders) {
        const decision = await plugin.onSyn!(syn, c);
        if (decision === "refuse" || decision === "ignore") return decision;
        if (cancellationOf(syn).aborted) return "ignore";
        if (decision === undefined) continue;
        if (typeof decision !== "function") throw new TypeError(wrongDecision(plugin, decision));
        decided ??= [...inOrder];
        decided[place] = decision;
      }
      return decided === undefined ? handle : runInOrder(decided);
    },
  };
}

/** Marks a function as a plugin factory, as {@link definePlugin} does. */
export function markFactory(
  factory: object,
  pluginName: string,
  optionsSchema: OptionsSchema<unknown, unknown>,
): void {
  Object.defineProperties(factory, {
    pluginName: { value: pluginName },
    optionsSchema: { value: optionsSchema },
  });
}

/**
 * Checks that a value is a handler or a plugin, and not a factory, a promise or an app.
 *
 * @throws {TypeError} The message says what to write instead.
 */
export function requireHandler(each: unknown): asserts each is Handler | Plugin {
  if (typeof each === "function") {
    if (!("pluginName" in each)) return;
    const { pluginName } = each;
    throw new TypeError(`${pluginName} is a factory of plugins: call it, as in ${pluginName}()`);
  }
  const found = each as { then?: unknown; fetch?: unknown; handle?: unknown } | null;
  if (typeof found !== "object" || found === null) {
    throw new TypeError(`Expected a handler or a plugin, got ${String(each)}`);
  }
  if (typeof found.then === "function") {
    throw new TypeError("Expected a handler or a plugin, got a promise: await it first");
  }
  if (typeof found.fetch === "function" && found.handle === undefined) {
    throw new TypeError("Expected a handler or a plugin, got an app: write http(app)");
  }
  for (const name of ["handle", "onSyn", "flow", "dispose"] as const) {
    const its = (each as Readonly<Record<string, unknown>>)[name];
    if (its === undefined || typeof its === "function") continue;
    throw new TypeError(`Expected a handler or a plugin, got one whose ${name} is not a function`);
  }
}

function handlerOf(each: Handler | Plugin): Handler {
  requireHandler(each);
  if (typeof each === "function") return each;
  if (each.handle) return each.handle;
  if (each.onSyn) return callNext;
  const instead = each.flow === undefined
    ? ""
    : ": it serves datagrams, on a listen address such as udp/53";
  throw new TypeError(`Plugin ${each.name} has neither handle nor onSyn${instead}`);
}

function callNext(_c: Context, next: Next): Promise<void> {
  return next();
}

function wrongDecision({ name }: Plugin, decision: unknown): string {
  return `onSyn of ${name} decided ${JSON.stringify(decision)}: return a handler, "refuse", ` +
    '"ignore" or nothing';
}
