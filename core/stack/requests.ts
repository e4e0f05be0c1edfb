/**
 * Parameters and errors of a stack's calls.
 *
 * @module
 */
import type { IpAddress } from "../wire/address.ts";
import type { Binding } from "./binding_table.ts";

/** Errors of bind and connect calls. */
export type BindRefusal = "ADDRESS_IN_USE" | "ADDRESS_NOT_AVAILABLE" | "INVALID_ADDRESS";

/** Parameters of LISTEN. Port 0: any free port. */
export interface ListenRequest extends Binding {
  /** Maximum number of connections that are half-open or not yet accepted. */
  readonly backlog: number;
  /** Whether a SYN is answered only after the owner's decision. */
  readonly decides: boolean;
}

/** Parameters of CONNECT. */
export interface ConnectRequest {
  readonly remote: IpAddress;
  readonly remotePort: number;
  readonly local: IpAddress | undefined;
  /** 0: any free port. */
  readonly localPort: number;
}

/**
 * The answer to a SYN: `"accept"` sends SYN,ACK, `"refuse"` sends RST (RFC 9293 3.10.7.1),
 * `"ignore"` sends nothing and keeps no state, so that a retransmitted SYN asks for a decision
 * again.
 */
export type SynVerdict = "accept" | "refuse" | "ignore";
