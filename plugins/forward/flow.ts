/**
 * Forwards UDP flows.
 *
 * @module
 */
import { messageOf } from "../../core/api/error_text.ts";
import { formatHostPort } from "../../core/api/host_port.ts";
import type { FlowContext } from "../../core/api/udp/datagram.ts";
import { endFlow } from "../../core/api/udp/flow_refusal.ts";
import type { DialDatagrams, DialTarget, UnixAddress } from "../shared/host_network.ts";
import { relayDatagrams } from "../shared/relay_datagrams.ts";
import { type SlotOptions, withSlot } from "../shared/shared_limit.ts";
import type { Balancer } from "./balancer.ts";

/** Whether a target is a Unix socket, which takes no datagrams. */
export function isUnix(target: DialTarget): target is UnixAddress {
  return "path" in target;
}

/** Relays a flow to one target, until the flow or the target's socket ends. */
export async function forwardFlow(
  { flow, clock, signal, log }: FlowContext,
  balancer: Balancer,
  slotOptions: SlotOptions,
  dialDatagrams: DialDatagrams,
): Promise<void> {
  const remote = formatHostPort(flow.remoteAddr);
  const { hostname } = flow.remoteAddr;
  const evict = () => void flow.close();
  for (const target of balancer.candidates(clock.now(), hostname, slotOptions)) {
    if (isUnix(target.address)) continue;
    const slot = target.limit.enter(hostname, evict, slotOptions);
    if (slot === undefined) continue;
    try {
      const channel = await dialDatagrams(target.address, signal);
      return void await relayDatagrams(withSlot(flow, slot), channel);
    } catch (error) {
      endFlow(flow, error);
      return log.debug("forwarded flow broke", {
        remote,
        target: target.name,
        reason: messageOf(error),
      });
    } finally {
      slot.leave();
    }
  }
  flow.refuse();
  log.debug("no target for a flow", { remote });
}
