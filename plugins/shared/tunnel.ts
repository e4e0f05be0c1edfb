/**
 * Tunnels from a proxy's clients to their targets.
 *
 * @module
 */
import { messageOf } from "../../core/api/error_text.ts";
import { formatHostPort, type HostPort } from "../../core/api/host_port.ts";
import type { Context } from "../../core/api/types.ts";
import type { Outbound, OutboundError, OutboundFault } from "./outbound.ts";
import { type Duplex, relay } from "./relay.ts";

/** A proxy that opens tunnels. */
export interface TunnelProxy {
  /** Its name, for the log. */
  readonly name: string;
  /** Connects to the targets. */
  readonly outbound: Outbound;
  /** Sent to the client before the target's first byte. */
  readonly connected: Uint8Array;
  /** Sent to the client if there is no connection, before it is closed. */
  refusal(fault: OutboundFault): Uint8Array;
}

/**
 * Connects to `target`, tells `client` the result, and relays until both directions have ended. Failures
 * are logged at level `debug`.
 */
export async function tunnel(
  { name, outbound, connected, refusal }: TunnelProxy,
  target: HostPort,
  client: Duplex,
  c: Pick<Context, "stack" | "clock" | "signal" | "log" | "socket">,
): Promise<void> {
  let upstream: Duplex;
  try {
    upstream = await outbound.connect(target, c);
  } catch (error) {
    const { fault, message } = error as OutboundError;
    c.log.debug(`${name}: not connected`, { target: formatHostPort(target), reason: message });
    await client.write(refusal(fault)).catch(() => {});
    return;
  }
  try {
    await client.write(connected);
    await relay(client, upstream);
  } catch (error) {
    upstream.abort(error);
    c.log.debug(`${name}: connection broke`, { reason: messageOf(error) });
  }
}
