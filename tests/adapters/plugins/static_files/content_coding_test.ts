import { describe, expect, test } from "bun:test";
import { acceptedCodings } from "../../../../adapters/plugins/static_files/content_coding.ts";

describe("acceptedCodings", () => {
  // RFC 9110 12.5.3: a weight of zero excludes a coding, a star stands for all others.
  test.each([
    [null, []],
    ["", []],
    ["gzip", ["gzip"]],
    ["x-gzip", ["gzip"]],
    ["gzip, deflate, br, zstd", ["br", "zstd", "gzip"]],
    ["GZIP;q=0.5, br ; q=1.0", ["br", "gzip"]],
    ["gzip;q=0, br;q=0.000", []],
    ["*", ["br", "zstd", "gzip"]],
    ["*;q=0", []],
    ["br;q=0, *", ["zstd", "gzip"]],
    ["identity", []],
  ])("reads %s", (field, names) => {
    expect(acceptedCodings(field).map(({ name }) => name)).toEqual(names);
  });
});
