/**
 * Encoded heads of prepared responses, which stay the same until the Date field changes.
 *
 * @module
 */
import { bytesOf } from "../shared/http/characters.ts";
import { preparedFields, responseHead, type ServerFields } from "./response_head.ts";

interface EncodedHead {
  readonly added: ServerFields;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** The last head for each list of fields, such as that of a cached file. */
const heads = new WeakMap<readonly string[], EncodedHead>();

/**
 * The head of a 200 response, encoded. The last one for each array `fields` is kept, so the array must not be
 * changed.
 */
export function preparedHead(
  fields: readonly string[],
  added: ServerFields,
): Uint8Array<ArrayBuffer> {
  const last = heads.get(fields);
  if (last !== undefined && isSame(last.added, added)) return last.bytes;
  const head = responseHead({ status: 200, statusText: "" }, preparedFields(fields), added);
  const bytes = bytesOf(head);
  heads.set(fields, { added, bytes });
  return bytes;
}

function isSame(one: ServerFields, other: ServerFields): boolean {
  return one.date === other.date && one.framing === other.framing &&
    one.connection === other.connection;
}
