/**
 * Parses queries (RFC 1035 4.1, RFC 6891).
 *
 * @module
 */
import { readU16 } from "../../core/wire/bytes.ts";
import { readName, type WireName } from "./domain_name.ts";
import { FLAG, HEADER_LENGTH, RCODE, TYPE } from "./wire.ts";

/** Maximum number of additional records: OPT and one more, such as TSIG. */
const MAX_ADDITIONALS = 2;

/** A client's query. */
export interface Query {
  /** The whole message. */
  readonly bytes: Uint8Array;
  /** Index after the question. */
  readonly questionEnd: number;
  readonly name: WireName;
  /** A record type, such as those in {@link TYPE}. */
  readonly type: number;
  /** A class; 1 is IN. */
  readonly class: number;
  /** EDNS (RFC 6891), if the client uses it. */
  readonly edns: Edns | undefined;
}

/** The client's OPT record. */
export interface Edns {
  readonly payloadSize: number;
  readonly version: number;
  /** DNSSEC OK (RFC 3225). */
  readonly flags: number;
}

/**
 * Parses a query. Returns the RCODE to answer with if it is not valid, or `undefined` if it is not
 * a query and gets no answer.
 */
export function parseQuery(bytes: Uint8Array): Query | number | undefined {
  if (bytes.length < HEADER_LENGTH) return undefined;
  const flags = readU16(bytes, 2);
  // Answering a response could start an endless exchange.
  if ((flags & FLAG.QR) !== 0) return undefined;
  if ((flags & FLAG.OPCODE) !== 0) return RCODE.NOTIMP;
  const [questions, answers, authorities, additionals] = [4, 6, 8, 10]
    .map((at) => readU16(bytes, at));
  if (questions !== 1 || answers !== 0 || authorities !== 0) return RCODE.FORMERR;
  if (additionals! > MAX_ADDITIONALS) return RCODE.FORMERR;
  // The first name cannot be compressed: there is nothing before it to point to.
  const question = readName(bytes, HEADER_LENGTH);
  if (question === undefined || question.end + 4 > bytes.length) return RCODE.FORMERR;
  if (question.end - HEADER_LENGTH !== question.name.length) return RCODE.FORMERR;
  const questionEnd = question.end + 4;
  const edns = parseAdditionals(bytes, questionEnd, additionals!);
  if (typeof edns === "number") return edns;
  return {
    bytes,
    questionEnd,
    name: question.name,
    type: readU16(bytes, question.end),
    class: readU16(bytes, question.end + 2),
    edns,
  };
}

/** The OPT record, if there is one; a number is the RCODE of an error. */
function parseAdditionals(
  bytes: Uint8Array,
  start: number,
  count: number,
): Edns | number | undefined {
  let edns: Edns | undefined;
  let at = start;
  for (let i = 0; i < count; i++) {
    const owner = readName(bytes, at);
    if (owner === undefined || owner.end + 10 > bytes.length) return RCODE.FORMERR;
    const dataStart = owner.end + 10;
    const dataEnd = dataStart + readU16(bytes, dataStart - 2);
    if (dataEnd > bytes.length) return RCODE.FORMERR;
    if (readU16(bytes, owner.end) === TYPE.OPT) {
      // At most one, whose name is the root (RFC 6891 6.1.1, 6.1.2).
      if (edns !== undefined || bytes[at] !== 0) return RCODE.FORMERR;
      edns = {
        payloadSize: readU16(bytes, owner.end + 2),
        version: bytes[owner.end + 5]!,
        flags: readU16(bytes, owner.end + 6),
      };
      // The format of options is known for version 0 only.
      if (edns.version === 0 && !areOptions(bytes, dataStart, dataEnd)) return RCODE.FORMERR;
    }
    at = dataEnd;
  }
  return edns;
}

/** RFC 6891 6.1.2: each option is a code, a length and that many bytes. */
function areOptions(bytes: Uint8Array, start: number, end: number): boolean {
  let at = start;
  while (at + 4 <= end) at += 4 + readU16(bytes, at + 2);
  return at === end;
}
