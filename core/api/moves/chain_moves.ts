/**
 * How the plugins of a chain take part in a move: each returns its state, and continues from it in the other stack.
 *
 * @module
 */
import { runInOrder } from "../runtime/run_chain.ts";
import type { Context, Handler, Plugin } from "../types.ts";
import type { PluginState } from "./connection_record.ts";

/** A chain whose plugins all take part. */
export interface ChainMoves {
  /** The plugins' states; `undefined`: one of them cannot give up the connection now. */
  freeze(c: Context): PluginState[] | undefined;
  /** The handler that continues from the states; `undefined` if they are not those of a chain with the same plugins. */
  thaw(states: readonly PluginState[]): Handler | undefined;
}

/** A plugin that takes part. */
type MovingPlugin = Plugin & Required<Pick<Plugin, "freeze" | "thaw">>;

/** How the chain takes part; `undefined` if one of its handlers does not. */
export function movesOf(handlers: readonly (Handler | Plugin)[]): ChainMoves | undefined {
  const plugins = handlers.filter(takesPart);
  if (plugins.length < handlers.length) return undefined;
  return {
    freeze(c) {
      const states: PluginState[] = [];
      for (const plugin of plugins) {
        const state = plugin.freeze(c);
        if (state === undefined) return undefined;
        states.push({ name: plugin.name, state });
      }
      return states;
    },
    thaw(states) {
      const isSame = states.length === plugins.length &&
        plugins.every(({ name }, i) => states[i]!.name === name);
      if (!isSame) return undefined;
      return runInOrder(plugins.map(({ thaw }, i) => (c, next) => thaw(c, states[i]!.state, next)));
    },
  };
}

function takesPart(each: Handler | Plugin): each is MovingPlugin {
  return typeof each !== "function" && each.freeze !== undefined && each.thaw !== undefined;
}
