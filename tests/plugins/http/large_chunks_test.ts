import { describe, expect, test } from "bun:test";
import { ResponseContent } from "../../../plugins/shared/http/response_content.ts";

describe("ResponseContent", () => {
  // Bun streams a body as 16 KiB followed by megabytes, which must not be copied.
  test("does not copy a large chunk after a small one", async () => {
    const large = new Uint8Array(2_000_000).fill(2);
    const body = new ReadableStream({
      start(controller) {
        for (const chunk of [new Uint8Array(16_384).fill(1), large, new Uint8Array(3)]) {
          controller.enqueue(chunk);
        }
        controller.close();
      },
    });
    const content = new ResponseContent(body);
    await content.gather(false);
    expect([content.data.length, content.data[16_383], content.data[16_384]]).toEqual([
      65_536,
      1,
      2,
    ]);
    await content.gather(true);
    expect([content.data.length, content.data.buffer === large.buffer]).toEqual([1_950_848, true]);
    await content.gather(true);
    expect([content.data.length, content.ended]).toEqual([3, true]);
  });
});
