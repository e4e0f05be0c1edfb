/**
 * Changes the plugins at the listen addresses of a service while it serves.
 *
 * @module
 */
import type { Logger } from "../../../core/api/environment.ts";
import type {
  EndOptions,
  Plugin,
  PluginBinding,
  RetiredHandlers,
  Stack,
} from "../../../core/api/types.ts";
import { logConnection, logFlow } from "../../../plugins/shared/connection_log.ts";
import { connectionSpans } from "../../telemetry/connection_spans.ts";
import { registeredTracer } from "../../telemetry/tracer.ts";
import { limitLines } from "../log/flow_log.ts";
import type { Difference } from "../reload/changes.ts";
import type { LoadedChain, LoadedPlugin } from "./plugin_loader.ts";
import type { LoadedPlugins } from "./plugins.ts";

/** The plugins in use at a listen address. */
interface BoundChain {
  readonly chain: LoadedChain;
  readonly binding: PluginBinding;
}

/** What {@link BoundPlugins.change} has changed. */
export interface ChangedPlugins {
  readonly changed: readonly string[];
  readonly replaced: readonly RetiredHandlers[];
  readonly running: number;
}

/** Makes a span for each connection. Flows have no spans. */
const SPANS = connectionSpans();
const CONNECTION_SPANS: Plugin = {
  ...SPANS,
  freeze: () => null,
  thaw: (c, _state, next) => SPANS.handle!(c, next),
  flow: (_c, next) => next(),
};

/** The plugins of each listen address, on a stack. */
export class BoundPlugins {
  readonly #stack: Pick<Stack, "use">;
  readonly #log: Logger;
  readonly #flowLog: Logger;
  readonly #bound = new Map<string, BoundChain>();

  constructor(stack: Pick<Stack, "use">, log: Logger) {
    this.#stack = stack;
    this.#log = log;
    this.#flowLog = limitLines(log);
  }

  /** The plugins in use. */
  get loaded(): LoadedPlugins {
    return [...this.#bound].map(([where, { chain }]) => [where, chain]);
  }

  /**
   * Uses plugins at further listen addresses. Adds the plugins that the stack now disposes to `used`.
   *
   * @throws {Error} A listen address cannot be bound; all of them are unbound again.
   */
  add(plugins: LoadedPlugins, used: LoadedPlugin[] = []): void {
    const added: string[] = [];
    try {
      for (const [where, chain] of plugins) {
        const binding = this.#stack.use(where, ...this.#outermost(chain.name), ...chain.handlers);
        this.#bound.set(where, { chain, binding });
        added.push(where);
        used.push(...chain.plugins);
      }
    } catch (error) {
      for (const where of added) void this.#unbind(where).remove();
      throw error;
    }
  }

  /**
   * Replaces the plugins that differ, and removes those of `removed`. `limit` is called for each listen
   * address that is changed or removed: it gets a function that ends its earlier connections, and a promise that
   * resolves when they have ended by themselves.
   *
   * @returns The listen addresses with other plugins, what they had before, and the number of connections
   * that continue with the old plugins.
   */
  change(
    plugins: LoadedPlugins,
    { removed }: Difference,
    limit: (end: (options: EndOptions) => Promise<void>, finished: Promise<void>) => void,
  ): ChangedPlugins {
    let running = 0;
    const replaced: RetiredHandlers[] = [];
    const changed: string[] = [];
    for (const [where, chain] of plugins) {
      const { binding, chain: old } = this.#bound.get(where)!;
      if (isSame(old, chain)) continue;
      changed.push(where);
      const retired = binding.replace(...this.#outermost(chain.name), ...chain.handlers);
      replaced.push(retired);
      running += retired.running;
      this.#bound.set(where, { binding, chain });
      limit((options) => retired.end(options), retired.finished);
    }
    for (const where of removed) {
      const binding = this.#unbind(where);
      running += binding.running;
      limit((options) => binding.remove(options), binding.remove({ graceMs: Infinity }));
    }
    return { changed, replaced, running };
  }

  /** Stops accepting connections; open ones continue until they end. */
  stopAccepting(): void {
    for (const { binding } of this.#bound.values()) void binding.remove({ graceMs: Infinity });
  }

  #unbind(where: string): PluginBinding {
    const { binding } = this.#bound.get(where)!;
    this.#bound.delete(where);
    return binding;
  }

  /** Middleware in front of a port's plugins. */
  #outermost(name: string): [Plugin, ...Plugin[]] {
    const log = this.#connectionLog(name);
    return registeredTracer() === undefined ? [log] : [log, CONNECTION_SPANS];
  }

  /** Logs a line for each connection and flow that has ended. */
  #connectionLog(plugin: string): Plugin {
    return {
      // Without a name, so that other log lines name only the port's plugin.
      name: "",
      handle: (c, next) => logConnection(c, next, this.#log, "info", { plugin }),
      freeze: () => null,
      thaw: (c, _state, next) => logConnection(c, next, this.#log, "info", { plugin }),
      flow: (c, next) => logFlow(c, next, this.#flowLog, "info", { plugin }),
    };
  }
}

function isSame(one: LoadedChain, other: LoadedChain): boolean {
  return one.plugins.length === other.plugins.length &&
    one.plugins.every((plugin, index) => plugin === other.plugins[index]);
}
