/**
 * Constants of DNS messages (RFC 1035 4.1.1).
 *
 * @module
 */

/** RFC 1035 4.1.1, RFC 6895 2.3. */
export const RCODE = {
  NOERROR: 0,
  FORMERR: 1,
  SERVFAIL: 2,
  NXDOMAIN: 3,
  NOTIMP: 4,
  REFUSED: 5,
  BADVERS: 16,
} as const;

/** Record and query types with special handling (RFC 6895 3.1). */
export const TYPE = {
  A: 1,
  CNAME: 5,
  SOA: 6,
  TXT: 16,
  AAAA: 28,
  OPT: 41,
  TKEY: 249,
  TSIG: 250,
  IXFR: 251,
  AXFR: 252,
  MAILB: 253,
  MAILA: 254,
  ANY: 255,
} as const;

/** Class IN. */
export const CLASS_IN = 1;

/** Flags in the second 16 bits of the header. */
export const FLAG = {
  QR: 0x8000,
  OPCODE: 0x7800,
  AA: 0x0400,
  TC: 0x0200,
  RD: 0x0100,
  RA: 0x0080,
} as const;

/** Length of the header. */
export const HEADER_LENGTH = 12;
