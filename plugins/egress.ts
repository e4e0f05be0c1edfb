/**
 * Leads everything on to where it was going.
 *
 * @module
 */
import { z } from "zod";
import { messageOf } from "../core/api/error_text.ts";
import { TcpError } from "../core/api/errors.ts";
import { formatHostPort, type HostPort } from "../core/api/host_port.ts";
import { count, milliseconds } from "../core/api/numbers.ts";
import { definePlugin, type PluginFactory } from "../core/api/plugin.ts";
import type { Plugin, Syn, SynContext, SynDecision } from "../core/api/types.ts";
import type { FlowContext } from "../core/api/udp/datagram.ts";
import { endFlow } from "../core/api/udp/flow_refusal.ts";
import { subnetsSchema, TargetFilter } from "./shared/denied_targets.ts";
import { dialWithTimeout, keepAliveSchema } from "./shared/dial.ts";
import type { HostDialer } from "./shared/host_network.ts";
import { relayDatagrams } from "./shared/relay_datagrams.ts";
import { noSlot, SharedLimit, withSlot } from "./shared/shared_limit.ts";
import { relayTo } from "./shared/upstream.ts";

/** Options of `egress`. */
export interface EgressOptions {
  /**
   * Addresses and subnets that may be reached although they are denied: loopback, link-local,
   * multicast and metadata addresses are by default. The longest prefix decides.
   */
  allow?: readonly string[] | undefined;
  /** Addresses and subnets that may not be reached, beside those that may not by default. */
  deny?: readonly string[] | undefined;
  /** How long a target may take to answer, in milliseconds. Default 10 000. */
  connectTimeoutMs?: number | undefined;
  /**
   * Milliseconds without a byte in either direction after which both sides of a TCP connection are
   * reset (default: never), and after which a UDP flow is forgotten (default 60 000).
   */
  idleTimeoutMs?: number | undefined;
  /**
   * Milliseconds without a word from a target after which the host asks whether it is still there, and
   * ends the connection where it is not; 0: never. Default two hours.
   */
  keepAliveMs?: number | undefined;
  /**
   * TCP connections, attempts included, and UDP flows at once; when there are as many the client that
   * has the most makes room for others. Default 16 384.
   */
  maxConnections?: number | undefined;
}

const optionsSchema = z.strictObject({
  allow: subnetsSchema.default([]),
  deny: subnetsSchema.default([]),
  connectTimeoutMs: milliseconds().default(10_000),
  idleTimeoutMs: milliseconds().optional(),
  keepAliveMs: keepAliveSchema,
  maxConnections: count().default(16_384),
});

type CheckedOptions = z.output<typeof optionsSchema>;

/**
 * Makes the `egress` plugin of ways out. The target of a TCP connection is connected to before the
 * SYN is answered: one that refuses is a refused connection, one that says nothing is answered by
 * nothing.
 */
export function egressThrough(host: HostDialer): PluginFactory<EgressOptions> {
  return definePlugin({
    name: "egress",
    options: optionsSchema,
    setup(options) {
      const way = new EgressProxy(host, options);
      const plugin: Omit<Plugin, "name"> = {
        transparent: true,
        onSyn: (syn, c) => way.connect(syn, c),
        flow: (c) => way.carry(c),
      };
      return plugin;
    },
  });
}

/** Everything that goes out through one plugin. */
class EgressProxy {
  readonly #host: HostDialer;
  readonly #options: CheckedOptions;
  readonly #filter: TargetFilter;
  readonly #limit: SharedLimit;

  constructor(host: HostDialer, options: CheckedOptions) {
    this.#host = host;
    this.#options = options;
    this.#filter = new TargetFilter(options);
    this.#limit = new SharedLimit(options.maxConnections);
  }

  async connect({ local, remote, signal }: Syn, { clock, log }: SynContext): Promise<SynDecision> {
    this.#check("tcp", local);
    const { connectTimeoutMs: timeoutMs, idleTimeoutMs, keepAliveMs } = this.#options;
    const target = { hostname: local.hostname, port: local.port };
    try {
      const upstream = await this.#limit.connect(
        remote.hostname,
        signal,
        (within) =>
          dialWithTimeout(this.#host.dial, target, {
            clock,
            timeoutMs,
            signal: within,
            keepAliveMs,
          }),
      );
      return relayTo(upstream, signal, { idleTimeoutMs });
    } catch (error) {
      // Silence is answered by silence: the client's own patience decides.
      if (!isTimeout(error)) throw error;
      log.info("target did not answer", {
        remote: formatHostPort(remote),
        target: formatHostPort(local),
      });
      return "ignore";
    }
  }

  async carry({ flow, signal, log }: FlowContext): Promise<void> {
    const { idleTimeoutMs } = this.#options;
    if (idleTimeoutMs !== undefined) flow.setIdleTimeout(idleTimeoutMs);
    if (!this.#mayReach("udp", flow.localAddr)) return flow.refuse("prohibited");
    const evict = () => void flow.close();
    const slot = this.#limit.enter(flow.remoteAddr.hostname, evict, { givesWay: true });
    try {
      if (slot === undefined) throw noSlot();
      const { hostname, port } = flow.localAddr;
      const target = await this.#host.dialDatagrams({ hostname, port }, signal);
      await relayDatagrams(withSlot(flow, slot), target);
    } catch (error) {
      endFlow(flow, error);
      log.debug("flow broke", {
        remote: formatHostPort(flow.remoteAddr),
        target: formatHostPort(flow.localAddr),
        reason: messageOf(error),
      });
    } finally {
      slot?.leave();
    }
  }

  /** Throws where a target may not be reached, or not now. */
  #check(transport: "tcp" | "udp", target: HostPort): void {
    if (!this.#mayReach(transport, target)) {
      throw new TcpError("CONNECTION_REFUSED", `${formatHostPort(target)} may not be reached`);
    }
  }

  /** A target that leads back here would be connected to from here again, and each of those again. */
  #mayReach(transport: "tcp" | "udp", target: HostPort): boolean {
    return this.#filter.allows(target.hostname) &&
      this.#host.leadsBack?.(transport, target) === undefined;
  }
}

function isTimeout(error: unknown): boolean {
  return error instanceof TcpError && error.code === "TIMED_OUT";
}
