/**
 * The list of connections in a message without a packet: the sender has taken them over from the instance that
 * their segments identify.
 *
 *     0  family: 4 or 6    1  mark    2  local port    4  remote port    6  local address    remote address
 *
 * @module
 */
import { IpAddress } from "../../wire/address.ts";
import { readU16, writeU16 } from "../../wire/bytes.ts";

/** A connection that has moved to another instance. */
export interface AnnouncedConnection {
  readonly local: IpAddress;
  readonly localPort: number;
  readonly remote: IpAddress;
  readonly remotePort: number;
  /** The instance that its segments identify, or `NO_MARK`. */
  readonly mark: number;
}

/** Fits into a datagram of the smallest MTU of IPv6 (RFC 8200 5), with the headers. */
const MAX_LIST_BYTES = 1152;
const FIXED_BYTES = 6;

/** Divides connections into lists, each of which fits into a message. */
export function* announcements(
  connections: Iterable<AnnouncedConnection>,
): Generator<Uint8Array<ArrayBuffer>> {
  const bytes = new Uint8Array(MAX_LIST_BYTES);
  let at = 0;
  for (const { local, localPort, remote, remotePort, mark } of connections) {
    if (at + FIXED_BYTES + 2 * (local.isV4 ? 4 : 16) > MAX_LIST_BYTES) {
      yield bytes.slice(0, at);
      at = 0;
    }
    bytes[at] = local.version;
    bytes[at + 1] = mark;
    writeU16(bytes, at + 2, localPort);
    writeU16(bytes, at + 4, remotePort);
    at += FIXED_BYTES;
    at += local.write(bytes, at);
    at += remote.write(bytes, at);
  }
  if (at > 0) yield bytes.slice(0, at);
}

/** The connections of a list, up to the first entry of another format. */
export function* announced(list: Uint8Array): Generator<AnnouncedConnection> {
  for (let at = 0; at + FIXED_BYTES <= list.length;) {
    const family = list[at]!;
    const size = family === 4 ? 4 : 16;
    const end = at + FIXED_BYTES + 2 * size;
    if ((family !== 4 && family !== 6) || end > list.length) return;
    const read = family === 4 ? IpAddress.readV4 : IpAddress.readV6;
    yield {
      local: read(list, end - 2 * size),
      localPort: readU16(list, at + 2),
      remote: read(list, end - size),
      remotePort: readU16(list, at + 4),
      mark: list[at + 1]!,
    };
    at = end;
  }
}
