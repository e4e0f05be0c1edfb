/**
 * Replies (RFC 1035 4), and what others reply. A reply repeats the question byte for byte, and its
 * records name it by a pointer, so that nobody's name is made of whatever is in it.
 *
 * @module
 */
import { type Answer, answer as codec } from "@dnsquery/dns-packet";
import { readU16, writeU16 } from "../../core/wire/bytes.ts";
import { lowerCase, ROOT, type WireName, writeName } from "./domain_name.ts";
import type { Edns, Query } from "./query.ts";
import { FLAG, HEADER_LENGTH } from "./wire.ts";

/** Without EDNS (RFC 1035 4.2.1). */
const LEAST_UDP_LENGTH = 512;
/** What passes every path without fragments (RFC 9715 3.2). */
export const MOST_UDP_LENGTH = 1232;
/** How far a pointer reaches (RFC 1035 4.1.4). */
const POINTER = 0xc000;

/** A record without the name that it belongs to, in the codec's form. */
export type RecordData = Answer extends infer One ? One extends unknown ? Omit<One, "name"> : never
  : never;

/** A record. */
export interface OwnedRecord {
  /** The name that it belongs to. */
  readonly owner: WireName;
  readonly data: RecordData;
}

/** What to answer. */
export interface Reply {
  /** One of `RCODE`. */
  readonly rcode: number;
  readonly answers?: readonly OwnedRecord[];
  /** How long it holds that there is no answer (RFC 2308). */
  readonly soa?: OwnedRecord | undefined;
  /** The answer is this server's own. */
  readonly isAuthoritative?: boolean;
}

/** How long a reply over UDP may be: what the client takes, within bounds. */
export function udpLimitOf(query: Query | undefined): number {
  const wanted = query?.edns?.payloadSize ?? LEAST_UDP_LENGTH;
  return Math.min(MOST_UDP_LENGTH, Math.max(LEAST_UDP_LENGTH, wanted));
}

/**
 * Writes a reply; one that is longer than `limit` is left without its records and marked as
 * truncated (RFC 2181 9), so that the client asks again over TCP.
 */
export function writeReply(
  query: Query,
  { rcode, answers = [], soa, isAuthoritative = false }: Reply,
  canRecurse: boolean,
  limit: number,
): Uint8Array<ArrayBuffer> {
  const authorities = soa === undefined ? [] : [soa];
  const additionals = query.edns === undefined ? [] : [optRecord(query.edns, rcode)];
  const records = [...answers, ...authorities, ...additionals];
  const length = records.reduce((sum, one) => sum + lengthOf(one, query), query.questionEnd);
  if (length > limit && answers.length + authorities.length > 0) {
    return writeTruncated(query, { rcode, isAuthoritative }, canRecurse);
  }
  const reply = new Uint8Array(length);
  reply.set(query.bytes.subarray(0, query.questionEnd));
  writeHeader(reply, rcode, isAuthoritative, canRecurse);
  const counts = [answers.length, authorities.length, additionals.length];
  for (const [i, count] of counts.entries()) writeU16(reply, 6 + 2 * i, count);
  let at = query.questionEnd;
  for (const one of records) {
    writeRecord(one, query, reply, at);
    at += lengthOf(one, query);
  }
  return reply;
}

/** A reply without the records that it has no room for. */
export function writeTruncated(
  query: Query,
  { rcode, isAuthoritative }: Reply,
  canRecurse: boolean,
): Uint8Array<ArrayBuffer> {
  const reply = writeReply(
    query,
    { rcode, isAuthoritative: isAuthoritative ?? false },
    canRecurse,
    Infinity,
  );
  reply[2]! |= FLAG.TC >> 8;
  return reply;
}

/** The codec writes the record at the root, whose one byte the name takes the place of. */
function writeRecord(
  { owner, data }: OwnedRecord,
  query: Query,
  reply: Uint8Array,
  at: number,
): void {
  const at0 = at + ownerLength(owner, query) - 1;
  codec.encode({ ...data, name: "." } as Answer, reply, at0);
  const pointer = pointerTo(owner, query);
  if (pointer === undefined) writeName(owner, reply, at);
  else writeU16(reply, at, pointer);
}

function lengthOf({ owner, data }: OwnedRecord, query: Query): number {
  return codec.encodingLength({ ...data, name: "." } as Answer) - 1 + ownerLength(owner, query);
}

function ownerLength(owner: WireName, query: Query): number {
  return pointerTo(owner, query) === undefined ? owner.length : 2;
}

/** To the question's name or one above it (RFC 1035 4.1.4); the root is shorter by itself. */
function pointerTo(owner: WireName, { name }: Query): number | undefined {
  if (owner === ROOT) return undefined;
  for (let at = 0; name[at] !== ROOT; at += 1 + name.charCodeAt(at)) {
    if (name.length - at === owner.length && name.endsWith(owner)) {
      return POINTER | (HEADER_LENGTH + at);
    }
  }
  return undefined;
}

function optRecord({ flags }: Edns, rcode: number): OwnedRecord {
  const data = {
    type: "OPT",
    udpPayloadSize: MOST_UDP_LENGTH,
    extendedRcode: rcode >> 4,
    ednsVersion: 0,
    flags: flags & 0x8000,
    options: [],
  };
  return { owner: ROOT, data: data as unknown as RecordData };
}

/** The answer to a message that could not be read: its header alone (RFC 1035 4.1.1). */
export function writeError(bytes: Uint8Array, rcode: number): Uint8Array<ArrayBuffer> {
  const reply = new Uint8Array(HEADER_LENGTH);
  reply.set(bytes.subarray(0, 4));
  writeU16(reply, 2, FLAG.QR | (readU16(bytes, 2) & (FLAG.OPCODE | FLAG.RD)) | (rcode & 15));
  return reply;
}

/** The flags of a query become those of its reply. */
function writeHeader(
  reply: Uint8Array,
  rcode: number,
  isAuthoritative: boolean,
  canRecurse: boolean,
): void {
  const asked = readU16(reply, 2) & FLAG.RD;
  const flags = FLAG.QR | asked | (isAuthoritative ? FLAG.AA : 0) | (canRecurse ? FLAG.RA : 0);
  writeU16(reply, 2, flags | (rcode & 15));
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

/** The server had no room for its answer. */
export function isTruncated(reply: Uint8Array): boolean {
  return (readU16(reply, 2) & FLAG.TC) !== 0;
}

/** The answer is not this server's own, and it may be asked for such (RFC 1035 4.1.1: AA, RA). */
export function markAsForwarded(reply: Uint8Array): void {
  writeU16(reply, 2, (readU16(reply, 2) & ~FLAG.AA) | FLAG.RA);
}

/** What a reply's header says came of it. */
export function rcodeOf(reply: Uint8Array): number {
  return reply[3]! & 15;
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
