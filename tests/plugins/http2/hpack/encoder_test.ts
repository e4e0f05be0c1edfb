import { describe, expect, test } from "bun:test";
import { ByteWriter } from "../../../../plugins/http2/byte_writer.ts";
import { HpackDecoder } from "../../../../plugins/http2/hpack/decoder.ts";
import {
  HpackEncoder,
  writeInteger,
  writeString,
} from "../../../../plugins/http2/hpack/encoder.ts";
import { seeded } from "../../http/support.ts";
import { decode, dump } from "./support.ts";

/** A block of `name: value` fields, as bytes. */
function blockOf(encoder: HpackEncoder, ...fields: string[]): Uint8Array {
  const out = new ByteWriter(16);
  encoder.begin(out);
  for (const field of fields) {
    const at = field.indexOf(": ");
    encoder.field(out, field.slice(0, at), field.slice(at + 2));
  }
  return out.bytes.slice(0, out.length);
}

describe("HpackEncoder", () => {
  // 10 and 1337 with a prefix of 5 bits, 42 with one of 8.
  test.each([[10, 5, "0a"], [1337, 5, "1f9a0a"], [42, 8, "2a"], [31, 5, "1f00"], [127, 7, "7f00"]])(
    "writes the integer %i (RFC 7541 C.1)",
    (value, prefix, bytes) => {
      const out = new ByteWriter(8);
      writeInteger(out, 0, prefix, value);
      expect(dump(out.bytes.subarray(0, out.length))).toBe(bytes);
    },
  );

  // "www" takes 3 bytes either way; most capital letters are longer when Huffman-coded.
  test("uses the Huffman code where it is shorter (RFC 7541 5.2)", () => {
    const written = (text: string) => {
      const out = new ByteWriter(8);
      writeString(out, text);
      return dump(out.bytes.subarray(0, out.length));
    };
    expect(written("www.example.com")).toBe("8cf1e3c2e5f23a6ba0ab90f4ff");
    expect(written("XYZ")).toBe("0358595a");
    expect(written("")).toBe("00");
  });

  // Entries of the static table take one byte: a status, or a field with its value.
  test("refers to the static table (RFC 7541 A)", () => {
    const encoder = new HpackEncoder();
    const out = new ByteWriter(8);
    for (const status of [200, 204, 206, 304, 400, 404, 500]) encoder.status(out, status);
    encoder.field(out, "accept-encoding", "gzip, deflate");
    expect(dump(out.bytes.subarray(0, out.length))).toBe("88898a8b8c8d8e90");
  });

  // The field is a literal the first time, a literal with indexing the second time, and then an index. Another field
  // is written in between.
  test("adds a field to the table when it is repeated (RFC 7541 6.2.1)", () => {
    const encoder = new HpackEncoder();
    const decoder = new HpackDecoder();
    const first = "content-type: text/html";
    const html = "87497ca589d34d1f";
    for (const bytes of [`0f10${html}`, `5f${html}`, "be", "be"]) {
      const block = blockOf(encoder, first);
      expect(dump(block)).toBe(bytes);
      expect(decode(decoder, block)).toEqual([first]);
    }
    for (const bytes of [/^0f10/, /^5f/, /^be$/]) {
      const block = blockOf(encoder, "content-type: text/css");
      expect(dump(block)).toMatch(bytes);
      decode(decoder, block);
    }
    expect(dump(blockOf(encoder, first))).toBe("bf");
    expect(decode(decoder, "bf")).toEqual([first]);
  });

  // Secrets are never added to a table (RFC 7541 7.1.3): 0x1f starts a never-indexed literal, every
  // time.
  test.each([["set-cookie", "1f28"], ["authorization", "1f08"], ["cookie", "1f11"]])(
    "never indexes %s",
    (name, begins) => {
      const encoder = new HpackEncoder();
      for (let i = 0; i < 3; i++) {
        expect(dump(blockOf(encoder, `${name}: a=1`)).slice(0, 4)).toBe(begins);
      }
      expect(encoder.tableSize).toBe(0);
    },
  );

  // The peer allows 0 and then 100 before the next block: the smallest size first, then the last.
  test("signals a new table size, the smallest first (RFC 7541 4.2)", () => {
    const encoder = new HpackEncoder();
    const decoder = new HpackDecoder();
    for (let i = 0; i < 3; i++) decode(decoder, blockOf(encoder, "a: b"));
    expect(encoder.tableSize).toBe(34);
    encoder.allowTableSize(0);
    encoder.allowTableSize(100);
    expect(encoder.tableSize).toBe(0);
    const block = blockOf(encoder, "a: b");
    expect(dump(block)).toMatch(/^20 ?3f45/);
    expect(decode(decoder, block)).toEqual(["a: b"]);
    expect(dump(blockOf(encoder, "a: b"))).toBe("be");
    // A size above the default is not used, so nothing is signalled.
    encoder.allowTableSize(100_000);
    expect(dump(blockOf(encoder)).slice(0, 2)).toBe("3f");
    encoder.allowTableSize(1_000_000);
    expect(dump(blockOf(encoder))).toBe("");
  });

  // Fields that are not repeated evict nothing: the table keeps those that are.
  test("keeps fields that change out of the table", () => {
    const encoder = new HpackEncoder();
    for (let i = 0; i < 1000; i++) blockOf(encoder, `etag: "${i}"`, "server: berth");
    expect(encoder.tableSize).toBe("server".length + "berth".length + 32);
    expect(dump(blockOf(encoder, "server: berth"))).toBe("be");
  });

  // 3000 blocks of fields that are repeated more or less often, in a table that is resized: a
  // decoder with its own table decodes each of them.
  test("is decoded correctly, whatever it is given", () => {
    const random = seeded(11);
    const encoder = new HpackEncoder();
    const decoder = new HpackDecoder();
    const names = ["content-type", "etag", "server", "x-a", "x-b", "set-cookie", "vary", "date"];
    for (let round = 0; round < 3000; round++) {
      if (random() < 0.02) encoder.allowTableSize(Math.floor(random() * 5000));
      const fields = Array.from({ length: Math.floor(random() * 8) }, () => {
        const name = names[Math.floor(random() * names.length)]!;
        return `${name}: ${"v".repeat(random() * 40)}${Math.floor(random() ** 3 * 50)}`;
      });
      expect(decode(decoder, blockOf(encoder, ...fields))).toEqual(fields);
      expect(decoder.table.size).toBe(encoder.tableSize);
      expect(encoder.tableSize).toBeLessThanOrEqual(4096);
    }
  });
});
