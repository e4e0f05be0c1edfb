/**
 * Forwards a port to targets outside the stack.
 *
 * @module
 */
import { TcpError } from "../core/api/errors.ts";
import { definePlugin, type PluginFactory } from "../core/api/plugin.ts";
import { cancellationOf } from "../core/api/runtime/pending_syn.ts";
import type { Handler, Plugin, Syn, SynContext, TcpSocket } from "../core/api/types.ts";
import type { FlowContext } from "../core/api/udp/datagram.ts";
import { Balancer } from "./forward/balancer.ts";
import { forwardFlow, isUnix } from "./forward/flow.ts";
import { HealthChecks } from "./forward/health_checks.ts";
import {
  type CheckedForwardOptions,
  type ForwardOptions,
  forwardOptionsSchema,
} from "./forward/options.ts";
import { ForwardMoves } from "./forward/moves.ts";
import { Target } from "./forward/target.ts";
import { WorkDeadlines } from "./shared/work_deadlines.ts";
import { type AttemptOptions, dialAttempt } from "./shared/dial.ts";
import type { Dial, HostDialer } from "./shared/host_network.ts";
import { type Arrival, LoopGuard } from "./shared/loop_guard.ts";
import { formatProxyHeader, type ProxyEndpoints } from "./shared/proxy_header.ts";
import { EvictedError, type HeldConnection, type SlotOptions } from "./shared/shared_limit.ts";
import { relayTo } from "./shared/upstream.ts";

export type { ForwardOptions, HealthCheckOptions } from "./forward/options.ts";

/**
 * Makes the `forward` plugin, which connects through `host`. It connects to a TCP target before it
 * answers the SYN; if that fails, it tries the next target, and refuses the connection if all have
 * failed. After that it relays bytes, half-closes and resets in both directions.
 */
export function forwardThrough(host: HostDialer): PluginFactory<ForwardOptions> {
  return definePlugin({
    name: "forward",
    options: forwardOptionsSchema,
    setup: (options) => forwardTo(host, options),
  });
}

function forwardTo(
  host: HostDialer,
  options: CheckedForwardOptions,
): Omit<Plugin, "name"> {
  const { dial, dialDatagrams, routeIntoStack } = host;
  const { to, balance, maxConnections, healthCheck, idleTimeoutMs, proxyProtocol } = options;
  const { connectTimeoutMs: timeoutMs, keepAliveMs } = options;
  const rules = { ...options, retryAfterMs: healthCheck ? undefined : options.retryAfterMs };
  const targets = to.map((address) => new Target(address, rules, maxConnections));
  const balancer = new Balancer(targets, balance);
  // LOCAL or UNKNOWN: a health check has no client.
  const local = proxyProtocol && formatProxyHeader({ version: proxyProtocol });
  const guard = new LoopGuard(routeIntoStack);
  const deadlines = new WorkDeadlines(options.connectTimeoutMs);
  const dialFor = (arrival: Arrival): Dial => (target, signal, dialOptions) => {
    guard.requireNoLoop("tcp", target, arrival);
    return dial(target, signal, dialOptions);
  };
  const checks = healthCheck && new HealthChecks(targets, healthCheck, local);
  const header = proxyProtocol && ((socket: TcpSocket) => proxyHeader(proxyProtocol, socket));
  const moves = new ForwardMoves(targets, idleTimeoutMs, host.limits?.connections);
  return {
    async onSyn(syn: Syn, c: SynContext): Promise<Handler> {
      const outward = dialFor({ transport: "tcp", place: syn.local, log: c.log });
      checks?.start(c, outward);
      const connected = await connect(outward, balancer, syn, c, {
        ...{ timeoutMs, keepAliveMs, deadlines },
        slotOptions: { also: host.limits?.connections },
      });
      const { upstream, slot } = connected;
      const onRelay = (socket: TcpSocket) => moves.started(socket, connected);
      return relayTo(upstream, cancellationOf(syn), { idleTimeoutMs, header, slot, onRelay });
    },
    freeze: ({ socket }, attach) => moves.freeze(socket, attach),
    thaw: (c, state, _next, [upstream]) => moves.thaw(c, state, upstream),
    ...(to.every(isUnix) ? {} : {
      async flow(c: FlowContext): Promise<void> {
        if (idleTimeoutMs !== undefined) c.flow.setIdleTimeout(idleTimeoutMs);
        const arrival: Arrival = { transport: "udp", place: c.flow.localAddr, log: c.log };
        const slotOptions = { givesWay: true, also: host.limits?.datagrams };
        await forwardFlow(c, balancer, slotOptions, async (target, signal) => {
          guard.requireNoLoop("udp", target, arrival);
          return await dialDatagrams(target, signal);
        });
      },
    }),
    metrics: () => targets.flatMap((target) => target.metrics),
    dispose() {
      checks?.stop();
      guard.dispose();
    },
  };
}

function proxyHeader(
  version: 1 | 2,
  { remoteAddr, localAddr }: TcpSocket,
): Uint8Array<ArrayBuffer> {
  const endpoints: ProxyEndpoints = {
    transport: "tcp",
    source: remoteAddr,
    destination: localAddr,
  };
  return formatProxyHeader({ version, endpoints });
}

/** A connection to a target. */
interface TargetConnection extends HeldConnection {
  readonly target: Target;
}

/** How a connection to a target is made. */
interface ConnectRules extends Omit<AttemptOptions, "clock"> {
  readonly slotOptions: SlotOptions;
}

/** Connects to the first target that accepts the connection. */
async function connect(
  dial: Dial,
  balancer: Balancer,
  syn: Syn,
  { clock, log }: SynContext,
  { slotOptions, ...rules }: ConnectRules,
): Promise<TargetConnection> {
  const { hostname } = syn.remote;
  const signal = cancellationOf(syn);
  let failure: unknown;
  for (const target of balancer.candidates(clock.now(), hostname, slotOptions)) {
    const began = clock.now();
    try {
      const held = await target.limit.connect(
        hostname,
        signal,
        (attempt) => dialAttempt(dial, target.address, attempt, { ...rules, clock }),
        slotOptions,
      );
      target.succeeded(log, clock.now() - began);
      target.connected(held.upstream);
      return { ...held, target };
    } catch (error) {
      if (signal.aborted || error instanceof EvictedError) throw error;
      target.failed(clock.now(), error, log);
      failure = error;
    }
  }
  throw failure ??
    new TcpError("CONNECTION_REFUSED", "every target is at its connection limit");
}
