/**
 * How the plugins of a chain take part in a move: each returns its state, and continues from it in the other stack.
 *
 * @module
 */
import { TcpError } from "../errors.ts";
import { runInOrder } from "../runtime/run_chain.ts";
import type { Context, Handler, Plugin } from "../types.ts";
import { type ChainState, MAX_ATTACHMENTS, type PluginState } from "./connection_record.ts";
import type { Attachment } from "./types.ts";

/** How a chain takes part in moves. */
export interface ChainMoves {
  /** The names of the handlers that do not take part; if there are any, no connection moves. */
  readonly others: readonly string[];
  /**
   * The state that the plugins keep, or the name of a plugin that cannot give up the connection now.
   *
   * @throws Whatever a plugin's `freeze` throws.
   */
  freeze(c: Context): ChainState | string;
  /** The handler that continues from the states; `undefined` if they are not those of a chain with the same plugins. */
  thaw(state: ChainState): Handler | undefined;
}

/** A plugin that takes part in moves. */
type MovingPlugin = Plugin & Required<Pick<Plugin, "freeze" | "thaw">>;

/**
 * How the chain of `handlers` takes part in moves.
 *
 * @throws {TypeError} A `stateVersion` is not a version.
 */
export function movesOf(handlers: readonly (Handler | Plugin)[]): ChainMoves {
  const plugins = handlers.filter(takesPart);
  const versions = plugins.map(versionOf);
  const others = handlers.filter((each) => !takesPart(each)).map(({ name }) => name || "handler");
  return {
    others,
    freeze(c) {
      const states: PluginState[] = [];
      const all: Attachment[] = [];
      for (const [i, plugin] of plugins.entries()) {
        const attachments: Attachment[] = [];
        const state = plugin.freeze(c, (attachment) => attachments.push(attachment));
        const { name } = plugin;
        if (state === undefined) return name;
        if (attachments.length > MAX_ATTACHMENTS) {
          throw new Error(`more than ${MAX_ATTACHMENTS} attachments`);
        }
        states.push({ name, version: versions[i]!, state, attachments: attachments.length });
        all.push(...attachments);
      }
      return { plugins: states, attachments: all };
    },
    thaw({ plugins: states, attachments }) {
      if (others.length > 0 || states.length !== plugins.length) return undefined;
      const isSame = plugins.every((plugin, i) =>
        states[i]!.name === plugin.name && states[i]!.version === versions[i]
      );
      if (!isSame) return undefined;
      let from = 0;
      const handlers = plugins.map(({ thaw }, i): Handler => {
        const { state, attachments: count } = states[i]!;
        const own = attachments.slice(from, from += count);
        return (c, next) => thaw(c, state, next, own);
      });
      return releasing(runInOrder(handlers), attachments);
    },
  };
}

/** Releases the attachments if the handler fails: it may not have used them yet, and they would stay open. */
function releasing(handler: Handler, attachments: readonly Attachment[]): Handler {
  if (attachments.length === 0) return handler;
  return async (c, next) => {
    try {
      await handler(c, next);
    } catch (error) {
      const isMoved = error instanceof TcpError && error.code === "CONNECTION_MOVED";
      if (!isMoved) { for (const attachment of attachments) attachment.release(); }
      throw error;
    }
  };
}

function versionOf({ name, stateVersion = 0 }: Plugin): number {
  if (Number.isSafeInteger(stateVersion) && stateVersion >= 0) return stateVersion;
  throw new TypeError(
    `${name}: stateVersion: ${stateVersion} is not a version; use a whole number, 0 or more`,
  );
}

function takesPart(each: Handler | Plugin): each is MovingPlugin {
  return typeof each !== "function" && each.freeze !== undefined && each.thaw !== undefined;
}
