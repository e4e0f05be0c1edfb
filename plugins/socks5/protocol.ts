/**
 * The messages of SOCKS version 5 (RFC 1928, RFC 1929).
 *
 * @module
 */
import { addressBytes, addressText } from "../../core/api/addresses.ts";
import { TcpError } from "../../core/api/errors.ts";
import type { HostPort } from "../../core/api/host_port.ts";
import type { TcpSocket } from "../../core/api/types.ts";
import type { OutboundFault } from "../shared/outbound.ts";
import { readExactly } from "../shared/read_exactly.ts";

/** The version of SOCKS, at the start of requests and replies (RFC 1928 3). */
export const VERSION = 5;
/** The version of the exchange of name and password (RFC 1929 2). */
export const AUTHENTICATION_VERSION = 1;

/** Methods of authentication (RFC 1928 3). */
export const METHOD = { NONE: 0x00, PASSWORD: 0x02, NO_ACCEPTABLE: 0xff } as const;

/** Commands of requests (RFC 1928 4). */
export const COMMAND = { CONNECT: 1, BIND: 2, UDP_ASSOCIATE: 3 } as const;

/** Address types (RFC 1928 5). */
export const ADDRESS_TYPE = { V4: 1, NAME: 3, V6: 4 } as const;

/** Codes of replies (RFC 1928 6). */
export const REPLY = {
  SUCCEEDED: 0,
  GENERAL_FAILURE: 1,
  NOT_ALLOWED: 2,
  HOST_UNREACHABLE: 4,
  REFUSED: 5,
  TTL_EXPIRED: 6,
  COMMAND_NOT_SUPPORTED: 7,
  ADDRESS_TYPE_NOT_SUPPORTED: 8,
} as const;

/** Reply codes for connections that failed. There is none for a timeout. */
export const REPLY_TO: Readonly<Record<OutboundFault, number>> = {
  "denied": REPLY.NOT_ALLOWED,
  "no-name": REPLY.ADDRESS_TYPE_NOT_SUPPORTED,
  "unknown-name": REPLY.HOST_UNREACHABLE,
  "refused": REPLY.REFUSED,
  "unreachable": REPLY.HOST_UNREACHABLE,
  "timed-out": REPLY.TTL_EXPIRED,
  "failed": REPLY.GENERAL_FAILURE,
};

/** A client's request (RFC 1928 4). */
export interface Request {
  readonly command: number;
  /** `undefined`: an unknown address type; nothing after it was read. */
  readonly target: HostPort | undefined;
}

/**
 * The next `count` bytes, and none after them: those belong to the target.
 *
 * @throws {TcpError} The connection ended or broke before.
 */
export async function readPart(socket: TcpSocket, count: number): Promise<Uint8Array> {
  const bytes = await readExactly(socket, count);
  if (bytes !== undefined) return bytes;
  throw new TcpError("CONNECTION_RESET", "the client ended within a SOCKS message");
}

/** The rest of a message that begins with its length. */
export async function readCounted(socket: TcpSocket): Promise<Uint8Array> {
  const [length = 0] = await readPart(socket, 1);
  return await readPart(socket, length);
}

/** Reads the request; `undefined` if it has another version. */
export async function readRequest(socket: TcpSocket): Promise<Request | undefined> {
  const [version, command = 0, _reserved, type = 0] = await readPart(socket, 4);
  if (version !== VERSION) return undefined;
  const hostname = await readAddress(socket, type);
  if (hostname === undefined) return { command, target: undefined };
  const [high = 0, low = 0] = await readPart(socket, 2);
  return { command, target: { hostname, port: high << 8 | low } };
}

/** Reads an address of a type (RFC 1928 5); `undefined`: the type is unknown. */
async function readAddress(socket: TcpSocket, type: number): Promise<string | undefined> {
  switch (type) {
    case ADDRESS_TYPE.V4:
      return addressText(await readPart(socket, 4));
    case ADDRESS_TYPE.V6:
      return addressText(await readPart(socket, 16));
    case ADDRESS_TYPE.NAME:
      return new TextDecoder().decode(await readCounted(socket));
    default:
      return undefined;
  }
}

/**
 * A reply (RFC 1928 6); `bound` is the address to which a client of UDP ASSOCIATE sends its
 * datagrams.
 */
export function replyOf(code: number, bound: HostPort = UNSPECIFIED): Uint8Array<ArrayBuffer> {
  return Uint8Array.of(VERSION, code, 0, ...encodeAddress(bound));
}

/** The bound address after CONNECT: clients do not use it. */
const UNSPECIFIED: HostPort = { hostname: "0.0.0.0", port: 0 };

/** ATYP, address and port (RFC 1928 5). */
export function encodeAddress({ hostname, port }: HostPort): number[] {
  const address = addressBytes(hostname);
  if (address === undefined) throw new TypeError(`${hostname} is not an IP address`);
  const type = address.length === 4 ? ADDRESS_TYPE.V4 : ADDRESS_TYPE.V6;
  return [type, ...address, port >> 8, port & 0xff];
}
