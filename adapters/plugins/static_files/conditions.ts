/**
 * Conditional requests (RFC 9110 13).
 *
 * @module
 */
import { parseHttpDate } from "./http_date.ts";

/** The validators of a file (RFC 9110 8.8). */
export interface Validators {
  /** A strong entity tag, with its quotes. */
  readonly etag: string;
  /** Last-Modified, in whole seconds since the Unix epoch. */
  readonly modified: number;
}

/** Evaluates the preconditions of a request in the order of RFC 9110 13.2.2; returns the status. */
export function evaluate(fields: Headers, { etag, modified }: Validators): 200 | 304 | 412 {
  const ifMatch = fields.get("if-match");
  const ifUnmodifiedSince = secondsOf(fields.get("if-unmodified-since"));
  if (ifMatch !== null) {
    if (!lists(ifMatch, etag, false)) return 412;
  } else if (ifUnmodifiedSince !== undefined && modified > ifUnmodifiedSince) return 412;

  const ifNoneMatch = fields.get("if-none-match");
  if (ifNoneMatch !== null) return lists(ifNoneMatch, etag, true) ? 304 : 200;
  const ifModifiedSince = secondsOf(fields.get("if-modified-since"));
  return ifModifiedSince !== undefined && modified <= ifModifiedSince ? 304 : 200;
}

/** Whether `Range` is to be honoured, given `If-Range` (RFC 9110 13.1.5). */
export function rangeApplies(fields: Headers, { etag, modified }: Validators): boolean {
  const ifRange = fields.get("if-range");
  if (ifRange === null) return true;
  if (ifRange.startsWith('"')) return ifRange.trim() === etag;
  return secondsOf(ifRange) === modified;
}

/** Whether a list of entity tags has `etag`, by strong or weak comparison (RFC 9110 8.8.3.2). */
function lists(field: string, etag: string, weakly: boolean): boolean {
  if (field.trim() === "*") return true;
  return [...field.matchAll(/(W\/)?("[^"]*")/g)]
    .some(([, weak, tag]) => tag === etag && (weakly || weak === undefined));
}

/** RFC 9110 13.1.3, 13.1.4: a field that is not a valid HTTP-date is ignored. */
function secondsOf(date: string | null): number | undefined {
  return date === null ? undefined : parseHttpDate(date);
}
