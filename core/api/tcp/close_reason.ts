/**
 * Why connections end, in words.
 *
 * @module
 */
import type { EndReason } from "../../tcp/state.ts";

/** A sentence that says how the connection to `remote` ended. */
export function describeCloseReason(reason: EndReason, remote: string): string {
  return TEXTS[reason].replace("%", remote);
}

const TEXTS: Readonly<Record<EndReason, string>> = {
  CONNECTION_REFUSED: "% refused the connection",
  CONNECTION_RESET: "% reset the connection",
  CONNECTION_ABORTED: "The connection to % was aborted by this side",
  TIMED_OUT: "% did not answer in time",
  UNREACHABLE: "% is unreachable",
  ADDRESS_NOT_AVAILABLE: "The local address of the connection to % was removed",
  STACK_CLOSED: "The stack was closed while connected to %",
  CONNECTION_MOVED: "The connection to % has moved to another stack",
};
