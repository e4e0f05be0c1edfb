/**
 * Connections through the host's kernel, for plugins and programs.
 *
 * @module
 */
import { z } from "zod";
import { systemClock } from "../../core/api/environment.ts";
import { formatHostPort, type HostPort, parseHostPort } from "../../core/api/host_port.ts";
import type { CancelSignal } from "../../core/api/runtime/cancellation.ts";
import { milliseconds } from "../../core/api/numbers.ts";
import { checkOptions } from "../../core/api/options.ts";
import { dialWithTimeout, keepAliveSchema, parseDialTarget } from "../../plugins/shared/dial.ts";
import type { DatagramChannel, DialTarget } from "../../plugins/shared/host_network.ts";
import { dialHostDatagrams } from "./datagrams.ts";
import { dialHost } from "./dial.ts";
import type { HostSocket } from "./host_socket.ts";
import { dialNative } from "./native/dial.ts";
import { nativeSockets } from "./native/sockets.ts";

/** Options of {@link connectHost}. */
export interface ConnectHostOptions {
  /** Cancels the attempt. To end an open connection, use its `abort()`. */
  signal?: AbortSignal | undefined;
  /** Timeout of the attempt, the name lookup included, in milliseconds. Default 10,000. */
  timeoutMs?: number | undefined;
  /**
   * Idle time before the first keep-alive probe, in milliseconds (RFC 9293 3.8.4): 1000 or more, or
   * 0 for no probes. Default two hours.
   */
  keepAliveMs?: number | undefined;
}

const optionsSchema = z.strictObject({
  signal: z.custom<AbortSignal>((value) => value instanceof AbortSignal, "expected an AbortSignal")
    .optional(),
  timeoutMs: milliseconds().default(10_000),
  keepAliveMs: keepAliveSchema,
});

/**
 * Connects to a TCP port or a Unix socket through the host's kernel, on Deno and on Bun alike. Names
 * are resolved by the host.
 *
 * `target` is `"10.0.0.9:5432"`, `"[fd00::9]:5432"`, `"name:5432"`, `"unix:/run/app.sock"`, or an
 * object with `hostname` and `port`, or with `path`: what the option `to` of `forward` takes.
 *
 * @throws {TypeError} `target` or an option is invalid.
 * @throws {TcpError} `CONNECTION_REFUSED`, `TIMED_OUT`, `UNREACHABLE` or `INVALID_ADDRESS`; with an
 * aborted `signal`, its reason.
 *
 * @example
 * ```ts
 * import { createStack, relay } from "@berth/berth";
 * import { connectHost } from "@berth/berth/host";
 * import { linkPair } from "@berth/berth/links";
 *
 * const [link] = linkPair();
 * await using stack = createStack({ link, addresses: ["10.0.0.1/24"] });
 * stack.use(5432, async ({ socket, signal }) => {
 *   const database = await connectHost("unix:/run/postgresql/.s.PGSQL.5432", { signal });
 *   await relay(socket, database);
 * });
 * ```
 */
export async function connectHost(
  target: string | DialTarget,
  options: ConnectHostOptions = {},
): Promise<HostSocket> {
  const parsed = dialTarget("connectHost", target);
  const { signal, timeoutMs, keepAliveMs } = checkOptions("connectHost", optionsSchema, options);
  return await dialWithTimeout(dialKernel, parsed, {
    clock: systemClock,
    timeoutMs,
    keepAliveMs,
    signal: signal ?? new AbortController().signal,
  });
}

/**
 * Opens a UDP socket of the host for one remote address; datagrams from other addresses are dropped. Close it when it
 * is no longer needed.
 *
 * @throws {TypeError} `target` is not an address.
 * @throws {TcpError} `INVALID_ADDRESS`: there is no such address or name.
 *
 * @example
 * ```ts
 * import { connectHostUdp } from "@berth/berth/host";
 *
 * const channel = await connectHostUdp("127.0.0.1:9");
 * await channel.send(new TextEncoder().encode("ahoy"));
 * channel.close();
 * ```
 */
export async function connectHostUdp(
  target: string | HostPort,
  options: Pick<ConnectHostOptions, "signal"> = {},
): Promise<DatagramChannel> {
  const parsed = dialTarget("connectHostUdp", target);
  if ("path" in parsed) {
    throw new TypeError(`connectHostUdp: ${parsed.path} is a Unix socket; write "10.0.0.9:53"`);
  }
  const { signal } = checkOptions("connectHostUdp", optionsSchema.pick({ signal: true }), options);
  return await dialHostDatagrams(parsed, signal);
}

/** {@link connectHost} without checks: through foreign functions if possible, else with `node:net`. */
export function dialKernel(
  target: DialTarget,
  signal?: CancelSignal,
  options?: { readonly keepAliveMs?: number | undefined },
): Promise<HostSocket> {
  const sockets = nativeSockets();
  return sockets === undefined
    ? dialHost(target, signal, options)
    : dialNative(sockets, target, signal, options);
}

function dialTarget(caller: string, target: unknown): DialTarget {
  const text = typeof target === "string" ? target : textOf(target);
  const parsed = text === undefined ? undefined : parseDialTarget(text);
  if (parsed !== undefined) return parsed;
  const given = typeof target === "object" ? JSON.stringify(target) : `"${String(target)}"`;
  throw new TypeError(
    `${caller}: ${given} is not an address; write "10.0.0.9:80", "[fd00::9]:80", "name:80" or ` +
      '"unix:/run/app.sock"',
  );
}

function textOf(target: unknown): string | undefined {
  const { hostname, port, path } = Object(target) as Partial<Record<string, unknown>>;
  if (typeof path === "string") return `unix:${path}`;
  if (typeof hostname !== "string" || !Number.isInteger(port)) return undefined;
  const text = formatHostPort({ hostname, port: port as number });
  return parseHostPort(text) && text;
}
