/**
 * Maps errors of a relayed flow's other side to ICMP errors for its peer.
 *
 * @module
 */
import type { FlowRefusal } from "../../udp/flow.ts";
import { TcpError } from "../errors.ts";
import type { DatagramFlow } from "./datagram.ts";

/** The ICMP error for the peer of a flow whose other side failed; `undefined` for most errors. */
export function flowRefusalOf(error: unknown): FlowRefusal | undefined {
  if (!(error instanceof TcpError)) return undefined;
  if (error.code === "CONNECTION_REFUSED") return "port";
  return error.code === "UNREACHABLE" ? "host" : undefined;
}

/** Ends a flow whose other side failed, and tells its peer if the other side is unreachable. */
export function endFlow(
  flow: Pick<DatagramFlow, "close"> & Partial<Pick<DatagramFlow, "refuse">>,
  error: unknown,
): void {
  const why = flowRefusalOf(error);
  if (why !== undefined) flow.refuse?.(why);
  flow.close();
}
