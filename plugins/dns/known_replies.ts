/**
 * A cache of replies as bytes, for repeated queries.
 *
 * @module
 */

/** Number of replies kept; with the two limits below, at most about half a megabyte. */
const SLOTS = 256;
/** Longer queries and replies are not kept; no reply over UDP is longer than `MAX_REPLY_LENGTH`. */
const MAX_QUERY_LENGTH = 512;
const MAX_REPLY_LENGTH = 1232;
/** Where a message continues after its ID (RFC 1035 4.1.1). */
const AFTER_ID = 2;

interface KnownReply {
  readonly query: Uint8Array;
  readonly reply: Uint8Array<ArrayBuffer>;
}

/**
 * Finds the reply to a query that equals an earlier one except for its ID. Keeps only replies that depend on nothing
 * but the query. A query replaces another one with the same hash.
 */
export class KnownReplies {
  readonly #slots: (KnownReply | undefined)[] = new Array(SLOTS).fill(undefined);

  /** The reply, with the ID of the query. */
  find(query: Uint8Array): Uint8Array<ArrayBuffer> | undefined {
    const known = this.#slots[slotOf(query)];
    if (known === undefined || !isSameAfterId(known.query, query)) return undefined;
    const reply = known.reply.slice();
    reply[0] = query[0]!;
    reply[1] = query[1]!;
    return reply;
  }

  /** Keeps a reply; neither array may be changed afterwards. */
  keep(query: Uint8Array, reply: Uint8Array<ArrayBuffer>): void {
    if (query.length > MAX_QUERY_LENGTH || reply.length > MAX_REPLY_LENGTH) return;
    this.#slots[slotOf(query)] = { query, reply };
  }
}

/** FNV-1a. */
function slotOf(query: Uint8Array): number {
  let hash = 0x811c9dc5;
  const end = Math.min(query.length, MAX_QUERY_LENGTH);
  for (let at = AFTER_ID; at < end; at++) hash = Math.imul(hash ^ query[at]!, 0x01000193);
  return (hash ^ hash >>> 16) & (SLOTS - 1);
}

function isSameAfterId(one: Uint8Array, other: Uint8Array): boolean {
  if (one.length !== other.length) return false;
  for (let at = AFTER_ID; at < one.length; at++) if (one[at] !== other[at]) return false;
  return true;
}
