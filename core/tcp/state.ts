/**
 * The states of a connection (RFC 9293 3.3.2), their properties and their transitions.
 *
 * @module
 */
/** RFC 9293 figure 5, in the RFC's spelling. */
export type TcpState =
  | "CLOSED"
  | "LISTEN"
  | "SYN-SENT"
  | "SYN-RECEIVED"
  | "ESTABLISHED"
  | "FIN-WAIT-1"
  | "FIN-WAIT-2"
  | "CLOSE-WAIT"
  | "CLOSING"
  | "LAST-ACK"
  | "TIME-WAIT";

/** Why a connection ended; `undefined` if it ended without an error. */
export type EndReason =
  | "CONNECTION_REFUSED"
  | "CONNECTION_RESET"
  | "CONNECTION_ABORTED"
  | "TIMED_OUT"
  | "UNREACHABLE"
  | "ADDRESS_NOT_AVAILABLE"
  | "STACK_CLOSED"
  | "CONNECTION_MOVED";

interface Properties {
  /** Each side knows the other's initial sequence number (RFC 9293 3.5.2). */
  readonly synchronized: boolean;
  /** The application may write. */
  readonly canSend: boolean;
  /** Text from the peer is accepted. */
  readonly takesText: boolean;
  readonly to: readonly TcpState[];
}

/**
 * CLOSE-WAIT to CLOSING and FIN-WAIT-2 to CLOSING exist only in profile `local`, where CLOSING means
 * that both directions have ended and the application has not closed yet.
 */
export const STATES: Readonly<Record<TcpState, Properties>> = {
  "CLOSED": properties("", ["SYN-SENT", "SYN-RECEIVED"]),
  "LISTEN": properties("", ["SYN-RECEIVED"]),
  "SYN-SENT": properties("send", ["ESTABLISHED", "SYN-RECEIVED", "CLOSED"]),
  "SYN-RECEIVED": properties("send text", ["ESTABLISHED", "FIN-WAIT-1", "CLOSED"]),
  "ESTABLISHED": properties("synchronized send text", ["FIN-WAIT-1", "CLOSE-WAIT", "CLOSED"]),
  "FIN-WAIT-1": properties("synchronized text", ["FIN-WAIT-2", "CLOSING", "TIME-WAIT", "CLOSED"]),
  "FIN-WAIT-2": properties("synchronized text", ["TIME-WAIT", "CLOSING", "CLOSED"]),
  "CLOSE-WAIT": properties("synchronized send", ["LAST-ACK", "CLOSING", "CLOSED"]),
  "CLOSING": properties("synchronized", ["TIME-WAIT", "CLOSED"]),
  "LAST-ACK": properties("synchronized", ["CLOSED"]),
  "TIME-WAIT": properties("synchronized", ["CLOSED"]),
};

function properties(are: string, to: TcpState[]): Properties {
  return {
    synchronized: are.includes("synchronized"),
    canSend: are.includes("send"),
    takesText: are.includes("text"),
    to,
  };
}

/** The part of a `Tcb` that {@link transition} uses. */
interface WithState {
  state: TcpState;
  readonly environment: { readonly counts: { readonly states: Record<TcpState, number> } };
}

/**
 * Changes the state. Throws if {@link STATES} lacks the transition, which would be a bug in this
 * stack.
 */
export function transition(tcb: WithState, to: TcpState): void {
  const { states } = tcb.environment.counts;
  if (!STATES[tcb.state].to.includes(to)) {
    throw new Error(`illegal transition from ${tcb.state} to ${to}`);
  }
  if (tcb.state !== "CLOSED") states[tcb.state]--;
  if (to !== "CLOSED") states[to]++;
  tcb.state = to;
}
