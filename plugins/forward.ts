/**
 * Forwards a port to another TCP address.
 *
 * @module
 */
import { z } from "zod";
import { TcpError } from "../core/api/errors.ts";
import type { Context, Handler, Syn, SynContext } from "../core/api/types.ts";
import { formatHostPort, type HostPort, parseHostPort } from "../core/api/host_port.ts";
import { definePlugin, type PluginFactory } from "../core/api/plugin.ts";
import { type Duplex, relay } from "../core/api/relay.ts";

/** What `forward` can be told. */
export interface ForwardOptions {
  /** Where to: `"127.0.0.1:3000"`, `"[::1]:3000"` or `"name:3000"`, as the host resolves it. */
  to: string;
  /** How long an attempt to connect may take, in milliseconds. Default 10 000. */
  connectTimeoutMs?: number | undefined;
}

/** Connects to `address`; gives up when `signal` is aborted. */
export type Dial = (address: HostPort, signal: AbortSignal) => Promise<Duplex>;

const optionsSchema = z.strictObject({
  to: z.string().transform((text, c) => {
    const address = parseHostPort(text);
    if (address && address.port > 0) return address;
    c.addIssue(`expected HOST:PORT such as 127.0.0.1:3000, got ${JSON.stringify(text)}`);
    return z.NEVER;
  }),
  connectTimeoutMs: z.number().positive().default(10_000),
});

/**
 * Makes the `forward` plugin of a way to connect. A target is connected to before the SYN is
 * answered: one that refuses is a refused connection. After that bytes are relayed both ways, a
 * half-close of either side and a reset too.
 */
export function forwardThrough(dial: Dial): PluginFactory<ForwardOptions> {
  return definePlugin({
    name: "forward",
    options: optionsSchema,
    setup: ({ to, connectTimeoutMs }) => ({
      async onSyn(syn: Syn, { clock }: SynContext): Promise<Handler> {
        const timeout = new AbortController();
        const cancel = clock.schedule(clock.now() + connectTimeoutMs, () => {
          const message = `${formatHostPort(to)} did not answer within ${connectTimeoutMs} ms`;
          timeout.abort(new TcpError("TIMED_OUT", message));
        });
        try {
          const signal = AbortSignal.any([syn.signal, timeout.signal]);
          return forwardTo(await dial(to, signal), syn.signal);
        } finally {
          cancel();
        }
      },
    }),
  });
}

/** The handler of the connection whose other half is `upstream`. */
function forwardTo(upstream: Duplex, gaveUp: AbortSignal): Handler {
  const abandon = () => upstream.abort(gaveUp.reason);
  gaveUp.addEventListener("abort", abandon);
  if (gaveUp.aborted) abandon();
  return async ({ socket, log }: Context) => {
    gaveUp.removeEventListener("abort", abandon);
    try {
      await relay(socket, upstream);
    } catch (error) {
      log.debug("forwarded connection broke", { reason: (error as Error).message });
    }
  };
}
