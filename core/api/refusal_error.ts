/**
 * Errors for binds and connects that the core refuses.
 *
 * @module
 */
import type { Binding } from "../stack/binding_table.ts";
import type { BindRefusal } from "../stack/requests.ts";
import type { OwnAddresses } from "../stack/ip/own_addresses.ts";
import { TcpError } from "./errors.ts";
import { formatListenAddress, type ListenAddress } from "./listen_address.ts";

/** Maximum number of the stack's addresses that a message lists. */
const MAX_LISTED = 6;

/** The addresses of the stack, for the errors. */
type Own = Pick<OwnAddresses, "subnets" | "overlaps">;

/** The error for a listen address; `own` are the addresses of the stack. */
export function bindError(
  code: BindRefusal,
  transport: ListenAddress["transport"],
  binding: Binding,
  own: Own,
): TcpError {
  const text = formatListenAddress({ transport, ...binding });
  const what = binding.subnet === undefined && transport === "tcp" ? `Port ${text}` : text;
  if (code === "ADDRESS_IN_USE") return new TcpError(code, `${what} is in use`);
  const isOwn = binding.subnet === undefined || own.overlaps(binding.subnet);
  return isOwn ? new TcpError(code, `${what}: no port is free`) : notOwn(what, own);
}

/** The error for a connection to `remote` from `local`, if that was given. */
export function connectError(
  code: BindRefusal,
  remote: string,
  local: string | undefined,
  own: Own,
): TcpError {
  if (code === "INVALID_ADDRESS") return new TcpError(code, `cannot connect to ${remote}`);
  if (code === "ADDRESS_IN_USE") {
    return new TcpError(code, `the local port of the connection to ${remote} is in use`);
  }
  if (local !== undefined) return notOwn(local, own, ` that can reach ${remote}`);
  return new TcpError(code, `no local address or free port for a connection to ${remote}`);
}

function notOwn(what: string, { subnets }: Own, more = ""): TcpError {
  const listed = subnets.slice(0, MAX_LISTED).map(String).join(", ") || "none";
  const rest = subnets.length > MAX_LISTED ? ` and ${subnets.length - MAX_LISTED} more` : "";
  return new TcpError(
    "ADDRESS_NOT_AVAILABLE",
    `${what}: not an address of this stack${more}; it has ${listed}${rest}`,
  );
}
