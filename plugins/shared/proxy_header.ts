/**
 * The header of the PROXY protocol, versions 1 and 2: what a proxy sends about the client's connection,
 * before all other bytes (proxy-protocol.txt of HAProxy, revision 2020/03/05).
 *
 * @module
 */
import type { HostPort } from "../../core/api/host_port.ts";
import { IpAddress } from "../../core/wire/address.ts";
import { readU16, writeU16 } from "../../core/wire/bytes.ts";

/** Longest v1 header, CRLF included (proxy-protocol.txt 2.1). */
const MAX_TEXT_LENGTH = 107;
/** Longest v2 header accepted. 65,551 bytes are possible; addresses and the TLVs of clouds need less. */
const MAX_BINARY_LENGTH = 4096;

/** The endpoints of the proxied connection. */
export interface ProxyEndpoints {
  /** The transport of the connection. */
  readonly transport: "tcp" | "udp";
  /** The client's address. */
  readonly source: HostPort;
  /** The address that the client connected to. */
  readonly destination: HostPort;
}

/** A header. */
export interface ProxyHeader {
  /** 1 is text, 2 is binary. */
  readonly version: 1 | 2;
  /** Absent for connections of the proxy itself, and if the endpoints are unknown. */
  readonly endpoints?: ProxyEndpoints | undefined;
}

/** Why bytes are not a header. */
export type ProxyHeaderFault =
  | "signature" // of neither version
  | "syntax" // a malformed v1 line
  | "version" // an unknown version or command in v2
  | "family" // an unknown address family or transport in v2
  | "address" // not an address of the family
  | "length"; // too long, or too short for its addresses

/** Result of {@link parseProxyHeader}. */
export type ParsedProxyHeader =
  | { readonly state: "complete"; readonly header: ProxyHeader; readonly length: number }
  | { readonly state: "incomplete" }
  | { readonly state: "malformed"; readonly fault: ProxyHeaderFault };

/**
 * Parses a header at the start of `bytes`, strictly as specified. Bytes that cannot start a header are `malformed` at
 * once; a header is at most 4096 bytes long. Extensions (TLVs) are skipped.
 */
export function parseProxyHeader(bytes: Uint8Array): ParsedProxyHeader {
  if (begins(bytes, SIGNATURE)) return parseBinary(bytes);
  if (begins(bytes, TEXT_PREFIX)) return parseText(bytes);
  return malformed("signature");
}

/**
 * Formats a header. Without endpoints, or with ones that the version cannot express, it is `UNKNOWN`
 * (version 1) or `LOCAL` (version 2): the receiver then uses the addresses of the connection.
 */
export function formatProxyHeader({ version, endpoints }: ProxyHeader): Uint8Array<ArrayBuffer> {
  const source = endpoints && IpAddress.parse(endpoints.source.hostname);
  const destination = endpoints && IpAddress.parse(endpoints.destination.hostname);
  const known = source && destination && source.version === destination.version
    ? { ...endpoints, from: source, to: destination }
    : undefined;
  return version === 1 ? formatText(known) : formatBinary(known);
}

interface KnownEndpoints extends ProxyEndpoints {
  readonly from: IpAddress;
  readonly to: IpAddress;
}

/** Whether `bytes` starts with `prefix`, or with as much of it as has arrived. */
function begins(bytes: Uint8Array, prefix: Uint8Array): boolean {
  const length = Math.min(bytes.length, prefix.length);
  for (let at = 0; at < length; at++) if (bytes[at] !== prefix[at]) return false;
  return true;
}

function malformed(fault: ProxyHeaderFault): ParsedProxyHeader {
  return { state: "malformed", fault };
}

const INCOMPLETE: ParsedProxyHeader = { state: "incomplete" };

// ---------------------------------------------------------------- version 1

const TEXT_PREFIX = new TextEncoder().encode("PROXY ");
const UNKNOWN = /^PROXY UNKNOWN(?: [^\r\n]*)?\r\n$/;
const KNOWN =
  /^PROXY (TCP4|TCP6) ([\da-fA-F.:]+) ([\da-fA-F.:]+) (0|[1-9]\d{0,4}) (0|[1-9]\d{0,4})\r\n$/;

function parseText(bytes: Uint8Array): ParsedProxyHeader {
  const length = bytes.subarray(0, MAX_TEXT_LENGTH).indexOf(0x0a) + 1;
  if (length === 0) return bytes.length < MAX_TEXT_LENGTH ? INCOMPLETE : malformed("length");
  const line = String.fromCharCode(...bytes.subarray(0, length));
  if (UNKNOWN.test(line)) return { state: "complete", header: { version: 1 }, length };

  const [, family, from = "", to = "", sourcePort, destinationPort] = KNOWN.exec(line) ?? [];
  if (family === undefined) return malformed("syntax");
  const source = endpoint(from, family, Number(sourcePort));
  const destination = endpoint(to, family, Number(destinationPort));
  if (source === undefined || destination === undefined) return malformed("address");
  const endpoints: ProxyEndpoints = { transport: "tcp", source, destination };
  return { state: "complete", header: { version: 1, endpoints }, length };
}

function endpoint(text: string, family: string, port: number): HostPort | undefined {
  const address = text.includes(":") === (family === "TCP6") ? IpAddress.parse(text) : undefined;
  return address && port <= 65_535 ? { hostname: address.toString(), port } : undefined;
}

function formatText(known: KnownEndpoints | undefined): Uint8Array<ArrayBuffer> {
  if (known?.transport !== "tcp") return new TextEncoder().encode("PROXY UNKNOWN\r\n");
  const { from, to, source, destination } = known;
  const line = `PROXY TCP${from.version} ${from} ${to} ${source.port} ${destination.port}\r\n`;
  return new TextEncoder().encode(line);
}

// ---------------------------------------------------------------- version 2

const SIGNATURE = new Uint8Array([13, 10, 13, 10, 0, 13, 10, 81, 85, 73, 84, 10]);
/** Signature, version and command, family and transport, length of what follows. */
const FIXED_LENGTH = 16;
const LOCAL = 0x20;
const PROXY = 0x21;

interface Family {
  readonly transport?: "tcp" | "udp";
  /** Bytes of one address; with a transport, two addresses and two ports follow. */
  readonly addressLength: number;
  /** Bytes of all addresses. */
  readonly length: number;
}

/** By the byte that names family and transport (proxy-protocol.txt 2.2). */
const FAMILIES: Readonly<Record<number, Family>> = {
  0x00: { addressLength: 0, length: 0 },
  0x11: { transport: "tcp", addressLength: 4, length: 12 },
  0x12: { transport: "udp", addressLength: 4, length: 12 },
  0x21: { transport: "tcp", addressLength: 16, length: 36 },
  0x22: { transport: "udp", addressLength: 16, length: 36 },
  // Unix sockets: their paths are ignored.
  0x31: { addressLength: 108, length: 216 },
  0x32: { addressLength: 108, length: 216 },
};

function parseBinary(bytes: Uint8Array): ParsedProxyHeader {
  const command = bytes[12];
  if (command !== undefined && command !== LOCAL && command !== PROXY) return malformed("version");
  if (bytes.length < FIXED_LENGTH) return INCOMPLETE;
  const length = FIXED_LENGTH + readU16(bytes, 14);
  const family = FAMILIES[bytes[13]!];
  // LOCAL: the family is ignored (proxy-protocol.txt 2.2).
  if (command === PROXY && family === undefined) return malformed("family");
  const least = command === PROXY ? FIXED_LENGTH + family!.length : FIXED_LENGTH;
  if (length < least || length > MAX_BINARY_LENGTH) return malformed("length");
  if (bytes.length < length) return INCOMPLETE;
  const endpoints = command === PROXY ? readEndpoints(bytes, family!) : undefined;
  return { state: "complete", header: { version: 2, endpoints }, length };
}

function readEndpoints(bytes: Uint8Array, family: Family): ProxyEndpoints | undefined {
  const { transport, addressLength } = family;
  if (transport === undefined) return undefined;
  const read = addressLength === 4 ? IpAddress.readV4 : IpAddress.readV6;
  const portsAt = FIXED_LENGTH + 2 * addressLength;
  const at = (index: number): HostPort => ({
    hostname: read(bytes, FIXED_LENGTH + index * addressLength).toString(),
    port: readU16(bytes, portsAt + 2 * index),
  });
  return { transport, source: at(0), destination: at(1) };
}

function formatBinary(known: KnownEndpoints | undefined): Uint8Array<ArrayBuffer> {
  const addressLength = known === undefined ? 0 : known.from.isV4 ? 4 : 16;
  const length = known === undefined ? 0 : 2 * addressLength + 4;
  const bytes = new Uint8Array(FIXED_LENGTH + length);
  bytes.set(SIGNATURE);
  bytes[12] = known === undefined ? LOCAL : PROXY;
  writeU16(bytes, 14, length);
  if (known === undefined) return bytes;
  bytes[13] = (addressLength === 4 ? 0x10 : 0x20) | (known.transport === "tcp" ? 1 : 2);
  known.from.write(bytes, FIXED_LENGTH);
  known.to.write(bytes, FIXED_LENGTH + addressLength);
  writeU16(bytes, FIXED_LENGTH + 2 * addressLength, known.source.port);
  writeU16(bytes, FIXED_LENGTH + 2 * addressLength + 2, known.destination.port);
  return bytes;
}
