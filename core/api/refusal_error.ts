/**
 * Errors for binds and connects that the core refuses.
 *
 * @module
 */
import type { BindRefusal } from "../stack/requests.ts";
import { TcpError } from "./errors.ts";

const MESSAGES: Readonly<Record<BindRefusal, string>> = {
  ADDRESS_IN_USE: "% is in use",
  ADDRESS_NOT_AVAILABLE: "%: not an address of this stack, or no free port",
  INVALID_ADDRESS: "cannot connect to %",
};

/** The error for `what`, a listen address or a remote address. */
export function refusalError(code: BindRefusal, what: string): TcpError {
  return new TcpError(code, MESSAGES[code].replace("%", what));
}
