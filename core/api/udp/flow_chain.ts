/**
 * Composes the flow handlers of several plugins on one binding.
 *
 * @module
 */
import { requireHandler } from "../plugin.ts";
import type { Handler, Plugin } from "../types.ts";
import type { FlowContext, FlowHandler } from "./datagram.ts";

/**
 * Composes the `flow` handlers of a binding into one: they run in order, and each runs the
 * following ones by calling `next()`.
 *
 * @throws {TypeError} There is no handler, or a handler cannot take flows.
 */
export function composeFlows(handlers: readonly (Handler | Plugin)[]): FlowHandler {
  if (handlers.length === 0) throw new TypeError("A chain needs at least one handler or plugin");
  const flows = handlers.map(flowOf);
  return (c, next) => step(flows, 0, c, next);
}

function flowOf(each: Handler | Plugin): FlowHandler {
  requireHandler(each);
  if (typeof each === "function") {
    const name = each.name === "" ? "A function" : `The function ${each.name}`;
    throw new TypeError(
      `${name} takes connections, not datagrams; on udp/ write { name, flow: (c) => ... }`,
    );
  }
  if (each.flow !== undefined) return each.flow;
  throw new TypeError(`Plugin ${each.name} has no flow: it cannot serve a udp/ listen address`);
}

/** Runs handler `index`, whose `next()` runs the following ones. */
async function step(
  handlers: readonly FlowHandler[],
  index: number,
  c: FlowContext,
  last: () => Promise<void>,
): Promise<void> {
  const handler = handlers[index];
  if (handler === undefined) return await last();
  let called = false;
  await handler(c, () => {
    if (called) return Promise.reject(new Error("next() was called more than once"));
    called = true;
    return step(handlers, index + 1, c, last);
  });
}
