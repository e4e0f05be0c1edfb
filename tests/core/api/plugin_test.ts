import { describe, expect, test } from "bun:test";
import type { StandardSchemaV1 } from "@standard-schema/spec";
import { z } from "zod";
import { silentLogger, systemClock } from "../../../core/api/environment.ts";
import { compose, definePlugin } from "../../../core/api/plugin.ts";
import type { Context, Handler, Plugin, Syn, SynContext } from "../../../core/api/types.ts";

const context = {} as Context;
const syn = { signal: new AbortController().signal } as Syn;
const synContext: SynContext = {
  stack: {} as Context["stack"],
  log: silentLogger,
  clock: systemClock,
};
const nothing = () => Promise.resolve();

const greet = definePlugin({
  name: "greet",
  options: z.strictObject({ times: z.int().positive().default(1), text: z.string() }),
  setup: ({ times, text }) => ({ handle: ({ set }) => set("said", text.repeat(times)) }),
});
const wait = definePlugin({
  name: "wait",
  options: z.strictObject({ ms: z.number().optional() }),
  setup: () => (_c, next) => next(),
});

describe("definePlugin", () => {
  // The factory validates options and applies the defaults of the schema.
  test("creates a plugin from validated options", () => {
    const said = new Map<unknown, unknown>();
    const plugin = greet({ text: "ho" });
    plugin.handle?.({ ...context, set: (key, value) => said.set(key, value) }, nothing);
    expect(plugin.name).toBe("greet");
    expect(said.get("said")).toBe("ho");
    expect(greet.pluginName).toBe("greet");
  });

  // No option is required, so the options can be omitted.
  test("accepts a function as the plugin's handle", () => {
    expect(typeof wait().handle).toBe("function");
  });

  // One message names every invalid option.
  test("throws a TypeError that names every wrong option", () => {
    // @ts-expect-error -- times is a number, and there is no option loud
    const wrong = () => greet({ text: "ho", times: "3", loud: true });
    expect(wrong).toThrow(TypeError);
    expect(wrong).toThrow(
      /^greet: options\.times: expected a number, got "3"; options\.loud: unknown key/,
    );
  });

  // The types of a hand-written schema are inferred as those of zod are.
  test("takes any Standard Schema", () => {
    const text: StandardSchemaV1<{ text: string }, string> = {
      "~standard": {
        version: 1,
        vendor: "by-hand",
        validate: (value) => {
          const { text } = value as { text?: string };
          return text === undefined ? { issues: [{ message: "no text" }] } : { value: text };
        },
      },
    };
    const said: string[] = [];
    const say = definePlugin({
      name: "say",
      options: text,
      setup: (options) => () => void said.push(options.toUpperCase()),
    });
    say({ text: "ho" }).handle?.(context, nothing);
    expect(said).toEqual(["HO"]);
    // @ts-expect-error -- text is required
    const withoutText = () => say();
    expect(withoutText).toThrow("say: options: no text");
  });

  // For code that is not type-checked, one message says what is missing.
  test.each([
    ["nothing", undefined, 'definePlugin: a plugin needs a name, such as name: "greet"'],
    ["no name", { options: z.strictObject({}), setup: () => nothing }, "a plugin needs a name"],
    [
      "no options",
      { name: "a", setup: () => nothing },
      "definePlugin: plugin a needs options: a Standard Schema such as z.strictObject({})",
    ],
    ["options without a schema", { name: "a", options: {}, setup: () => nothing }, "needs options"],
    ["no setup", { name: "a", options: z.strictObject({}) }, "plugin a needs setup: a function"],
  ])(
    "throws a TypeError for a definition with %s",
    (_what: string, definition: unknown, message: string) => {
      const define = () => definePlugin(definition as Parameters<typeof definePlugin>[0]);
      expect(define).toThrow(TypeError);
      expect(define).toThrow(message);
    },
  );

  // The result of setup is validated when the plugin is created, not at the first connection.
  test.each([
    [undefined, "a: setup: Expected a handler or a plugin, got undefined; return a handler, or an"],
    [{}, "a: setup returned neither a handler nor a plugin; return a handler, or an object with"],
    [Promise.resolve(nothing), "a: setup: Expected a handler or a plugin, got a promise"],
  ])("throws a TypeError where setup returns %p", (made, message) => {
    const setup = () => made as unknown as Handler;
    const make = definePlugin({ name: "a", options: z.strictObject({}), setup });
    expect(() => make()).toThrow(TypeError);
    expect(() => make()).toThrow(message);
  });

  // The missing argument is a compile error, and an error at run time for code that is not type-checked.
  test("requires the options argument if an option is required", () => {
    // @ts-expect-error -- text is required
    expect(() => greet()).toThrow(/^greet: options\.text: /);
    // @ts-expect-error -- ms is a number
    expect(() => wait({ ms: "1" })).toThrow(/^wait: options\.ms: /);
  });
});

/** A handler that records when it starts and ends. */
function traced(trace: string[], name: string): Handler {
  return async (_c, next) => {
    trace.push(`${name} in`);
    await next();
    trace.push(`${name} out`);
  };
}

describe("compose", () => {
  // Each handler wraps those after it.
  test("runs handlers in order, each around the next", async () => {
    const trace: string[] = [];
    const plugin: Plugin = { name: "b", handle: traced(trace, "b") };
    await compose([traced(trace, "a"), plugin, traced(trace, "c")]).handle(context, nothing);
    expect(trace).toEqual(["a in", "b in", "c in", "c out", "b out", "a out"]);
  });

  // b does not call next(): c never runs.
  test("ends the chain if next() is not called", async () => {
    const trace: string[] = [];
    await compose([traced(trace, "a"), () => void trace.push("b"), traced(trace, "c")])
      .handle(context, nothing);
    expect(trace).toEqual(["a in", "b", "a out"]);
  });

  // The rest of a chain runs at most once per connection.
  test("rejects a second next()", async () => {
    const chain = compose([async (_c, next) => {
      await next();
      await next();
    }, nothing]);
    await expect(chain.handle(context, nothing)).rejects.toThrow("more than once");
  });

  // An error of the inner handler propagates to the outer one, which may catch it.
  test("propagates errors to the outer handler", async () => {
    const trace: string[] = [];
    const chain = compose([async (_c, next) => {
      await next().catch((error: Error) => trace.push(error.message));
    }, () => {
      throw new Error("inner");
    }]);
    await chain.handle(context, nothing);
    expect(trace).toEqual(["inner"]);
  });

  // A single handler is called directly, without the cost of a chain.
  test("returns a single handler unchanged", () => {
    const handler: Handler = () => {};
    expect(compose([handler]).handle).toBe(handler);
  });

  // An error before the first await is treated the same.
  test("rejects next() with the error of a synchronous handler", async () => {
    const chain = compose([(_c, next) => next(), () => {
      throw new Error("at once");
    }]);
    await expect(chain.handle(context, nothing)).rejects.toThrow("at once");
  });

  // Once the connection is established, the outer handler wraps the one that onSyn returned.
  test("runs the handler of onSyn instead of its plugin", async () => {
    const trace: string[] = [];
    const decider: Plugin = { name: "decider", onSyn: () => traced(trace, "decided") };
    const chain = compose([traced(trace, "a"), decider, traced(trace, "c")]);
    const handler = await chain.onSyn!(syn, synContext);
    expect(trace).toEqual([]);
    await (handler as Handler)(context, nothing);
    expect(trace).toEqual(["a in", "decided in", "c in", "c out", "decided out", "a out"]);
  });

  // The stack answers an error of onSyn with RST.
  test("propagates errors of onSyn", async () => {
    const refusing: Plugin = { name: "refusing", onSyn: () => Promise.reject(new Error("no")) };
    await expect(compose([refusing]).onSyn!(syn, synContext)).rejects.toThrow("no");
  });

  // Each onSyn is called in order; their handlers run in their plugins' places.
  test("calls the onSyn of every plugin", async () => {
    const trace: string[] = [];
    const decider = (name: string, decision?: Handler): Plugin => ({
      name,
      onSyn: () => {
        trace.push(`asked ${name}`);
        return decision;
      },
      handle: traced(trace, name),
    });
    const chain = compose([
      decider("a", traced(trace, "A")),
      decider("b"),
      traced(trace, "c"),
      decider("d", traced(trace, "D")),
    ]);
    const handler = await chain.onSyn!(syn, synContext);
    expect(trace.splice(0)).toEqual(["asked a", "asked b", "asked d"]);
    await (handler as Handler)(context, nothing);
    expect(trace).toEqual(["A in", "b in", "c in", "D in", "D out", "c out", "b out", "A out"]);
    // The decision for one connection does not affect the next.
    trace.splice(0);
    await chain.handle(context, nothing);
    expect(trace.slice(0, 4)).toEqual(["a in", "b in", "c in", "d in"]);
  });

  // The first refusal is final.
  test.each(["refuse", "ignore"] as const)("calls no further onSyn after %s", async (verdict) => {
    const asked: string[] = [];
    const decider = (name: string, decision: "refuse" | "ignore" | undefined): Plugin => ({
      name,
      onSyn: () => {
        asked.push(name);
        return Promise.resolve(decision);
      },
    });
    const chain = compose([decider("a", undefined), decider("b", verdict), decider("c", "refuse")]);
    expect(await chain.onSyn!(syn, synContext)).toBe(verdict);
    expect(asked).toEqual(["a", "b"]);
  });

  // There is no connection left to decide about.
  test("calls no further onSyn after the peer has given up", async () => {
    const gone = new AbortController();
    const asked: string[] = [];
    const decider = (name: string): Plugin => ({
      name,
      onSyn: () => {
        asked.push(name);
        gone.abort();
      },
    });
    const attempt = { ...syn, signal: gone.signal };
    expect(await compose([decider("a"), decider("b")]).onSyn!(attempt, synContext)).toBe("ignore");
    expect(asked).toEqual(["a"]);
  });

  // The plugin accepts and has no handler, so the others serve the connection.
  test("skips a plugin that only decides", async () => {
    const trace: string[] = [];
    const chain = compose([{ name: "gate", onSyn: () => {} }, traced(trace, "a")]);
    const handler = await chain.onSyn!(syn, synContext);
    await (handler as Handler)(context, nothing);
    expect(trace).toEqual(["a in", "a out"]);
  });

  // A plugin that is not type-checked may return anything.
  test("rejects an invalid decision", async () => {
    const plugin = { name: "odd", onSyn: () => true } as unknown as Plugin;
    await expect(compose([plugin]).onSyn!(syn, synContext))
      .rejects.toThrow(/onSyn of odd decided true: return a handler, "refuse"/);
  });

  test("refuses a plugin that does nothing, and an empty chain", () => {
    expect(() => compose([{ name: "idle" }])).toThrow(/idle has neither handle nor onSyn/);
    expect(() => compose([])).toThrow(TypeError);
  });
});
