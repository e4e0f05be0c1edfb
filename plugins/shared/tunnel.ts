/**
 * Clients of a proxy and where they ask to go.
 *
 * @module
 */
import { messageOf } from "../../core/api/error_text.ts";
import { formatHostPort, type HostPort } from "../../core/api/host_port.ts";
import type { Context } from "../../core/api/types.ts";
import type { Outbound, OutboundError, OutboundFault } from "./outbound.ts";
import { type Duplex, relay } from "./relay.ts";

/** A proxy that makes tunnels. */
export interface TunnelProxy {
  /** Its name, for the log. */
  readonly name: string;
  /** Connects. */
  readonly outbound: Outbound;
  /** What a client is told before the target's first byte. */
  readonly connected: Uint8Array;
  /** What it is told where there is no connection: its last word. */
  refusal(fault: OutboundFault): Uint8Array;
}

/**
 * Connects to `target`, says to `client` what came of it, and relays until both directions have
 * ended. What fails is logged, at level `debug`.
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
