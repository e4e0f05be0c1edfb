/**
 * Errors of sockets and flows of UDP.
 *
 * @module
 */
import type { SendRefusal } from "../../stack/udp/udp_layer.ts";
import type { FlowError } from "../../udp/flow.ts";
import { TcpError } from "../errors.ts";
import { formatHostPort, type HostPort } from "../host_port.ts";
import type { NetAddr } from "../types.ts";

/** The error for an ICMP error about a datagram that was sent. */
export function udpError(reason: FlowError, local: NetAddr, remote: NetAddr): TcpError {
  const place = formatHostPort(remote);
  const message = reason === "CONNECTION_REFUSED"
    ? `nothing is listening on ${place}`
    : `${place} is unreachable`;
  return new TcpError(reason, message, { local, remote });
}

/** The error for a datagram that was not sent. */
export function sendRefusal(reason: SendRefusal, data: Uint8Array, remote: HostPort): TcpError {
  return new TcpError(reason, MESSAGES[reason](data.length, formatHostPort(remote)));
}

const MESSAGES: Readonly<Record<SendRefusal, (length: number, place: string) => string>> = {
  MESSAGE_TOO_LONG: (length, place) => `${length} bytes do not fit into a datagram to ${place}`,
  INVALID_ADDRESS: (_, place) => `cannot send to ${place}`,
  ADDRESS_NOT_AVAILABLE: (_, place) => `there is no local address for sending to ${place}`,
};
