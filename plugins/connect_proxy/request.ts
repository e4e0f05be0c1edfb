/**
 * The head of a request to a proxy (RFC 9112 3, RFC 9110 9.3.6).
 *
 * @module
 */
import { type HostPort, parseHostPort } from "../../core/api/host_port.ts";
import type { TcpSocket } from "../../core/api/types.ts";
import { MAX_EMPTY_LINES } from "../shared/empty_lines.ts";

/** Largest head, in bytes. */
const MAX_HEAD = 16 * 1024;

/** A client's request. */
export interface ConnectRequest {
  readonly target: HostPort;
  /** User name and password (RFC 7617), if the request has any. */
  readonly credentials: { readonly name: string; readonly password: string } | undefined;
  /** Bytes after the head, which belong to the target. */
  readonly rest: Uint8Array<ArrayBuffer>;
}

/** Status code of a response that ends the connection. */
export type ConnectRefusal = 400 | 403 | 405 | 407 | 431 | 502 | 504 | 505;

/**
 * Reads the request. Returns the status to refuse it with if it is not valid, or `undefined` if the
 * client closed without a request.
 */
export async function readConnectRequest(
  socket: TcpSocket,
): Promise<ConnectRequest | ConnectRefusal | undefined> {
  const buffer = new Uint8Array(MAX_HEAD);
  let length = 0;
  for (;;) {
    const size = await socket.read(buffer.subarray(length));
    if (size === null) return length === 0 ? undefined : 400;
    const from = Math.max(0, length - 3);
    length += size;
    const end = endOfHead(buffer.subarray(0, length), Math.max(from, skipped(buffer)));
    if (end !== undefined) {
      const request = parse(String.fromCharCode(...buffer.subarray(skipped(buffer), end - 4)));
      return typeof request === "number"
        ? request
        : { ...request, rest: buffer.slice(end, length) };
    }
    if (length === MAX_HEAD) return 431;
  }
}

/** Length of the empty lines before the request line, which are ignored (RFC 9112 2.2). */
function skipped(bytes: Uint8Array): number {
  let at = 0;
  while (at < 2 * MAX_EMPTY_LINES && bytes[at] === 13 && bytes[at + 1] === 10) at += 2;
  return at;
}

/** Index after the empty line that ends the head; `undefined`: it has not arrived yet. */
function endOfHead(bytes: Uint8Array, from: number): number | undefined {
  for (let at = bytes.indexOf(13, from); at >= 0; at = bytes.indexOf(13, at + 1)) {
    if (bytes[at + 1] === 10 && bytes[at + 2] === 13 && bytes[at + 3] === 10) return at + 4;
  }
  return undefined;
}

const REQUEST_LINE = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+) ([!-~]+) HTTP\/(\d)\.(\d)$/;
const FIELD = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\t -~\x80-\xff]*?)[ \t]*$/;
/** `uri-host [ ":" port ]`, or nothing (RFC 9110 7.2). */
const AUTHORITY =
  /^(?:\[[0-9A-Fa-f:.]+\]|(?:[A-Za-z0-9._~!$&'()*+,;=-]|%[0-9A-Fa-f]{2})*)(?::[0-9]{0,5})?$/;

function parse(head: string): Omit<ConnectRequest, "rest"> | ConnectRefusal {
  const [line = "", ...lines] = head.split("\r\n");
  const [, method, target = "", major, minor] = REQUEST_LINE.exec(line) ?? [];
  if (method === undefined) return 400;
  if (major !== "1") return 505;
  const fields = lines.map((text) => FIELD.exec(text));
  if (fields.includes(null)) return 400;
  if (method !== "CONNECT") return 405;
  // A CONNECT has no content; if it claims to have any, two servers could interpret it differently.
  const valuesOf = (name: string) =>
    fields.filter((field) => field![1]!.toLowerCase() === name).map((field) => field![2]!);
  // RFC 9112 3.2
  const hosts = valuesOf("host");
  if (hosts.length > 1 || (hosts.length === 0 && minor !== "0")) return 400;
  if (hosts.some((host) => !AUTHORITY.test(host))) return 400;
  if (valuesOf("transfer-encoding").length > 0) return 400;
  if (valuesOf("content-length").some((value) => value !== "0")) return 400;
  const address = parseHostPort(target);
  if (!address || address.port === 0) return 400;
  const shown = valuesOf("proxy-authorization");
  if (shown.length > 1) return 400;
  return { target: address, credentials: parseBasic(shown[0] ?? "") };
}

/** The user name and password of the scheme Basic (RFC 7617 2); `undefined`: there are none. */
function parseBasic(field: string): ConnectRequest["credentials"] {
  const [, encoded] = /^basic +([A-Za-z0-9+/]+=*)$/i.exec(field) ?? [];
  if (encoded === undefined) return undefined;
  try {
    const bytes = Uint8Array.from(atob(encoded), (char) => char.charCodeAt(0));
    const [, name, password] = /^([^:]*):([^]*)$/.exec(new TextDecoder().decode(bytes)) ?? [];
    return name === undefined || password === undefined ? undefined : { name, password };
  } catch {
    return undefined;
  }
}
