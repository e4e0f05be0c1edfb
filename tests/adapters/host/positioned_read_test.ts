import { describe, expect, test } from "bun:test";
import { closeSync, openSync } from "node:fs";
import { readAt } from "../../../adapters/host/positioned_read.ts";
import { TemporaryFolder } from "../../support/temporary_folder.ts";

describe("readAt", () => {
  // Ten bytes, read in the middle, across the end and past it.
  test("reads from a position, and returns 0 at the end", () => {
    using folder = new TemporaryFolder();
    const descriptor = openSync(folder.write("ten.txt", "0123456789"), "r");
    const target = new Uint8Array(6);
    const read = (position: number) =>
      new TextDecoder().decode(target.subarray(0, readAt(descriptor, target, position)));
    expect([3, 7, 10, 2 ** 40].map(read)).toEqual(["345678", "789", "", ""]);
    closeSync(descriptor);
  });

  // A folder cannot be read, and neither can a closed descriptor.
  test("throws the kernel's error", () => {
    const descriptor = openSync("/tmp", "r");
    const codeOf = () => {
      try {
        return readAt(descriptor, new Uint8Array(1), 0);
      } catch (error) {
        return (error as { code?: string }).code;
      }
    };
    expect(codeOf()).toBe("EISDIR");
    closeSync(descriptor);
    expect(codeOf()).toBe("EBADF");
  });
});
