/**
 * The states of a connection (RFC 9293 3.3.2): their facts, their legal successors, and the one
 * door through which a connection changes its state.
 *
 * @module
 */
/** RFC 9293 figure 5, in RFC spelling: it is what logs, tests and people read. */
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

/** Why a connection ended, `undefined` when it ended well. */
export type EndReason =
  | "CONNECTION_REFUSED"
  | "CONNECTION_RESET"
  | "CONNECTION_ABORTED"
  | "TIMED_OUT"
  | "UNREACHABLE"
  | "ADDRESS_NOT_AVAILABLE"
  | "STACK_CLOSED";

interface Facts {
  /** Both sides know both sequence numbers (RFC 9293 3.5.2). */
  readonly synchronized: boolean;
  /** The application may write. */
  readonly canSend: boolean;
  /** Text from the peer is taken. */
  readonly takesText: boolean;
  readonly to: readonly TcpState[];
}

/**
 * CLOSE-WAIT and FIN-WAIT-2 to CLOSING are arrows of profile `local` alone: there CLOSING stands
 * for "both directions have ended, the application has not closed yet".
 */
export const STATES: Readonly<Record<TcpState, Facts>> = {
  "CLOSED": facts("", ["SYN-SENT", "SYN-RECEIVED"]),
  "LISTEN": facts("", ["SYN-RECEIVED"]),
  "SYN-SENT": facts("send", ["ESTABLISHED", "SYN-RECEIVED", "CLOSED"]),
  "SYN-RECEIVED": facts("send text", ["ESTABLISHED", "FIN-WAIT-1", "CLOSED"]),
  "ESTABLISHED": facts("synchronized send text", ["FIN-WAIT-1", "CLOSE-WAIT", "CLOSED"]),
  "FIN-WAIT-1": facts("synchronized text", ["FIN-WAIT-2", "CLOSING", "TIME-WAIT", "CLOSED"]),
  "FIN-WAIT-2": facts("synchronized text", ["TIME-WAIT", "CLOSING", "CLOSED"]),
  "CLOSE-WAIT": facts("synchronized send", ["LAST-ACK", "CLOSING", "CLOSED"]),
  "CLOSING": facts("synchronized", ["TIME-WAIT", "CLOSED"]),
  "LAST-ACK": facts("synchronized", ["CLOSED"]),
  "TIME-WAIT": facts("synchronized", ["CLOSED"]),
};

function facts(are: string, to: TcpState[]): Facts {
  return {
    synchronized: are.includes("synchronized"),
    canSend: are.includes("send"),
    takesText: are.includes("text"),
    to,
  };
}

/** Changes the state; an arrow that is not in {@link STATES} is a fault of this stack. */
export function transition(tcb: { state: TcpState }, to: TcpState): void {
  if (!STATES[tcb.state].to.includes(to)) {
    throw new Error(`illegal transition from ${tcb.state} to ${to}`);
  }
  tcb.state = to;
}
