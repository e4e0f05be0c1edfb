/**
 * Connections and datagrams to wherever a client asks, for plugins that are proxies.
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
import type { DatagramChannel, HostNetwork } from "./host_network.ts";
import type { Duplex } from "./relay.ts";
import { noSlot, SharedLimit, type Slot } from "./shared_limit.ts";
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
   * Addresses and subnets that may be connected to although they are denied. Through the host,
   * loopback, link-local, multicast and metadata addresses are denied by default. The longest
   * prefix decides: `["127.0.0.1"]` opens one address, `["0.0.0.0/0"]` none of these.
   */
  allow?: readonly string[] | undefined;
  /** Addresses and subnets that may not be connected to, beside those that may not by default. */
  deny?: readonly string[] | undefined;
  /** How long a target may take to answer, in milliseconds, its name's lookup included. Default 10,000. */
  connectTimeoutMs?: number | undefined;
  /**
   * Milliseconds without a word from a target of the host after which it is asked whether it is still there, and
   * ends the connection where it is not; 0: never. Default two hours.
   */
  keepAliveMs?: number | undefined;
  /**
   * Connections to targets at once, attempts included, associations, and targets of datagrams; when
   * there are as many the client that has the most makes room for others. Default 16,384.
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

/** What {@link OutboundOptions} are checked with, to be spread in a plugin's own schema. */
export const outboundShape: typeof shape = shape;

/**
 * Why there is no connection. `"no-name"`: names are not looked up here; `"unknown-name"`: it has no
 * address.
 */
export type OutboundFault =
  | "denied"
  | "no-name"
  | "unknown-name"
  | "refused"
  | "unreachable"
  | "timed-out"
  | "failed";

/** Says why a target was not connected to. */
export class OutboundError extends Error {
  /** Always `"OutboundError"`. */
  override readonly name = "OutboundError";
  /** Why, for programs. */
  readonly fault: OutboundFault;

  /** Makes one. */
  constructor(fault: OutboundFault, message: string, options?: ErrorOptions) {
    super(message, options);
    this.fault = fault;
  }
}

/** A way for datagrams to a target. */
export interface DatagramsTo {
  /** The IP address and port that was chosen. */
  readonly address: HostPort;
  /** What was made for it; whoever asked closes it. */
  readonly channel: DatagramChannel;
}

/** Addresses of a name that are tried, at most. */
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

/** What an {@link Outbound} needs of who asks. */
export type OutboundContext = Pick<Context, "stack" | "clock" | "signal" | "socket">;

/** Connects where it is allowed to. */
export class Outbound {
  readonly #options: CheckedOutboundOptions;
  readonly #filter: TargetFilter;
  readonly #host: HostNetwork;
  readonly #limit: SharedLimit;

  /** Connects as `options` say; through `host`, where that is asked for. */
  constructor(options: CheckedOutboundOptions, host: HostNetwork) {
    this.#options = options;
    this.#filter = options.via === "host"
      ? new TargetFilter(options)
      : new TargetFilter(options, []);
    this.#host = host;
    this.#limit = new SharedLimit(options.maxConnections);
  }

  /**
   * Counts what a client holds beside its connection; `evict` is called when it has to make room.
   *
   * @throws {OutboundError} There are as many as there may be.
   */
  enter({ socket }: Pick<OutboundContext, "socket">, evict: () => void): Slot {
    const slot = this.#limit.enter(socket.remoteAddr.hostname, evict);
    if (slot === undefined) throw asOutboundError(noSlot());
    return slot;
  }

  /**
   * Connects to `target`. Of a name each address that is allowed is tried, four at most, within the
   * time that one target has.
   *
   * @throws {OutboundError} It may not be connected to, or cannot be.
   */
  async connect(target: HostPort, c: OutboundContext): Promise<Duplex> {
    const { stack, clock, socket, signal } = c;
    const { hostname } = socket.remoteAddr;
    try {
      return await this.#limit.connect(
        hostname,
        signal,
        (within) => this.#connect(target, { stack, clock, signal: within }),
      );
    } catch (error) {
      throw asOutboundError(error);
    }
  }

  async #connect(target: HostPort, c: Omit<OutboundContext, "socket">): Promise<Duplex> {
    const { stack, clock } = c;
    const from = clock.now();
    const { connectTimeoutMs } = this.#options;
    return await this.#inTime(target, c, async (within) => {
      const addresses = await this.#addressesOf(target, within);
      return await firstOf(addresses, async (hostname, left) => {
        const to = { hostname, port: target.port };
        this.#requireWayOut("tcp", to);
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
   * Opens a way for datagrams to `target`: to the first of its addresses that is allowed and has one.
   *
   * @throws {OutboundError} It may not be sent to, or cannot be.
   */
  async openDatagrams(target: HostPort, c: OutboundContext): Promise<DatagramsTo> {
    const evicted = new AbortController();
    let opened: DatagramsTo | undefined;
    const slot = this.enter(c, () => {
      evicted.abort(new Error("made room for another client"));
      opened?.channel.close();
    });
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
    return await this.#inTime(target, c, async (within) => {
      const addresses = await this.#addressesOf(target, within);
      return await firstOf(addresses, async (hostname) => {
        const address = { hostname, port: target.port };
        this.#requireWayOut("udp", address);
        const channel = this.#options.via === "host"
          ? await this.#host.dialDatagrams(address, within)
          : new StackDatagrams(c.stack, address);
        return { address, channel };
      });
    });
  }

  /** Gives up after the time that a target has; every failure becomes an {@link OutboundError}. */
  async #inTime<T>(
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

  /** RFC 1928 and RFC 9110 know no loops: who connects to the stack through the host is in one. */
  #requireWayOut(transport: "tcp" | "udp", to: HostPort): void {
    if (this.#options.via === "stack") return;
    if (this.#host.leadsBack?.(transport, to) === undefined) return;
    throw new OutboundError("denied", `${formatHostPort(to)} leads back into the stack`);
  }

  async #addressesOf({ hostname }: HostPort, signal: AbortSignal): Promise<readonly string[]> {
    const literal = IpAddress.parse(hostname);
    if (!literal && this.#options.via === "stack") {
      throw new OutboundError("no-name", `names such as ${hostname} are not looked up here`);
    }
    const found = literal ? [literal.toString()] : await this.#namedAddresses(hostname, signal);
    const allowed = found.filter((address) => this.#filter.allows(address));
    if (allowed.length > 0) return allowed.slice(0, MAX_ADDRESSES);
    throw new OutboundError("denied", `${hostname} may not be connected to`);
  }

  /** RFC 6761 6.3: no resolver decides about localhost, and some do not know it in all its forms. */
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

/** What `attempt` makes of the first value that it does not fail with; `left` counts it and those behind it. */
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

/** A dot at the end makes a name absolute (RFC 1034 3.1). */
function isLocalhost(hostname: string): boolean {
  return /(?:^|\.)localhost\.?$/i.test(hostname);
}

function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const giveUp = () => reject(signal.reason);
    signal.addEventListener("abort", giveUp);
    if (signal.aborted) giveUp();
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", giveUp));
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
