import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { captureFile } from "../../../../adapters/links/decorators/capture_file.ts";
import { testRequiring } from "../../../support/requirements.ts";
import { until } from "../../../support/until.ts";

let folder: string;
let path: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "berth-"));
  path = join(folder, "test.pcapng");
});
afterEach(() => rmSync(folder, { recursive: true }));

const HEADER = new Uint8Array(100).fill(0xaa);

/** A block with distinct contents. */
function block(number: number, size = 1000): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(size).fill(1);
  new DataView(bytes.buffer).setUint32(0, number);
  return bytes;
}

function numbersIn(bytes: Uint8Array): number[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  expect(bytes.subarray(0, HEADER.length).every((byte) => byte === 0xaa)).toBe(true);
  const numbers: number[] = [];
  for (let at = HEADER.length; at < bytes.length; at += 1000) numbers.push(view.getUint32(at));
  return numbers;
}

describe("captureFile", () => {
  // close() waits for pending writes.
  test("writes all blocks in order", async () => {
    const file = captureFile(path);
    file.write(HEADER.slice());
    for (let i = 0; i < 2000; i++) file.write(block(i));
    await file.close();
    expect(numbersIn(readFileSync(path))).toEqual(Array.from({ length: 2000 }, (_, i) => i));
    expect(file.dropped).toBe(0);
  });

  // Rotation would rename a device such as /dev/null, which all programs use.
  test("does not rename a device", async () => {
    symlinkSync("/dev/null", path);
    const file = captureFile(path, { maxBytes: 5000, files: 3 });
    file.write(HEADER.slice());
    for (let i = 0; i < 20; i++) file.write(block(i));
    await file.close();
    expect(readdirSync(folder)).toEqual(["test.pcapng"]);
    expect(file.dropped).toBe(0);
  });

  // Disk usage is bounded, and the newest blocks are in the file with the given name.
  test("rotates files by size and keeps the last ones", async () => {
    const file = captureFile(path, { maxBytes: 5000, files: 3 });
    file.write(HEADER.slice());
    for (let i = 0; i < 20; i++) {
      file.write(block(i));
      if (i % 3 === 0) await new Promise((resolve) => setTimeout(resolve, 0));
    }
    await file.close();
    expect(readdirSync(folder).sort()).toEqual([
      "test.pcapng",
      "test.pcapng.1",
      "test.pcapng.2",
    ]);
    const newestLast = ["test.pcapng.2", "test.pcapng.1", "test.pcapng"].map((name) => {
      expect(statSync(join(folder, name)).size).toBeLessThanOrEqual(5000);
      return numbersIn(readFileSync(join(folder, name)));
    });
    expect(newestLast).toEqual([[8, 9, 10, 11], [12, 13, 14, 15], [16, 17, 18, 19]]);
  });

  // A disk or reader slower than the link causes dropped packets, not memory use.
  test("drops blocks beyond its limit", async () => {
    const file = captureFile(path, { maxWaitingBytes: 5100 });
    file.write(HEADER.slice());
    for (let i = 0; i < 8; i++) file.write(block(i));
    expect(file.dropped).toBe(3);
    await file.close();
    expect(numbersIn(readFileSync(path))).toEqual([0, 1, 2, 3, 4]);
  });

  // Reported once to `onError`, and by an exception to the recording, which ends.
  test("reports that a file cannot be written", async () => {
    const errors: unknown[] = [];
    const file = captureFile(join(folder, "no", "such", "folder"), {
      onError: (error) => errors.push(error),
    });
    file.write(HEADER.slice());
    await until(() => errors.length > 0);
    expect(() => file.write(block(1))).toThrow("no such file");
    await file.close();
    expect(errors.length).toBe(1);
  });

  // The reader of a FIFO gets blocks during the recording.
  testRequiring(
    ["program:mkfifo", "program:cat"],
    "writes to a FIFO once it has a reader",
    async () => {
      execFileSync("mkfifo", [path]);
      const file = captureFile(path);
      file.write(HEADER.slice());
      file.write(block(7));
      const reader = spawn("cat", [path]);
      const pieces: Uint8Array[] = [];
      reader.stdout.on("data", (piece: Uint8Array) => pieces.push(piece));
      const ended = new Promise((resolve) => reader.once("close", resolve));
      while (Buffer.concat(pieces).length < 1100) {
        await new Promise((resolve) => setTimeout(resolve, 1));
      }
      file.write(block(8));
      await file.close();
      await ended;
      expect(numbersIn(Buffer.concat(pieces))).toEqual([7, 8]);
    },
  );

  // close() must not wait for a reader.
  testRequiring(["program:mkfifo"], "closes a FIFO without a reader", async () => {
    execFileSync("mkfifo", [path]);
    const file = captureFile(path);
    file.write(HEADER.slice());
    const began = performance.now();
    await file.close();
    expect(performance.now() - began).toBeLessThan(5000);
  });

  // One message that names the option.
  test.each([{ maxBytes: 100 }, { files: 0 }, { files: 1.5 }, { maxWaitingBytes: NaN }])(
    "refuses %j",
    (options) => {
      expect(() => captureFile(path, options)).toThrow(`${Object.keys(options)[0]} must be`);
    },
  );
});
