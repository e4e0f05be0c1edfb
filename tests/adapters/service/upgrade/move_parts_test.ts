import { describe, expect, test } from "bun:test";
import { KIND } from "../../../../adapters/service/upgrade/messages.ts";
import {
  MAX_MOVE_BYTES,
  MovePartReader,
  partsOf,
} from "../../../../adapters/service/upgrade/move_parts.ts";

type Bytes = Uint8Array<ArrayBuffer>;

function message(length: number): Bytes {
  return new Uint8Array(length).map((_, i) => i * 7);
}

/** A reader, and the descriptors that it has closed. */
function reading() {
  const closed: number[] = [];
  return { reader: new MovePartReader((some) => closed.push(...some)), closed };
}

describe("messages in parts", () => {
  // Empty, of one part, of exactly two, of many: the descriptors come with the first part.
  test.each([0, 1, 98_304, 98_305, 196_608, 5_000_000])("arrive whole, %d bytes", (length) => {
    const { reader, closed } = reading();
    const sent = [...partsOf(9, message(length))];
    expect(sent.every((part) => part[0] === KIND.MOVE && part.length <= 128 * 1024)).toBe(true);
    const results = sent.map((part, i) => reader.take(part, i === 0 ? [40, 41] : []));
    const whole = results.pop()!;
    expect(results.every((result) => result === undefined)).toBe(true);
    expect([whole.id, whole.descriptors]).toEqual([9, [40, 41]]);
    expect(whole.bytes!.length).toBe(length);
    expect(whole.bytes!.every((byte, i) => byte === (i * 7 & 0xff))).toBe(true);
    expect(closed).toEqual([]);
  });

  // If another process has read the first parts, the last part says which connection they belong to.
  test("that began elsewhere are reported with their number", () => {
    const { reader } = reading();
    const [, second, third] = partsOf(5, message(250_000));
    expect(reader.take(second!, [])).toBeUndefined();
    expect(reader.take(third!, [])).toEqual({ id: 5, bytes: undefined, descriptors: [] });
  });

  // The sender died between the descriptors and the rest, or began again.
  test("that never end leave no descriptor open", () => {
    const { reader, closed } = reading();
    const [first] = partsOf(1, message(250_000));
    reader.take(first!, [50]);
    reader.take(first!, [51]);
    expect(closed).toEqual([50]);
    reader.drop();
    expect(closed).toEqual([50, 51]);
    reader.drop();
    expect(closed).toEqual([50, 51]);
  });

  // Descriptors belong to the first part; parts that are too short are none.
  test("keep no descriptor that comes with another part", () => {
    const { reader, closed } = reading();
    const [first, second] = partsOf(1, message(150_000));
    reader.take(first!, [60]);
    expect(reader.take(second!, [61])!.descriptors).toEqual([60]);
    expect(closed).toEqual([61]);
    expect(reader.take(new Uint8Array([KIND.MOVE]), [62])).toBeUndefined();
    expect(closed).toEqual([61, 62]);
  });

  // Without a bound, a sender could fill the memory, so a message that is too long counts as incomplete.
  test("are bounded", () => {
    const { reader, closed } = reading();
    const [first, middle] = partsOf(3, message(300_000));
    reader.take(first!, [70]);
    const piece = middle!.length - 8;
    for (let size = 0; size <= MAX_MOVE_BYTES; size += piece) reader.take(middle!, []);
    expect(closed).toEqual([70]);
    const last = [...partsOf(3, message(300_000))].at(-1)!;
    expect(reader.take(last, [])).toEqual({ id: 3, bytes: undefined, descriptors: [] });
  });
});
