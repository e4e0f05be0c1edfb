import { describe, expect, test } from "bun:test";
import { HpackDecoder } from "../../../../plugins/http2/hpack/decoder.ts";
import { decode, hex, tableOf } from "./support.ts";

const SECOND_DATE = "date: Mon, 21 Oct 2013 20:13:22 GMT";
const DATE = "date: Mon, 21 Oct 2013 20:13:21 GMT";
const LOCATION = "location: https://www.example.com";
const COOKIE = "set-cookie: foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1";

/**
 * The dynamic tables after each of three requests, and of three responses with a table of 256
 * bytes.
 */
const REQUESTS = [
  [[":method: GET", ":scheme: http", ":path: /", ":authority: www.example.com"], [
    ":authority: www.example.com",
    "57 bytes",
  ]],
  [[
    ":method: GET",
    ":scheme: http",
    ":path: /",
    ":authority: www.example.com",
    "cache-control: no-cache",
  ], ["cache-control: no-cache", ":authority: www.example.com", "110 bytes"]],
  [[
    ":method: GET",
    ":scheme: https",
    ":path: /index.html",
    ":authority: www.example.com",
    "custom-key: custom-value",
  ], [
    "custom-key: custom-value",
    "cache-control: no-cache",
    ":authority: www.example.com",
    "164 bytes",
  ]],
];
const RESPONSES = [
  [[":status: 302", "cache-control: private", DATE, LOCATION], [
    LOCATION,
    DATE,
    "cache-control: private",
    ":status: 302",
    "222 bytes",
  ]],
  [[":status: 307", "cache-control: private", DATE, LOCATION], [
    ":status: 307",
    LOCATION,
    DATE,
    "cache-control: private",
    "222 bytes",
  ]],
  [[
    ":status: 200",
    "cache-control: private",
    SECOND_DATE,
    LOCATION,
    "content-encoding: gzip",
    COOKIE,
  ], [COOKIE, "content-encoding: gzip", SECOND_DATE, "215 bytes"]],
];

describe("HpackDecoder", () => {
  // One field each: literal with indexing, without, never indexed, and an index.
  test.each([
    [
      "C.2.1",
      "400a 6375 7374 6f6d 2d6b 6579 0d63 7573 746f 6d2d 6865 6164 6572",
      "custom-key: custom-header",
      ["custom-key: custom-header", "55 bytes"],
    ],
    ["C.2.2", "040c 2f73 616d 706c 652f 7061 7468", ":path: /sample/path", ["0 bytes"]],
    [
      "C.2.3",
      "1008 7061 7373 776f 7264 0673 6563 7265 74",
      "password: secret",
      ["0 bytes"],
    ],
    ["C.2.4", "82", ":method: GET", ["0 bytes"]],
  ] as [string, string, string, string[]][])(
    "reads RFC 7541 %s",
    (_section, block, field, table) => {
      const decoder = new HpackDecoder();
      expect(decode(decoder, block)).toEqual([field]);
      expect(tableOf(decoder)).toEqual(table);
    },
  );

  // Three requests on one connection, and three responses that evict entries from a table of 256
  // bytes, with and without Huffman coding. After each block the dynamic table is the one in the
  // RFC.
  test.each([
    ["C.3, requests", 4096, REQUESTS, [
      "8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d",
      "8286 84be 5808 6e6f 2d63 6163 6865",
      "8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65",
    ]],
    ["C.4, requests with Huffman coding", 4096, REQUESTS, [
      "8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff",
      "8286 84be 5886 a8eb 1064 9cbf",
      "8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf",
    ]],
    ["C.5, responses", 256, RESPONSES, [
      `4803 3330 3258 0770 7269 7661 7465 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133
       2032 303a 3133 3a32 3120 474d 546e 1768 7474 7073 3a2f 2f77 7777 2e65 7861 6d70
       6c65 2e63 6f6d`,
      "4803 3330 37c1 c0bf",
      `88c1 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3220 474d
       54c0 5a04 677a 6970 7738 666f 6f3d 4153 444a 4b48 514b 425a 584f 5157 454f 5049
       5541 5851 5745 4f49 553b 206d 6178 2d61 6765 3d33 3630 303b 2076 6572 7369 6f6e
       3d31`,
    ]],
    ["C.6, responses with Huffman coding", 256, RESPONSES, [
      `4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6
       2d1b ff6e 919d 29ad 1718 63c7 8f0b 97c8 e9ae 82ae 43d3`,
      "4883 640e ffc1 c0bf",
      `88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab
       77ad 94e7 821d d7f2 e6c7 b335 dfdf cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f
       9587 3160 65c0 03ed 4ee5 b106 3d50 07`,
    ]],
  ] as [string, number, [string[], string[]][], string[]][])(
    "reads RFC 7541 %s",
    (_section, tableSize, expected, blocks) => {
      const decoder = new HpackDecoder(tableSize);
      for (const [i, block] of blocks.entries()) {
        const [fields, table] = expected[i]!;
        expect(decode(decoder, block)).toEqual(fields);
        expect(tableOf(decoder)).toEqual(table);
      }
    },
  );

  // Each would leave the two ends with different tables, or is not a valid field.
  test.each([
    ["index 0 (6.1)", "80", "an index beyond the tables"],
    ["an index beyond the tables (2.3.3)", "be", "an index beyond the tables"],
    ["a name beyond the tables (6.2.1)", "7f 00 01 61", "an index beyond the tables"],
    ["a size above the limit (6.3)", "3f e2 1f", "a table size above the limit"],
    ["a size update after a field (4.2)", "82 20", "a table size update after a field"],
    ["an integer without end (5.1)", "ff 80 80 80 80 80 00", "an integer that is too large"],
    ["an integer above every limit (5.1)", "ff ff ff ff ff 7f", "an integer that is too large"],
    ["a truncated integer", "ff 80", "a block that ends within a field"],
    ["a truncated string", "40 05 61 62", "a block that ends within a field"],
    ["a literal without a value", "40 01 61", "a block that ends within a field"],
    ["a literal without a name", "40", "a block that ends within a field"],
    ["padding of a byte (5.2)", "44 82 1f ff", "an invalid Huffman-coded string"],
    ["padding of zeros (5.2)", "44 81 18", "an invalid Huffman-coded string"],
    ["EOS in a string (5.2)", "44 84 ff ff ff fc", "an invalid Huffman-coded string"],
  ])("refuses %s", (_what, block, fault) => {
    expect(decode(new HpackDecoder(), block)).toBe(fault);
  });

  // A table of 64 bytes: the second entry of 33 bytes evicts the first; an entry of 65 bytes
  // empties the table and is not added.
  test("evicts the oldest entries (RFC 7541 4.4)", () => {
    const decoder = new HpackDecoder();
    expect(decode(decoder, "3f21 40 01 61 00")).toEqual(["a: "]);
    expect(tableOf(decoder)).toEqual(["a: ", "33 bytes"]);
    expect(decode(decoder, "40 01 62 00")).toEqual(["b: "]);
    expect(tableOf(decoder)).toEqual(["b: ", "33 bytes"]);
    expect(decode(decoder, `40 01 63 20 ${"78".repeat(32)}`)).toEqual([`c: ${"x".repeat(32)}`]);
    expect(tableOf(decoder)).toEqual(["0 bytes"]);
  });

  // The new entry refers to the name of the entry that it evicts (RFC 7541 4.4): the name is read
  // first.
  test("takes a name from the entry that it evicts", () => {
    const decoder = new HpackDecoder();
    expect(decode(decoder, "3f0f 40 01 61 00 7e 01 62")).toEqual(["a: ", "a: b"]);
    expect(tableOf(decoder)).toEqual(["a: b", "34 bytes"]);
  });

  // 200 entries of 33 bytes exceed 4096 bytes: the ring buffer grows, and the indices remain those
  // of RFC 7541.
  test("finds the newest entry first, however many there are (RFC 7541 2.3.3)", () => {
    const decoder = new HpackDecoder();
    for (let i = 0; i < 200; i++) {
      const name = (0x21 + i % 90).toString(16);
      decode(decoder, `40 01 ${name} 00`);
    }
    expect(decoder.table.length).toBe(124);
    const last = String.fromCharCode(0x21 + 199 % 90);
    const oldest = String.fromCharCode(0x21 + 76 % 90);
    expect(decode(decoder, "be")).toEqual([`${last}: `]);
    expect(decode(decoder, "ff 3a")).toEqual([`${oldest}: `]);
    expect(decode(decoder, "ff 3b")).toBe("an index beyond the tables");
  });

  // An HPACK bomb: 16,000 references of one byte to an entry of 4064 bytes. Every field is the same
  // string: nothing is copied.
  test("decodes repeated references to a large entry without copying it", () => {
    const decoder = new HpackDecoder();
    const value = "v".repeat(4000);
    decode(decoder, Uint8Array.of(0x40, 1, 97, 0x7f, 0xa1, 0x1e, ...hex("76".repeat(4000))));
    const seen: string[] = [];
    const block = new Uint8Array(16_000).fill(0xbe);
    decoder.decode(block, 0, block.length, { field: (_name, each) => void seen.push(each) });
    expect(seen.length).toBe(16_000);
    expect(seen[15_999]).toBe(value);
  });
});
