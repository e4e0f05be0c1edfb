/**
 * Connections and datagrams to the targets of a proxy's clients.
 *
 * @module
 */
import { z } from "zod";
import { messageOf } from "../../core/api/error_text.ts";
import { TcpError, type TcpErrorCode } from "../../core/api/errors.ts";
import { formatHostPort, type HostPort } from "../../core/api/host_port.ts";
import { count, milliseconds } from "../../core/api/numbers.ts";
import type { Context } from "../../core/api/types.ts";
import { IpAddress } from "../../core/wire/address.ts";
import { subnetsSchema, TargetFilter } from "./denied_targets.ts";
import { keepAliveSchema } from "./dial.ts";
import type { DatagramChannel, HostLimits, HostNetwork } from "./host_network.ts";
import type { Duplex } from "./relay.ts";
import { noSlot, SharedLimit, type Slot, type SlotOptions } from "./shared_limit.ts";
import { StackDatagrams } from "./stack_datagrams.ts";
import { dialStack } from "./stack_dial.ts";
import { withDeadline } from "./with_timeout.ts";

/** Where a proxy connects to, and how. */
export interface OutboundOptions {
  /**
   * `"host"`: out through the host's kernel, which also resolves names. `"stack"`: back into the
   * stack, to IP addresses only. Default `"host"`.
   */
  via?: "host" | "stack" | undefined;
  /**
   * Exceptions to the denied addresses and subnets. Through the host, loopback, link-local, multicast
   * and metadata addresses are denied by default. The longest prefix decides: `["127.0.0.1"]` allows
   * that address, `["0.0.0.0/0"]` allows none of the denied ones.
   */
  allow?: readonly string[] | undefined;
  /** Addresses and subnets to deny, in addition to those denied by default. */
  deny?: readonly string[] | undefined;
  /** Timeout of a connection attempt, the name lookup included, in milliseconds. Default 10,000. */
  connectTimeoutMs?: number | undefined;
  /**
   * Idle time before the host sends a keep-alive probe to the target, in milliseconds; a target that does
   * not answer ends the connection. 0: no probes. Default two hours.
   */
  keepAliveMs?: number | undefined;
  /**
   * Maximum number of concurrent connections to targets (attempts included), associations and
   * targets of datagrams; at the limit, the oldest one of the client that has the most is evicted
   * in favour of other clients. Default 16,384.
   */
  maxConnections?: number | undefined;
}

/** {@link OutboundOptions} as checked. */
export interface CheckedOutboundOptions {
  readonly via: "host" | "stack";
  readonly allow: readonly string[];
  readonly deny: readonly string[];
  readonly connectTimeoutMs: number;
  readonly keepAliveMs: number;
  readonly maxConnections: number;
}

const shape = {
  via: z.enum(["host", "stack"]).default("host"),
  allow: subnetsSchema.default([]),
  deny: subnetsSchema.default([]),
  connectTimeoutMs: milliseconds().default(10_000),
  keepAliveMs: keepAliveSchema,
  maxConnections: count().default(16_384),
};

/** Schema of {@link OutboundOptions}, to be spread into the schema of a plugin. */
export const outboundShape: typeof shape = shape;

/**
 * Why there is no connection. `"no-name"`: the proxy does not resolve names; `"unknown-name"`: the name
 * has no address.
 */
export type OutboundFault =
  | "denied"
  | "no-name"
  | "unknown-name"
  | "refused"
  | "unreachable"
  | "timed-out"
  | "failed";

/** The error of a connection to a target that was denied or failed. */
export class OutboundError extends Error {
  /** Always `"OutboundError"`. */
  override readonly name = "OutboundError";
  /** The reason, for programs. */
  readonly fault: OutboundFault;

  /** Creates an error with a reason for programs. */
  constructor(fault: OutboundFault, message: string, options?: ErrorOptions) {
    super(message, options);
    this.fault = fault;
  }
}

/** An open channel for datagrams to a target. */
export interface DatagramsTo {
  /** The IP address and port chosen. */
  readonly address: HostPort;
  /** The channel; the caller closes it. */
  readonly channel: DatagramChannel;
}

/** Maximum number of addresses of a name that are tried. */
const MAX_ADDRESSES = 4;

const FAULTS: Partial<Record<TcpErrorCode, OutboundFault>> = {
  CONNECTION_REFUSED: "refused",
  CONNECTION_RESET: "refused",
  UNREACHABLE: "unreachable",
  INVALID_ADDRESS: "unreachable",
  ADDRESS_NOT_AVAILABLE: "unreachable",
  INSUFFICIENT_RESOURCES: "unreachable",
  TIMED_OUT: "timed-out",
};

/** The part of a handler's context that an {@link Outbound} uses. */
export type OutboundContext = Pick<Context, "stack" | "clock" | "signal" | "socket">;

/** Connects to targets that are allowed. */
export class Outbound {
  readonly #options: CheckedOutboundOptions;
  readonly #filter: TargetFilter;
  readonly #host: HostNetwork;
  readonly #limit: SharedLimit;

  /** Connects through `host` or the stack, as `options.via` says. */
  constructor(options: CheckedOutboundOptions, host: HostNetwork) {
    this.#options = options;
    this.#filter = options.via === "host"
      ? new TargetFilter(options)
      : new TargetFilter(options, []);
    this.#host = host;
    this.#limit = new SharedLimit(options.maxConnections);
  }

  /**
   * Counts a resource that a client holds besides its connection; `evict` is called when it has to
   * make room.
   *
   * @throws {OutboundError} The limit is reached.
   */
  enter(
    { socket }: Pick<OutboundContext, "socket">,
    evict: () => void,
    options?: SlotOptions,
  ): Slot {
    const slot = this.#limit.enter(socket.remoteAddr.hostname, evict, options);
    if (slot === undefined) throw asOutboundError(noSlot());
    return slot;
  }

  /**
   * Connects to `target`. The allowed addresses of a name are tried in turn, at most four, within one
   * `connectTimeoutMs`.
   *
   * @throws {OutboundError} The target is denied, or the connection fails.
   */
  async connect(target: HostPort, c: OutboundContext): Promise<Duplex> {
    const { stack, clock, socket, signal } = c;
    const { hostname } = socket.remoteAddr;
    try {
      const { upstream } = await this.#limit.connect(
        hostname,
        signal,
        (attempt) => this.#connect(target, { stack, clock, signal: attempt.signal }),
        { also: this.#limits?.connections },
      );
      return upstream;
    } catch (error) {
      throw asOutboundError(error);
    }
  }

  /** The limits of the host; connections back into the stack use none of its sockets. */
  get #limits(): HostLimits | undefined {
    return this.#options.via === "host" ? this.#host.limits : undefined;
  }

  async #connect(target: HostPort, c: Omit<OutboundContext, "socket">): Promise<Duplex> {
    const { stack, clock } = c;
    const from = clock.now();
    const { connectTimeoutMs } = this.#options;
    return await this.#withinConnectTimeout(target, c, async (within) => {
      const addresses = await this.#addressesOf(target, within);
      return await firstOf(addresses, async (hostname, left) => {
        const to = { hostname, port: target.port };
        this.#requireNoLoop("tcp", to);
        const timeoutMs = (from + connectTimeoutMs - clock.now()) / left;
        return await withDeadline(
          { clock, timeoutMs, signal: within },
          () => timedOut(target),
          (signal) => this.#dial(to, signal, stack),
        );
      });
    });
  }

  /**
   * Opens a channel for datagrams to the first address of `target` that is allowed and works.
   *
   * @throws {OutboundError} The target is denied, or no channel can be opened.
   */
  async openDatagrams(target: HostPort, c: OutboundContext): Promise<DatagramsTo> {
    const evicted = new AbortController();
    let opened: DatagramsTo | undefined;
    const slot = this.enter(c, () => {
      evicted.abort(new Error("evicted in favour of another client"));
      opened?.channel.close();
    }, { also: this.#limits?.datagrams });
    try {
      const signal = AbortSignal.any([c.signal, evicted.signal]);
      const { address, channel } = await this.#openDatagrams(target, {
        stack: c.stack,
        clock: c.clock,
        signal,
      });
      opened = { address, channel: leaving(channel, slot) };
      if (evicted.signal.aborted) channel.close();
      return opened;
    } catch (error) {
      slot.leave();
      throw asOutboundError(error);
    }
  }

  async #openDatagrams(
    target: HostPort,
    c: Omit<OutboundContext, "socket">,
  ): Promise<DatagramsTo> {
    return await this.#withinConnectTimeout(target, c, async (within) => {
      const addresses = await this.#addressesOf(target, within);
      return await firstOf(addresses, async (hostname) => {
        const address = { hostname, port: target.port };
        this.#requireNoLoop("udp", address);
        const channel = this.#options.via === "host"
          ? await this.#host.dialDatagrams(address, within)
          : new StackDatagrams(c.stack, address);
        return { address, channel };
      });
    });
  }

  /** Runs `work` within `connectTimeoutMs`; every failure becomes an {@link OutboundError}. */
  async #withinConnectTimeout<T>(
    target: HostPort,
    { clock, signal }: Pick<OutboundContext, "clock" | "signal">,
    work: (within: AbortSignal) => Promise<T>,
  ): Promise<T> {
    const timeoutMs = this.#options.connectTimeoutMs;
    try {
      return await withDeadline({ clock, timeoutMs, signal }, () => timedOut(target), work);
    } catch (error) {
      throw asOutboundError(error);
    }
  }

  /**
   * Neither SOCKS (RFC 1928) nor CONNECT (RFC 9110 9.3.6) detects loops, so targets that the host
   * would lead back here are refused.
   */
  #requireNoLoop(transport: "tcp" | "udp", to: HostPort): void {
    if (this.#options.via === "stack") return;
    if (this.#host.routeIntoStack?.(transport, to) === undefined) return;
    throw new OutboundError("denied", `${formatHostPort(to)} leads back into the stack`);
  }

  async #addressesOf({ hostname }: HostPort, signal: AbortSignal): Promise<readonly string[]> {
    const literal = IpAddress.parse(hostname);
    if (!literal && this.#options.via === "stack") {
      throw new OutboundError("no-name", `${hostname}: this proxy does not resolve names`);
    }
    const found = literal ? [literal.toString()] : await this.#namedAddresses(hostname, signal);
    const allowed = found.filter((address) => this.#filter.allows(address));
    if (allowed.length > 0) return allowed.slice(0, MAX_ADDRESSES);
    throw new OutboundError("denied", `connections to ${hostname} are denied`);
  }

  /** RFC 6761 6.3: localhost is never looked up; some resolvers do not know all of its forms. */
  async #namedAddresses(hostname: string, signal: AbortSignal): Promise<readonly string[]> {
    return isLocalhost(hostname) ? LOOPBACK : await this.#resolve(hostname, signal);
  }

  async #resolve(hostname: string, signal: AbortSignal): Promise<readonly string[]> {
    try {
      return await unlessAborted(this.#host.resolve(hostname, signal), signal);
    } catch (cause) {
      throw new OutboundError("unknown-name", `${hostname} has no address`, { cause });
    }
  }

  #dial(to: HostPort, signal: AbortSignal, stack: Context["stack"]): Promise<Duplex> {
    return this.#options.via === "host"
      ? this.#host.dial(to, signal, { keepAliveMs: this.#options.keepAliveMs })
      : dialStack(stack, to, signal);
  }
}

/** The channel, which frees the slot when it is closed. */
function leaving(channel: DatagramChannel, slot: Slot): DatagramChannel {
  return {
    receive: () => channel.receive(),
    send: (datagram) => channel.send(datagram),
    close() {
      slot.leave();
      channel.close();
    },
  };
}

/**
 * The result of the first attempt that succeeds; `left` is the number of values that remain,
 * including this one.
 */
async function firstOf<T, R>(
  values: readonly T[],
  attempt: (value: T, left: number) => Promise<R>,
): Promise<R> {
  let failure: unknown;
  for (const [index, value] of values.entries()) {
    try {
      return await attempt(value, values.length - index);
    } catch (error) {
      failure = error;
    }
  }
  throw failure;
}

const LOOPBACK: readonly string[] = ["127.0.0.1", "::1"];

/** A trailing dot makes a name absolute (RFC 1034 3.1). */
function isLocalhost(hostname: string): boolean {
  return /(?:^|\.)localhost\.?$/i.test(hostname);
}

function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(signal.reason);
    signal.addEventListener("abort", onAbort);
    if (signal.aborted) onAbort();
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", onAbort));
  });
}

function timedOut(target: HostPort): OutboundError {
  return new OutboundError("timed-out", `${formatHostPort(target)} did not answer in time`);
}

function asOutboundError(error: unknown): OutboundError {
  if (error instanceof OutboundError) return error;
  const fault = error instanceof TcpError ? FAULTS[error.code] ?? "failed" : "failed";
  return new OutboundError(fault, messageOf(error), { cause: error });
}
