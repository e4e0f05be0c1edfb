/**
 * Connections that a plugin opens outside of the stack, through a function that its adapter hands
 * in.
 *
 * @module
 */
import type { z } from "zod";
import type { Clock } from "../../core/api/environment.ts";
import { TcpError } from "../../core/api/errors.ts";
import { formatHostPort, type HostPort, parseHostPort } from "../../core/api/host_port.ts";
import { milliseconds } from "../../core/api/numbers.ts";
import type { DatagramFlow } from "../../core/api/udp/datagram.ts";
import type { Duplex } from "./relay.ts";

/** A Unix socket. */
export interface UnixAddress {
  /** Its place in the file system. */
  path: string;
}

/** What can be connected to. */
export type DialTarget = HostPort | UnixAddress;

/** What a connection is made with. */
export interface DialOptions {
  /**
   * Milliseconds without a word from the target after which it is asked whether it is still there
   * (RFC 9293 3.8.4); 0: never. Default two hours.
   */
  readonly keepAliveMs?: number | undefined;
}

/**
 * Connects to a target; gives up when `signal` is aborted.
 *
 * @throws {TcpError} The connection was refused or cannot be made, or `signal` was aborted.
 */
export type Dial<Target = DialTarget> = (
  target: Target,
  signal: AbortSignal,
  options?: DialOptions,
) => Promise<Duplex>;

/** Two hours, the least that may be a default (RFC 9293 3.8.4). */
export const DEFAULT_KEEP_ALIVE_MS = 7_200_000;
/** What Linux takes for TCP_KEEPIDLE: seconds, from 1 to 32,767. */
export const MAX_KEEP_ALIVE_MS = 32_767_000;

/** The nearest time that Linux takes. */
export function possibleKeepAlive(ms: number): number {
  return ms === 0 ? 0 : Math.min(Math.max(ms, 1000), MAX_KEEP_ALIVE_MS);
}

/** The schema's part of {@link DialOptions}. */
export const keepAliveSchema: z.ZodDefault<z.ZodNumber> = milliseconds(0, MAX_KEEP_ALIVE_MS)
  .refine((ms) => ms === 0 || ms >= 1000, "expected 0 (never) or 1000 milliseconds at least")
  .default(DEFAULT_KEEP_ALIVE_MS);

/**
 * Datagrams to and from one address; every {@link DatagramFlow} is one. `refuse` tells who sends
 * that nobody takes it, where that is known.
 */
export type DatagramChannel =
  & Pick<DatagramFlow, "receive" | "send" | "close">
  & Partial<Pick<DatagramFlow, "refuse">>;

/**
 * Makes a socket for datagrams to and from one address; gives up when `signal` is aborted.
 *
 * @throws {TcpError} There is no such address.
 */
export type DialDatagrams = (address: HostPort, signal: AbortSignal) => Promise<DatagramChannel>;

/**
 * Where in a stack of this process what is sent to an address comes in again: it would be sent out
 * again, and again. `undefined`: nowhere that could be seen.
 */
export type LeadsBack = (transport: "tcp" | "udp", target: HostPort) => HostPort | undefined;

/** How a plugin reaches what is not in the stack. */
export interface OutsideNetwork {
  /** Tells ways back into the stack; where it is not there, none is known. */
  readonly leadsBack?: LeadsBack | undefined;
  /** Makes connections. */
  readonly dial: Dial;
  /** Makes sockets for datagrams. */
  readonly dialDatagrams: DialDatagrams;
}

/** Reads `"10.0.0.9:80"`, `"[fd00::9]:80"`, `"name:80"` or `"unix:/run/app.sock"`. */
export function parseDialTarget(text: string): DialTarget | undefined {
  if (text.startsWith("unix:")) {
    const path = text.slice("unix:".length);
    return path === "" || path.includes("\0") ? undefined : { path };
  }
  const address = parseHostPort(text);
  return address && address.port > 0 ? address : undefined;
}

/** The text that {@link parseDialTarget} reads. */
export function formatDialTarget(target: DialTarget): string {
  return "path" in target ? `unix:${target.path}` : formatHostPort(target);
}

/** How long an attempt may take, and who may give it up. */
export interface DialLimits extends DialOptions {
  /** The stack's. */
  readonly clock: Clock;
  /** In milliseconds. */
  readonly timeoutMs: number;
  /** Gives up. */
  readonly signal: AbortSignal;
}

/**
 * {@link Dial} within a time.
 *
 * @throws {TcpError} What the dial threw; `TIMED_OUT` when the time was over.
 */
export async function dialWithin<Target extends DialTarget>(
  dial: Dial<Target>,
  target: Target,
  { clock, timeoutMs, signal, keepAliveMs }: DialLimits,
): Promise<Duplex> {
  const timeout = new AbortController();
  const cancel = clock.schedule(clock.now() + timeoutMs, () => {
    const message = `${formatDialTarget(target)} did not answer within ${timeoutMs} ms`;
    timeout.abort(new TcpError("TIMED_OUT", message));
  });
  try {
    return await dial(target, AbortSignal.any([signal, timeout.signal]), { keepAliveMs });
  } finally {
    cancel();
  }
}
