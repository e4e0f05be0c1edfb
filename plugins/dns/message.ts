/**
 * Replies (RFC 1035 4) of this server and of upstreams. A reply repeats the question byte for byte, and its
 * records refer to the name by a pointer, so no name is converted to text and back.
 *
 * @module
 */
import { type Answer, answer as codec } from "@dnsquery/dns-packet";
import { readU16, writeU16 } from "../../core/wire/bytes.ts";
import { lowerCase, ROOT, type WireName, writeName } from "./domain_name.ts";
import type { Edns, Query } from "./query.ts";
import { FLAG, HEADER_LENGTH } from "./wire.ts";

/** Largest message without EDNS (RFC 1035 4.2.1). */
const MIN_UDP_LENGTH = 512;
/** Fits the smallest IPv6 MTU, 1280 bytes (RFC 8200 5); RFC 9715 3.1 recommends at most 1400. */
export const MAX_UDP_LENGTH = 1232;
/** The two bits that mark a pointer (RFC 1035 4.1.4). */
const POINTER = 0xc000;

/** A record without its owner name, in the representation of the codec. */
export type RecordData = Answer extends infer One ? One extends unknown ? Omit<One, "name"> : never
  : never;

/** A record. */
export interface OwnedRecord {
  /** Its owner name. */
  readonly owner: WireName;
  readonly data: RecordData;
}

/** The content of a reply. */
export interface Reply {
  /** One of `RCODE`. */
  readonly rcode: number;
  readonly answers?: readonly OwnedRecord[];
  /** The SOA record of a negative answer, for its TTL (RFC 2308). */
  readonly soa?: OwnedRecord | undefined;
  /** This server is authoritative for the answer. */
  readonly isAuthoritative?: boolean;
}

/** Largest reply over UDP: the size that the client accepts, within bounds. */
export function udpLimitOf(query: Query | undefined): number {
  const wanted = query?.edns?.payloadSize ?? MIN_UDP_LENGTH;
  return Math.min(MAX_UDP_LENGTH, Math.max(MIN_UDP_LENGTH, wanted));
}

/**
 * Writes a reply; one longer than `limit` is sent without records and marked as truncated (RFC 2181 9), so
 * that the client asks again over TCP.
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

/** A truncated reply, without records. */
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

/** The codec writes the record with the root as its name, one byte, which the owner name replaces. */
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

/**
 * A pointer to the name in the question or an ancestor of it (RFC 1035 4.1.4); not for the root,
 * which is shorter than a pointer.
 */
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
    udpPayloadSize: MAX_UDP_LENGTH,
    extendedRcode: rcode >> 4,
    ednsVersion: 0,
    flags: flags & 0x8000,
    options: [],
  };
  return { owner: ROOT, data: data as unknown as RecordData };
}

/** The answer to a malformed message: its header only (RFC 1035 4.1.1). */
export function writeError(bytes: Uint8Array, rcode: number): Uint8Array<ArrayBuffer> {
  const reply = new Uint8Array(HEADER_LENGTH);
  reply.set(bytes.subarray(0, 4));
  writeU16(reply, 2, FLAG.QR | (readU16(bytes, 2) & (FLAG.OPCODE | FLAG.RD)) | (rcode & 15));
  return reply;
}

/** Turns the header of the query into that of the reply. */
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

/** Whether a message is a reply to this query, apart from its ID (RFC 5452 9.1). */
export function answersQuery(query: Query, reply: Uint8Array): boolean {
  const { bytes, questionEnd } = query;
  if (reply.length < questionEnd || (readU16(reply, 2) & FLAG.QR) === 0) return false;
  if (readU16(reply, 4) !== 1) return false;
  for (let at = HEADER_LENGTH; at < questionEnd; at++) {
    if (lowerCase(bytes[at]!) !== lowerCase(reply[at]!)) return false;
  }
  return true;
}

/** Whether the reply is truncated (TC). */
export function isTruncated(reply: Uint8Array): boolean {
  return (readU16(reply, 2) & FLAG.TC) !== 0;
}

/** Marks a forwarded reply: not authoritative, recursion available (RFC 1035 4.1.1: AA, RA). */
export function markAsForwarded(reply: Uint8Array): void {
  writeU16(reply, 2, (readU16(reply, 2) & ~FLAG.AA) | FLAG.RA);
}

/** The RCODE in the header of a reply. */
export function rcodeOf(reply: Uint8Array): number {
  return reply[3]! & 15;
}

/** The ID of a message. */
export function identificationOf(message: Uint8Array): number {
  return readU16(message, 0);
}

/** A copy with another ID. */
export function withIdentification(message: Uint8Array, id: number): Uint8Array<ArrayBuffer> {
  const copy = new Uint8Array(message);
  writeU16(copy, 0, id);
  return copy;
}
