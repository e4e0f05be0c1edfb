/**
 * Forwards connections and flows to their original destination.
 *
 * @module
 */
import { z } from "zod";
import { messageOf } from "../core/api/error_text.ts";
import { TcpError } from "../core/api/errors.ts";
import { formatHostPort, type HostPort } from "../core/api/host_port.ts";
import { count, milliseconds } from "../core/api/numbers.ts";
import { definePlugin, type PluginFactory } from "../core/api/plugin.ts";
import { cancellationOf } from "../core/api/runtime/pending_syn.ts";
import type { Plugin, Syn, SynContext, SynDecision } from "../core/api/types.ts";
import type { FlowContext } from "../core/api/udp/datagram.ts";
import { endFlow } from "../core/api/udp/flow_refusal.ts";
import { WorkDeadlines } from "./shared/work_deadlines.ts";
import { subnetsSchema, TargetFilter } from "./shared/denied_targets.ts";
import { dialAttempt, keepAliveSchema } from "./shared/dial.ts";
import type { HostDialer } from "./shared/host_network.ts";
import { relayDatagrams } from "./shared/relay_datagrams.ts";
import { noSlot, SharedLimit, withSlot } from "./shared/shared_limit.ts";
import { relayTo } from "./shared/upstream.ts";

/** Options of `egress`. */
export interface EgressOptions {
  /**
   * Exceptions to the denied addresses and subnets. Loopback, link-local, multicast and metadata
   * addresses are denied by default. The longest prefix decides.
   */
  allow?: readonly string[] | undefined;
  /** Addresses and subnets to deny, in addition to those denied by default. */
  deny?: readonly string[] | undefined;
  /** Timeout of a connection attempt, in milliseconds. Default 10,000. */
  connectTimeoutMs?: number | undefined;
  /**
   * Milliseconds without a byte in either direction after which both sides of a TCP connection are
   * reset (default: never), and after which a UDP flow ends (default 60,000).
   */
  idleTimeoutMs?: number | undefined;
  /**
   * Idle time before the host sends a keep-alive probe to the target, in milliseconds; a target that does
   * not answer ends the connection. 0: no probes. Default two hours.
   */
  keepAliveMs?: number | undefined;
  /**
   * Maximum number of concurrent TCP connections (attempts included) and UDP flows; at the limit,
   * the oldest one of the client that has the most is evicted in favour of other clients. Default
   * 16,384.
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
 * Makes the `egress` plugin, which connects through `host`. It connects to the target before it
 * answers the SYN: if the target refuses the connection, so does the plugin; if the target does not
 * answer, neither does the plugin.
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

/** The connections and flows of one plugin. */
class EgressProxy {
  readonly #host: HostDialer;
  readonly #options: CheckedOptions;
  readonly #filter: TargetFilter;
  readonly #limit: SharedLimit;
  readonly #deadlines: WorkDeadlines;

  constructor(host: HostDialer, options: CheckedOptions) {
    this.#host = host;
    this.#options = options;
    this.#filter = new TargetFilter(options);
    this.#limit = new SharedLimit(options.maxConnections);
    this.#deadlines = new WorkDeadlines(options.connectTimeoutMs);
  }

  async connect(syn: Syn, { clock, log }: SynContext): Promise<SynDecision> {
    const { local, remote } = syn;
    this.#check("tcp", local);
    const { connectTimeoutMs: timeoutMs, idleTimeoutMs, keepAliveMs } = this.#options;
    const signal = cancellationOf(syn);
    const target = { hostname: local.hostname, port: local.port };
    try {
      const { upstream, slot } = await this.#limit.connect(
        remote.hostname,
        signal,
        (attempt) =>
          dialAttempt(this.#host.dial, target, attempt, {
            clock,
            timeoutMs,
            deadlines: this.#deadlines,
            keepAliveMs,
          }),
        { also: this.#host.limits?.connections },
      );
      return relayTo(upstream, signal, { idleTimeoutMs, slot });
    } catch (error) {
      // The SYN stays unanswered, so that the client's own timeout decides, as without this proxy.
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
    const slot = this.#limit.enter(flow.remoteAddr.hostname, evict, {
      givesWay: true,
      also: this.#host.limits?.datagrams,
    });
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

  /** @throws {TcpError} The target is denied, or there are too many connections. */
  #check(transport: "tcp" | "udp", target: HostPort): void {
    if (!this.#mayReach(transport, target)) {
      throw new TcpError(
        "CONNECTION_REFUSED",
        `connections to ${formatHostPort(target)} are denied`,
      );
    }
  }

  /** Whether `target` is allowed and does not lead back here, which would be an endless loop. */
  #mayReach(transport: "tcp" | "udp", target: HostPort): boolean {
    return this.#filter.allows(target.hostname) &&
      this.#host.routeIntoStack?.(transport, target) === undefined;
  }
}

function isTimeout(error: unknown): boolean {
  return error instanceof TcpError && error.code === "TIMED_OUT";
}
