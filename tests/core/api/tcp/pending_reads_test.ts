import { describe, expect, test } from "bun:test";
import { answerTo, appendReader, readerOf } from "../../../../core/api/tcp/pending_reads.ts";
import { Views } from "../../../../core/api/tcp/views.ts";

const ignore = () => {};
const noViews = () => new Views({ nextView: () => Promise.reject(new Error()), consume: ignore });

describe("pending reads", () => {
  test("are a list in the order of the calls", () => {
    const readers = [1, 2, 3].map((length) => readerOf(new Uint8Array(length), ignore));
    const first = readers.reduce(appendReader, undefined as typeof readers[0] | undefined);
    expect(first).toBe(readers[0]!);
    expect([first!.behind, first!.behind!.behind]).toEqual([readers[1], readers[2]]);
    expect(readers[2]!.behind).toBe(undefined);
  });

  // The views serve as the record of their read, so that the read allocates no object. A second pending read needs a
  // record of its own.
  test("of views use the views as the record, one at a time", () => {
    const views = noViews();
    expect(readerOf(views, ignore)).toBe(views);
    expect(readerOf(views, ignore)).not.toBe(views);
  });

  test("answer with what the caller asked for, and with its end", () => {
    const chunk = new Uint8Array(2);
    const views = noViews();
    expect([answerTo(new Uint8Array(4), 2, undefined), answerTo(new Uint8Array(4), 0, undefined)])
      .toEqual([2, null] as never);
    expect(answerTo("chunk", 2, chunk)).toBe(chunk as never);
    expect(answerTo("next chunk", 0, undefined)).toEqual(
      { done: true, value: undefined } as never,
    );
    expect(answerTo(views, 2, chunk)).toEqual({ done: false, value: chunk } as never);
    expect(views.lent).toBe(2);
  });
});
