/**
 * Conditional requests (RFC 9110 13).
 *
 * @module
 */
import { parseHttpDate } from "./http_date.ts";

/** What a file's state is compared by. */
export interface Validators {
  /** A strong entity tag, with its quotes. */
  readonly etag: string;
  /** In whole seconds of the Unix epoch. */
  readonly modified: number;
}

/** The status that the conditions of a request lead to, in the order of RFC 9110 13.2.2. */
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

/** Whether `Range` counts: RFC 9110 13.1.5. */
export function rangeApplies(fields: Headers, { etag, modified }: Validators): boolean {
  const ifRange = fields.get("if-range");
  if (ifRange === null) return true;
  if (ifRange.startsWith('"')) return ifRange.trim() === etag;
  return secondsOf(ifRange) === modified;
}

/** RFC 9110 8.8.3.2 */
function lists(field: string, etag: string, weakly: boolean): boolean {
  if (field.trim() === "*") return true;
  return [...field.matchAll(/(W\/)?("[^"]*")/g)]
    .some(([, weak, tag]) => tag === etag && (weakly || weak === undefined));
}

/** RFC 9110 13.1.3, 13.1.4: what is no HTTP-date counts as nothing. */
function secondsOf(date: string | null): number | undefined {
  return date === null ? undefined : parseHttpDate(date);
}
