/**
 * What the core refuses, as an error.
 *
 * @module
 */
import type { BindRefusal } from "../stack/requests.ts";
import { TcpError } from "./errors.ts";

const MESSAGES: Readonly<Record<BindRefusal, string>> = {
  ADDRESS_IN_USE: "% is in use",
  ADDRESS_NOT_AVAILABLE: "%: no own address or no free port for it",
  INVALID_ADDRESS: "% cannot be connected to",
};

/** Why there is no `what`, which is a place or an address. */
export function refusalError(code: BindRefusal, what: string): TcpError {
  return new TcpError(code, MESSAGES[code].replace("%", what));
}
