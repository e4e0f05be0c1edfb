/**
 * A strict parser of replies: trailing bytes, overruns and forward pointers are errors.
 *
 * @module
 */

/** One record. */
export interface StrictRecord {
  /** Its name's labels, each byte as a character. */
  readonly name: readonly string[];
  readonly type: number;
  readonly ttl: number;
  readonly data: Uint8Array;
}

/** A message. */
export interface StrictMessage {
  readonly rcode: number;
  readonly flags: number;
  readonly question: readonly string[] | undefined;
  readonly answers: readonly StrictRecord[];
  readonly authorities: readonly StrictRecord[];
  readonly additionals: readonly StrictRecord[];
}

/** A query whose labels are bytes, each as a character; `more` follows the question. */
export function rawQuery(
  labels: readonly string[],
  type = 1,
  more: { extra?: readonly number[]; additionals?: number; classNumber?: number } = {},
): Uint8Array {
  const { extra = [], additionals = 0, classNumber = 1 } = more;
  const name = labels.flatMap((label) => [
    label.length,
    ...[...label].map((char) => char.charCodeAt(0)),
  ]);
  const question = [...name, 0, type >> 8, type & 255, classNumber >> 8, classNumber & 255];
  return Uint8Array.of(0, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, additionals, ...question, ...extra);
}

/** @throws {Error} The message is malformed. */
export function readStrictly(message: Uint8Array): StrictMessage {
  const u16 = (at: number) => {
    if (at + 2 > message.length) throw new Error(`the message ends at ${message.length}`);
    return (message[at]! << 8) | message[at + 1]!;
  };
  let at = 12;
  const name = (): string[] => {
    const { labels, end } = readLabels(message, at);
    at = end;
    return labels;
  };
  const flags = u16(2);
  const counts = [4, 6, 8, 10].map(u16);
  let question: string[] | undefined;
  for (let i = 0; i < counts[0]!; i++) {
    question = name();
    at += 4;
  }
  const records = (count: number) =>
    Array.from({ length: count }, (): StrictRecord => {
      const owner = name();
      const [type, ttl] = [u16(at), (u16(at + 4) << 16) | u16(at + 6)];
      const start = at + 10;
      at = start + u16(at + 8);
      if (at > message.length) throw new Error("a record runs over the end");
      return { name: owner, type, ttl, data: message.subarray(start, at) };
    });
  const [answers, authorities, additionals] = counts.slice(1).map(records);
  if (at !== message.length) throw new Error(`${message.length - at} bytes are left over`);
  const opt = additionals!.find(({ type }) => type === 41);
  const rcode = (flags & 15) | (opt === undefined ? 0 : ((opt.ttl >>> 24) & 255) << 4);
  return {
    rcode,
    flags,
    question,
    answers: answers!,
    authorities: authorities!,
    additionals: additionals!,
  };
}

function readLabels(message: Uint8Array, from: number): { labels: string[]; end: number } {
  const labels: string[] = [];
  let [at, end] = [from, 0];
  for (let length = 1;;) {
    const size = message[at];
    if (size === undefined) throw new Error("a name runs over the end");
    if (size >= 0xc0) {
      const target = ((size & 63) << 8) | message[at + 1]!;
      if (target >= at) throw new Error("a pointer leads forward");
      end ||= at + 2;
      at = target;
      continue;
    }
    if (size > 63) throw new Error(`a label of type ${size >> 6}`);
    length += size === 0 ? 0 : size + 1;
    if (length > 255) throw new Error("a name is longer than 255 bytes");
    if (at + 1 + size > message.length) throw new Error("a label runs over the end");
    if (size === 0) return { labels, end: end || at + 1 };
    labels.push(String.fromCharCode(...message.subarray(at + 1, at + 1 + size)));
    at += 1 + size;
  }
}
