/**
 * DNS messages (RFC 1035 4): queries read, replies written. A reply repeats the question byte for
 * byte, so that it is found again whatever is in it.
 *
 * @module
 */
import { type Answer, answer as record, decode } from "@dnsquery/dns-packet";

/** RFC 1035 4.1.1, RFC 6895 2.3. */
export const RCODE: {
  readonly NOERROR: 0;
  readonly FORMERR: 1;
  readonly SERVFAIL: 2;
  readonly NXDOMAIN: 3;
  readonly NOTIMP: 4;
  readonly REFUSED: 5;
  readonly BADVERS: 16;
} = { NOERROR: 0, FORMERR: 1, SERVFAIL: 2, NXDOMAIN: 3, NOTIMP: 4, REFUSED: 5, BADVERS: 16 };

/** Bits of the header's second word. */
const FLAG = { QR: 0x8000, AA: 0x0400, TC: 0x0200, RD: 0x0100, RA: 0x0080 };

export const HEADER_LENGTH = 12;
/** Without EDNS (RFC 1035 4.2.1). */
const LEAST_UDP_LENGTH = 512;
/** What passes every path without fragments (RFC 9715 3.2). */
export const MOST_UDP_LENGTH = 1232;
/** OPT and one more, which may be a signature. */
const MAX_ADDITIONALS = 2;

/** What a client asks. */
export interface Query {
  /** The whole message. */
  readonly bytes: Uint8Array;
  /** Where its question ends. */
  readonly questionEnd: number;
  /** In lower case, without the last dot; `""` is the root. */
  readonly name: string;
  /** As `AAAA`. */
  readonly type: string;
  /** As `IN`. */
  readonly class: string;
  /** EDNS (RFC 6891), where the client speaks it. */
  readonly edns: Edns | undefined;
}

/** What the client's OPT record says. */
export interface Edns {
  readonly payloadSize: number;
  readonly version: number;
  /** DNSSEC OK (RFC 3225). */
  readonly flags: number;
}

/** What to answer. */
export interface Reply {
  /** One of {@link RCODE}. */
  readonly rcode: number;
  readonly answers?: readonly Answer[];
  /** The answer is this server's own. */
  readonly isAuthoritative?: boolean;
}

/**
 * Reads a query. A number is the code of the error it is to be answered with; `undefined`: it is
 * not to be answered, since it is none.
 */
export function parseQuery(bytes: Uint8Array): Query | number | undefined {
  if (bytes.length < HEADER_LENGTH) return undefined;
  const flags = readU16(bytes, 2);
  // An answer to an answer would be answered again.
  if ((flags & FLAG.QR) !== 0) return undefined;
  if ((flags & 0x7800) !== 0) return RCODE.NOTIMP;
  const [questions, answers, authorities, additionals] = [4, 6, 8, 10]
    .map((at) => readU16(bytes, at));
  if (questions !== 1 || answers !== 0 || authorities !== 0) return RCODE.FORMERR;
  if (additionals! > MAX_ADDITIONALS) return RCODE.FORMERR;
  const questionEnd = endOfQuestion(bytes);
  return questionEnd === undefined ? RCODE.FORMERR : parseWhole(bytes, questionEnd);
}

function parseWhole(bytes: Uint8Array, questionEnd: number): Query | number {
  try {
    const { questions, additionals } = decode(bytes);
    // It reads on where the message ends, and says how far.
    if ((decode as unknown as { bytes: number }).bytes > bytes.length) return RCODE.FORMERR;
    const [question] = questions!;
    const opt = additionals!.find(({ type }) => type === "OPT");
    return {
      bytes,
      questionEnd,
      name: normalizeName(question!.name),
      type: question!.type,
      class: question!.class ?? "IN",
      edns: opt === undefined ? undefined : ednsOf(opt as unknown as DecodedOpt),
    };
  } catch {
    return RCODE.FORMERR;
  }
}

interface DecodedOpt {
  readonly udpPayloadSize: number;
  readonly ednsVersion: number;
  readonly flags: number;
}

function ednsOf({ udpPayloadSize, ednsVersion, flags }: DecodedOpt): Edns {
  return { payloadSize: udpPayloadSize, version: ednsVersion, flags };
}

/** `"Host.Example."` and `"host.example"` are one name (RFC 4343). */
export function normalizeName(name: string): string {
  return name.replace(/\.$/, "").toLowerCase();
}

/** A question is never compressed: nothing stands before it. */
function endOfQuestion(bytes: Uint8Array): number | undefined {
  let at = HEADER_LENGTH;
  while (at < bytes.length && bytes[at] !== 0) {
    if (bytes[at]! > 63) return undefined;
    at += bytes[at]! + 1;
  }
  return at + 5 <= bytes.length ? at + 5 : undefined;
}

/** How long a reply over UDP may be: what the client takes, within bounds. */
export function udpLimitOf(query: Query | undefined): number {
  const wanted = query?.edns?.payloadSize ?? LEAST_UDP_LENGTH;
  return Math.min(MOST_UDP_LENGTH, Math.max(LEAST_UDP_LENGTH, wanted));
}

/**
 * Writes a reply; one that is longer than `limit` is left without its answers and marked as
 * truncated (RFC 2181 9), so that the client asks again over TCP.
 */
export function writeReply(
  query: Query,
  { rcode, answers = [], isAuthoritative = false }: Reply,
  canRecurse: boolean,
  limit: number,
): Uint8Array<ArrayBuffer> {
  const opt = query.edns === undefined ? [] : [optRecord(query.edns, rcode)];
  const records = [...answers, ...opt];
  const length = records.reduce((sum, one) => sum + record.encodingLength(one), query.questionEnd);
  if (length > limit && answers.length > 0) {
    const cut = writeReply(query, { rcode, isAuthoritative }, canRecurse, limit);
    cut[2]! |= FLAG.TC >> 8;
    return cut;
  }
  const reply = new Uint8Array(length);
  reply.set(query.bytes.subarray(0, query.questionEnd));
  writeHeader(reply, rcode, isAuthoritative, canRecurse, answers.length, opt.length);
  let at = query.questionEnd;
  for (const one of records) {
    record.encode(one, reply, at);
    at += record.encodingLength(one);
  }
  return reply;
}

function optRecord({ flags }: Edns, rcode: number): Answer {
  const opt = {
    type: "OPT",
    name: ".",
    udpPayloadSize: MOST_UDP_LENGTH,
    extendedRcode: rcode >> 4,
    ednsVersion: 0,
    flags: flags & 0x8000,
    options: [],
  };
  return opt as unknown as Answer;
}

/** The answer to a message that could not be read: its header alone (RFC 1035 4.1.1). */
export function writeError(bytes: Uint8Array, rcode: number): Uint8Array<ArrayBuffer> {
  const reply = new Uint8Array(HEADER_LENGTH);
  reply.set(bytes.subarray(0, 4));
  writeU16(reply, 2, FLAG.QR | (readU16(bytes, 2) & (0x7800 | FLAG.RD)) | (rcode & 15));
  return reply;
}

/** The header of a query becomes that of its reply. */
function writeHeader(
  reply: Uint8Array,
  rcode: number,
  isAuthoritative: boolean,
  canRecurse: boolean,
  answers: number,
  additionals: number,
): void {
  const asked = readU16(reply, 2) & FLAG.RD;
  const flags = FLAG.QR | asked | (isAuthoritative ? FLAG.AA : 0) | (canRecurse ? FLAG.RA : 0);
  writeU16(reply, 2, flags | (rcode & 15));
  writeU16(reply, 6, answers);
  writeU16(reply, 8, 0);
  writeU16(reply, 10, additionals);
}

/** Whether a server's message answers this query, apart from its identification (RFC 5452 9.1). */
export function answersQuery(query: Query, reply: Uint8Array): boolean {
  const { bytes, questionEnd } = query;
  if (reply.length < questionEnd || (readU16(reply, 2) & FLAG.QR) === 0) return false;
  if (readU16(reply, 4) !== 1) return false;
  for (let at = HEADER_LENGTH; at < questionEnd; at++) {
    if (lowerCase(bytes[at]!) !== lowerCase(reply[at]!)) return false;
  }
  return true;
}

function lowerCase(byte: number): number {
  return byte >= 65 && byte <= 90 ? byte + 32 : byte;
}

/** The server had no room for its answer. */
export function isTruncated(reply: Uint8Array): boolean {
  return (readU16(reply, 2) & FLAG.TC) !== 0;
}

/** The answer is not this server's own, and it may be asked for such (RFC 1035 4.1.1: AA, RA). */
export function markAsForwarded(reply: Uint8Array): void {
  writeU16(reply, 2, (readU16(reply, 2) & ~FLAG.AA) | FLAG.RA);
}

/** The identification of a message. */
export function identificationOf(message: Uint8Array): number {
  return readU16(message, 0);
}

/** A copy with another identification. */
export function withIdentification(message: Uint8Array, id: number): Uint8Array<ArrayBuffer> {
  const copy = new Uint8Array(message);
  writeU16(copy, 0, id);
  return copy;
}

function readU16(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 8) | bytes[at + 1]!;
}

function writeU16(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >> 8;
  bytes[at + 1] = value;
}
