/**
 * Parses request lines and field lines (RFC 9112 2 to 5). Sans-IO and incremental.
 *
 * Strict where leniency would let two servers interpret the same bytes differently: lines end with CRLF
 * only; whitespace before a colon, line folding, and repeated Host, Content-Length or Transfer-Encoding are
 * refused.
 *
 * @module
 */
import { CR, FIELD_VALUE, HTAB, LF, SP, TARGET, textOf, TOKEN } from "../shared/http/characters.ts";
import { MAX_EMPTY_LINES } from "../shared/empty_lines.ts";
import { badRequest, HttpRefusal } from "../shared/http/refusal.ts";
import { noKnownFields, noteKnown, type RequestHead } from "../shared/http/request_head.ts";

/** Limits of a request head. */
export interface HeadLimits {
  /** Bytes of the request line, without its CRLF. */
  readonly maxRequestLineBytes: number;
  /** Total bytes of the field lines. */
  readonly maxHeaderBytes: number;
  /** Number of field lines. */
  readonly maxHeaders: number;
}

/** Parses the request heads of a connection. */
export class RequestHeadParser {
  readonly #limits: HeadLimits;
  /** Ends of the lines found so far, CRLF not included, relative to the head's start. */
  #lineEnds: number[] = [];
  #lineStart = 0;
  #scanned = 0;
  /** Bytes of the empty lines before the request line. */
  #skipped = 0;

  /** A parser at the start of a request. */
  constructor(limits: HeadLimits) {
    this.#limits = limits;
  }

  /** Length of the head, after which the body starts. Valid after `parse` has returned a head. */
  consumed = 0;

  /**
   * Parses the head at `start`, of which the bytes up to `end` have arrived; bytes are scanned once over
   * several calls. `undefined`: the head is incomplete.
   */
  parse(bytes: Uint8Array, start: number, end: number): RequestHead | HttpRefusal | undefined {
    const found = this.#findLines(bytes, start, end);
    if (found !== true) return found;
    const head = parseLines(bytes, start + this.#skipped, start, this.#lineEnds);
    this.consumed = this.#lineStart;
    this.#lineEnds = [];
    this.#lineStart = this.#scanned = this.#skipped = 0;
    return head;
  }

  /** True if the empty line was found; otherwise the first fault that is certain, if any. */
  #findLines(bytes: Uint8Array, start: number, end: number): true | HttpRefusal | undefined {
    if (this.#scanned === 0 && start < end && !beginsRequest(bytes[start]!)) {
      return badRequest("the request does not begin with a method");
    }
    for (let at = start + this.#scanned; at < end; at++) {
      if (bytes[at] !== LF) continue;
      const lineEnd = at - 1 - start;
      if (lineEnd < this.#lineStart || bytes[at - 1] !== CR) {
        // RFC 9112 2.2 allows a bare LF; refusing it leaves only one way to split lines.
        return badRequest("lines must end with CRLF");
      }
      const empty = lineEnd === this.#lineStart;
      this.#lineStart = at + 1 - start;
      if (!empty) {
        this.#lineEnds.push(lineEnd);
        const excess = this.#excess(lineEnd);
        if (excess) return excess;
      } else if (this.#lineEnds.length > 0) {
        return true;
      } else if (this.#skipped === 2 * MAX_EMPTY_LINES) {
        return badRequest(`more than ${MAX_EMPTY_LINES} empty lines before the request`);
      } else {
        this.#skipped += 2;
      }
    }
    this.#scanned = end - start;
    return this.#excess(this.#scanned);
  }

  #excess(reached: number): HttpRefusal | undefined {
    const { maxRequestLineBytes, maxHeaderBytes, maxHeaders } = this.#limits;
    const requestLineEnd = this.#lineEnds[0] ?? reached;
    if (requestLineEnd - this.#skipped > maxRequestLineBytes) {
      return new HttpRefusal(414, `the request line is longer than ${maxRequestLineBytes} bytes`);
    }
    if (reached - requestLineEnd > maxHeaderBytes) {
      return new HttpRefusal(431, `the header fields are longer than ${maxHeaderBytes} bytes`);
    }
    if (this.#lineEnds.length - 1 > maxHeaders) {
      return new HttpRefusal(431, `there are more than ${maxHeaders} header fields`);
    }
    return undefined;
  }
}

function beginsRequest(byte: number): boolean {
  return TOKEN[byte] === 1 || byte === CR || byte === LF;
}

/** For each field: start and end of its name, start and end of its value. For one parse at a time. */
const marks: number[] = [];

function parseLines(
  bytes: Uint8Array,
  first: number,
  origin: number,
  lineEnds: readonly number[],
): RequestHead | HttpRefusal {
  const requestLineEnd = origin + lineEnds[0]!;
  const methodEnd = skip(TOKEN, bytes, first, requestLineEnd);
  if (methodEnd === first || bytes[methodEnd] !== SP) {
    return badRequest("the method is not a token followed by one space");
  }
  const targetEnd = skip(TARGET, bytes, methodEnd + 1, requestLineEnd);
  if (targetEnd === methodEnd + 1 || bytes[targetEnd] !== SP) {
    return badRequest("the request-target is empty or has a character that is invalid in a URI");
  }
  const version = parseVersion(bytes, targetEnd + 1, requestLineEnd);
  if (typeof version !== "boolean") return version;

  let highBits = 0;
  let at = requestLineEnd + 2;
  for (let line = 1; line < lineEnds.length; line++) {
    const lineEnd = origin + lineEnds[line]!;
    const bits = markField(bytes, at, lineEnd, (line - 1) * 4);
    if (typeof bits !== "number") return bits;
    highBits |= bits;
    at = lineEnd + 2;
  }
  const text = textOf(bytes, first, at, highBits < 0x80);
  const method = text.slice(0, methodEnd - first);
  const target = text.slice(methodEnd + 1 - first, targetEnd - first);
  return collectFields(method, target, version, text, first, lineEnds.length - 1);
}

/** True for HTTP/1.1 and later, false for HTTP/1.0 (RFC 9112 2.3, RFC 9110 2.5). */
function parseVersion(bytes: Uint8Array, start: number, end: number): boolean | HttpRefusal {
  const wellFormed = end - start === 8 && bytes[start] === 0x48 && bytes[start + 1] === 0x54 &&
    bytes[start + 2] === 0x54 && bytes[start + 3] === 0x50 && bytes[start + 4] === 0x2f &&
    isDigit(bytes[start + 5]!) && bytes[start + 6] === 0x2e && isDigit(bytes[start + 7]!);
  if (!wellFormed) return badRequest("the request line does not end with the HTTP version");
  if (bytes[start + 5] !== 0x31) return new HttpRefusal(505, "this server speaks HTTP/1.1");
  return bytes[start + 7] !== 0x30;
}

/** Checks a field line and records its positions; returns the OR of all bytes of its value. */
function markField(
  bytes: Uint8Array,
  start: number,
  end: number,
  mark: number,
): number | HttpRefusal {
  const nameEnd = skip(TOKEN, bytes, start, end);
  if (nameEnd === start || nameEnd === end || bytes[nameEnd] !== 0x3a) {
    return fieldNameFault(bytes[start]!, bytes[nameEnd]!);
  }
  let valueStart = nameEnd + 1;
  while (valueStart < end && isBlank(bytes[valueStart]!)) valueStart++;
  let valueEnd = end;
  while (valueEnd > valueStart && isBlank(bytes[valueEnd - 1]!)) valueEnd--;
  let bits = 0;
  for (let at = valueStart; at < valueEnd; at++) {
    const byte = bytes[at]!;
    // NUL, CR and LF are dangerous, the other control characters invalid (RFC 9110 5.5).
    if (FIELD_VALUE[byte] === 0) return badRequest("a field value has a control character");
    bits |= byte;
  }
  marks[mark] = start;
  marks[mark + 1] = nameEnd;
  marks[mark + 2] = valueStart;
  marks[mark + 3] = valueEnd;
  return bits;
}

function fieldNameFault(firstByte: number, stoppedAt: number): HttpRefusal {
  if (isBlank(firstByte)) return badRequest("field lines must not be folded"); // RFC 9112 5.2
  if (isBlank(stoppedAt)) {
    return badRequest("whitespace between a field name and its colon"); // RFC 9112 5.1
  }
  return badRequest("a field line does not begin with a name and a colon");
}

function collectFields(
  method: string,
  target: string,
  http11: boolean,
  text: string,
  origin: number,
  count: number,
): RequestHead | HttpRefusal {
  const fields: string[] = new Array(count * 2);
  const known = noKnownFields();
  for (let i = 0; i < count; i++) {
    const mark = i * 4;
    const name = text.slice(marks[mark]! - origin, marks[mark + 1]! - origin);
    const value = text.slice(marks[mark + 2]! - origin, marks[mark + 3]! - origin);
    fields[2 * i] = name;
    fields[2 * i + 1] = value;
    const fault = noteKnown(known, name, value);
    if (fault) return fault;
  }
  return { method, target, http11, fields, known };
}

function skip(table: Uint8Array, bytes: Uint8Array, start: number, end: number): number {
  let at = start;
  while (at < end && table[bytes[at]!] === 1) at++;
  return at;
}

function isBlank(byte: number): boolean {
  return byte === SP || byte === HTAB;
}

function isDigit(byte: number): boolean {
  return byte >= 0x30 && byte <= 0x39;
}
