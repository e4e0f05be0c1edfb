/**
 * How the peer of a flow learns that the other side of the flow is not there.
 *
 * @module
 */
import type { FlowRefusal } from "../../udp/flow.ts";
import { TcpError } from "../errors.ts";
import type { DatagramFlow } from "./datagram.ts";

/** What the peer of a flow is told of an error on the other side; of most nothing. */
export function flowRefusalOf(error: unknown): FlowRefusal | undefined {
  if (!(error instanceof TcpError)) return undefined;
  if (error.code === "CONNECTION_REFUSED") return "port";
  return error.code === "UNREACHABLE" ? "host" : undefined;
}

/** Ends a flow whose other side has ended with an error; tells its peer where there is nobody. */
export function endFlow(
  flow: Pick<DatagramFlow, "close"> & Partial<Pick<DatagramFlow, "refuse">>,
  error: unknown,
): void {
  const why = flowRefusalOf(error);
  if (why !== undefined) flow.refuse?.(why);
  flow.close();
}
