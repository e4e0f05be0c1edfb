/**
 * Conversion of addresses between the public and the internal form.
 *
 * @module
 */
import { IpAddress } from "../wire/address.ts";
import { TcpError } from "./errors.ts";
import { type HostPort, parseHostPort } from "./host_port.ts";
import type { NetAddr, SocketAddress } from "./types.ts";

/** An address and a port. */
export interface Endpoint {
  readonly address: IpAddress;
  readonly port: number;
}

/** An address and a port as `Deno.NetAddr`. */
export function netAddr(
  address: IpAddress,
  port: number,
  transport: NetAddr["transport"] = "tcp",
): NetAddr {
  return { transport, hostname: address.toString(), port };
}

/** The text of an address of 4 or 16 bytes; an IPv4-mapped address is written as IPv4. */
export function addressText(bytes: Uint8Array): string {
  return (bytes.length === 4 ? IpAddress.readV4(bytes, 0) : IpAddress.readV6(bytes, 0)).toString();
}

/** The 4 or 16 bytes of an IP address in text form; `undefined` for anything else. */
export function addressBytes(text: string): Uint8Array<ArrayBuffer> | undefined {
  const address = IpAddress.parse(text);
  if (address === undefined) return undefined;
  const bytes = new Uint8Array(address.isV4 ? 4 : 16);
  address.write(bytes, 0);
  return bytes;
}

/** 4 or 6 for an IP address in text form, `undefined` for anything else. */
export function ipVersionOf(text: string): 4 | 6 | undefined {
  return text.startsWith("[") ? undefined : IpAddress.parse(text)?.version;
}

/**
 * Reads a {@link SocketAddress}.
 *
 * @throws {TypeError} It is neither text nor an object with a hostname and a port.
 * @throws {TcpError} `INVALID_ADDRESS`: it is not an IP address with a port; names are not looked up.
 */
export function parseEndpoint(address: SocketAddress): Endpoint {
  requireAddress(address);
  const { hostname, port } = typeof address === "string" ? splitEndpoint(address) : address;
  const parsed = IpAddress.parse(hostname);
  if (parsed === undefined) {
    throw new TcpError(
      "INVALID_ADDRESS",
      `"${hostname}" is not an IP address; resolve names before you connect`,
    );
  }
  if (!Number.isInteger(port) || port < 1 || port > 65535) {
    throw new TcpError("INVALID_ADDRESS", `${port} is not a port; use 1 to 65535`);
  }
  return { address: parsed, port };
}

/** For callers without a type checker. */
function requireAddress(address: unknown): void {
  if (typeof address === "string") return;
  const { hostname, port } = Object(address) as Partial<Record<string, unknown>>;
  if (typeof hostname === "string" && typeof port === "number") return;
  const given = typeof address === "number" ? `the number ${address}` : showValue(address);
  throw new TypeError(
    `expected an address such as "10.0.0.2:80" or { hostname: "10.0.0.2", port: 80 }, got ${given}`,
  );
}

function showValue(value: unknown): string {
  if (typeof value !== "object" || value === null) return String(value);
  return Object.getPrototypeOf(value) === Object.prototype ? JSON.stringify(value) : "an object";
}

function splitEndpoint(text: string): HostPort {
  const parsed = parseHostPort(text);
  if (parsed !== undefined) return parsed;
  throw new TcpError(
    "INVALID_ADDRESS",
    `"${text}" is not an address; write "10.0.0.2:80" or "[fd00::2]:80"`,
  );
}
