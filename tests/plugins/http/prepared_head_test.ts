import { describe, expect, test } from "bun:test";
import { preparedHead } from "../../../plugins/http/prepared_head.ts";

const DATE = "Tue, 01 Dec 2026 06:00:00 GMT";
const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

describe("preparedHead", () => {
  // The fields of one file, requested three times within a second, then later, then for the last time.
  test("encodes a head again only if something in it has changed", () => {
    const fields = ["etag", '"a"', "content-length", "5"];
    const head = (change = {}) =>
      preparedHead(fields, { date: DATE, framing: 5, connection: "", ...change });
    expect(text(head())).toBe(
      `HTTP/1.1 200 OK\r\netag: "a"\r\ndate: ${DATE}\r\ncontent-length: 5\r\n\r\n`,
    );
    expect(head()).toBe(head());
    expect(text(head({ date: DATE.replace(":00 ", ":01 ") }))).toContain("06:00:01 GMT");
    expect(text(head({ connection: "close" }))).toContain("\r\nconnection: close\r\n\r\n");
    expect(text(head())).not.toContain("close");
  });

  // Equal arrays of two files: each has its own head, because either may be dropped with its file.
  test("keeps a head for each array", () => {
    const added = { date: DATE, framing: 1, connection: "" };
    expect(preparedHead(["etag", '"a"'], added)).not.toBe(preparedHead(["etag", '"a"'], added));
  });
});
