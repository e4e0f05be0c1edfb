/**
 * What a stack can be asked for, and why it says no.
 *
 * @module
 */
import type { IpAddress } from "../wire/address.ts";
import type { Binding } from "./binding_table.ts";

/** Why a call was refused. */
export type BindRefusal = "ADDRESS_IN_USE" | "ADDRESS_NOT_AVAILABLE" | "INVALID_ADDRESS";

/** What a listener is asked for. Port 0: any free one. */
export interface ListenRequest extends Binding {
  /** Connections that are half-open or not yet accepted, at most. */
  readonly backlog: number;
  /** The SYN is answered only after a decision. */
  readonly decides: boolean;
}

/** What a connection is asked for. */
export interface ConnectRequest {
  readonly remote: IpAddress;
  readonly remotePort: number;
  readonly local: IpAddress | undefined;
  /** 0: any free one. */
  readonly localPort: number;
}

/**
 * What becomes of a SYN: `"accept"` answers with SYN,ACK, `"refuse"` with RST (RFC 9293 3.10.7.1);
 * `"ignore"` sends and keeps nothing, as if nobody had the address, and asks again when it comes
 * again.
 */
export type SynVerdict = "accept" | "refuse" | "ignore";
