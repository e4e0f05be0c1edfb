/**
 * Forwards UDP.
 *
 * @module
 */
import { messageOf } from "../../core/api/error_text.ts";
import { formatHostPort } from "../../core/api/host_port.ts";
import type { FlowContext } from "../../core/api/udp/datagram.ts";
import { endFlow } from "../../core/api/udp/flow_refusal.ts";
import type { DialDatagrams, DialTarget, UnixAddress } from "../shared/host_network.ts";
import { relayDatagrams } from "../shared/relay_datagrams.ts";
import type { Balancer } from "./balancer.ts";

/** Whether a target can have TCP connections only. */
export function isUnix(target: DialTarget): target is UnixAddress {
  return "path" in target;
}

/** Carries one flow to one target, until the flow or the target's socket ends. */
export async function forwardFlow(
  { flow, clock, signal, log }: FlowContext,
  balancer: Balancer,
  dialDatagrams: DialDatagrams,
): Promise<void> {
  const remote = formatHostPort(flow.remoteAddr);
  for (const target of balancer.candidates(clock.now())) {
    if (isUnix(target.address)) continue;
    target.connections++;
    try {
      return void await relayDatagrams(flow, await dialDatagrams(target.address, signal));
    } catch (error) {
      endFlow(flow, error);
      return log.debug("forwarded flow broke", {
        remote,
        target: target.name,
        reason: messageOf(error),
      });
    } finally {
      target.connections--;
    }
  }
  flow.refuse();
  log.debug("no target for a flow", { remote });
}
