/**
 * The fields of a received IP header.
 *
 * @module
 */

/** The fields of a packet's header that later steps need; the object is reused. */
export class IpHeader {
  version: 4 | 6 = 4;
  /** Protocol number of what follows the header and its extension headers. */
  protocol = 0;
  /** TTL or hop limit. */
  hopLimit = 0;
  /** Type of service or traffic class; its low two bits are ECN (RFC 3168). */
  trafficClass = 0;
  /** Source address as the words of an `IpAddress`. */
  s0 = 0;
  s1 = 0;
  s2 = 0;
  s3 = 0;
  /** Destination address, likewise. */
  d0 = 0;
  d1 = 0;
  d2 = 0;
  d3 = 0;
  /** Start and end of the payload in the packet. */
  payloadStart = 0;
  payloadEnd = 0;
  /**
   * The packet is a fragment: the fields below are valid, and `protocol` is the IPv4 protocol field or the next-header
   * field of the fragment header.
   */
  isFragment = false;
  /** Identification: 16 bits, or 32 with IPv6. */
  fragmentId = 0;
  /** Fragment offset in bytes. */
  fragmentOffset = 0;
  /** More fragments follow. */
  moreFragments = false;
  /**
   * IPv6: offset of the next-header byte that gives the type of the payload. In a fragment, it is
   * the byte that announces the fragment header, whose 8 bytes precede the payload.
   */
  nextHeaderAt = 0;
  /** ICMP error to send about a refused packet, if any. */
  error: IpError | undefined = undefined;
}

/** An ICMP error; `rest` is the four bytes after its checksum. */
export interface IpError {
  readonly type: number;
  readonly code: number;
  readonly rest: number;
}

/**
 * The fields of a packet that a reply depends on: addresses, length and the offset of its protocol
 * field.
 */
export type AnsweredHeader = Pick<
  IpHeader,
  "version" | "s0" | "s1" | "s2" | "s3" | "d0" | "d1" | "d2" | "d3" | "payloadEnd" | "nextHeaderAt"
>;
