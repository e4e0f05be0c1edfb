import { spawnSync } from "node:child_process";
import {
  closeSync,
  existsSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  symlinkSync,
} from "node:fs";
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { type Disk, HOST_DISK } from "../../../../adapters/service/log/disk.ts";
import { LogFile, MAX_WAITING_LENGTH } from "../../../../adapters/service/log/log_file.ts";
import { testRequiring } from "../../../support/requirements.ts";
import { TemporaryFolder } from "../../../support/temporary_folder.ts";

let folder: TemporaryFolder;
beforeEach(() => {
  folder = new TemporaryFolder();
});
afterEach(() => folder[Symbol.dispose]());

/** A disk whose writes wait until it answers. */
function hangingDisk() {
  const answering = Promise.withResolvers<void>();
  const asked = Promise.withResolvers<void>();
  const disk: Disk = {
    ...HOST_DISK,
    openNow(path) {
      const file = HOST_DISK.openNow(path);
      return {
        ...file,
        async write(bytes, at) {
          asked.resolve();
          await answering.promise;
          return await file.write(bytes, at);
        },
      };
    },
  };
  return { ...disk, isAsked: asked.promise, answer: () => answering.resolve() };
}

/** A log file, and what it has reported. */
function open({ disk, ...options }: { maxBytes?: number; files?: number; disk?: Disk } = {}) {
  const path = folder.file("log");
  const events: string[] = [];
  const file = new LogFile({ file: path, maxBytes: 1_000_000, files: 3, ...options }, {
    failed: (reason) => void events.push(`failed: ${reason}`),
    recovered: (lost) => void events.push(`lost: ${lost}`),
  }, disk);
  const read = (name = "log") => readFileSync(folder.file(name), "utf8");
  return { file, path, events, read };
}

describe("LogFile", () => {
  // Lines are appended to what is there, in order.
  test("appends lines", async () => {
    folder.write("log", "before\n");
    const { file, read } = open();
    for (let i = 0; i < 1000; i++) file.write(`line ${i}`);
    await file.finish();
    const lines = read().split("\n");
    expect([lines.length, lines[0], lines[1], lines[1000]])
      .toEqual([1002, "before", "line 0", "line 999"]);
    expect(file.lost).toBe(0);
  });

  // 100 lines of 100 bytes in files of 1000 bytes: three files stay, with the last lines whole.
  test("rotates by size and keeps some files", async () => {
    const { file, read } = open({ maxBytes: 1000 });
    for (let i = 0; i < 100; i++) {
      file.write(`${i}`.padEnd(99, "x"));
      await file.finish();
    }
    expect(readdirSync(folder.path).sort()).toEqual(["log", "log.1", "log.2"]);
    const numbers = (name: string) => read(name).trim().split("\n").map((line) => parseInt(line));
    expect([...numbers("log.2"), ...numbers("log.1"), ...numbers("log")])
      .toEqual(Array.from({ length: 30 }, (_, i) => 70 + i));
    expect(read("log.1").length).toBe(1000);
  });

  // With one file the old lines are overwritten.
  test("can keep one file", async () => {
    const { file, read } = open({ maxBytes: 10, files: 1 });
    for (const line of ["first", "second", "third"]) {
      file.write(line);
      await file.finish();
    }
    expect(read()).toBe("third\n");
    expect(readdirSync(folder.path)).toEqual(["log"]);
  });

  // Two processes have the file open, as during an upgrade. Each line is complete in one of the files, and the second
  // process does not rotate a file that the first has just begun.
  test("can be shared with another process", async () => {
    const { file: one, path, read } = open({ maxBytes: 1000, files: 20 });
    const other = new LogFile(one.options, { failed() {}, recovered() {} });
    for (let i = 0; i < 100; i++) {
      const file = i % 2 === 0 ? one : other;
      file.write(`${i}`.padEnd(99, "."));
      await file.finish();
    }
    expect(existsSync(path)).toBe(true);
    const names = readdirSync(folder.path);
    const lines = names.flatMap((name) => read(name).trim().split("\n"));
    expect(lines.map((line) => parseInt(line)).sort((a, b) => a - b))
      .toEqual(Array.from({ length: 100 }, (_, i) => i));
    expect(names.length).toBeLessThan(14);
  });

  // logrotate renames the file, then asks for a new one: no line is lost on the way.
  test("is opened again by its name", async () => {
    const { file, path, read } = open();
    file.write("one");
    await file.finish();
    renameSync(path, `${path}.old`);
    file.write("two");
    await file.finish();
    file.write("three");
    file.reopen();
    await file.finish();
    file.write("four");
    await file.finish();
    expect(read("log.old") + read()).toBe("one\ntwo\nthree\nfour\n");
    expect(read()).toContain("four\n");
  });

  // A full disk: nothing throws, the lines are counted, and one message says so. When there is room again,
  // the log says how many are missing.
  test("goes on while the disk is full", async () => {
    symlinkSync("/dev/full", folder.file("log"));
    const { file, path, events, read } = open();
    for (let i = 0; i < 50; i++) {
      file.write(`line ${i}`);
      if (i % 10 === 0) await file.finish();
    }
    await file.finish();
    expect(file.lost).toBe(50);
    expect(events.length).toBe(1);
    expect(events[0]).toMatch(/^failed: lines are being lost: .*(no space|ENOSPC)/i);
    rmSync(path);
    file.reopen();
    file.write("room again");
    await file.finish();
    expect(read()).toBe("room again\n");
    expect(events[1]).toBe("lost: 50");
    expect(file.lost).toBe(50);
  });

  // The disk is slower than the service: what waits is bounded, and the rest is counted.
  test("bounds the lines that wait for the disk", async () => {
    const { file, events, read } = open({ maxBytes: 1_000_000_000 });
    const line = "x".repeat(1023);
    for (let i = 0; i < 5000; i++) file.write(line);
    expect(file.lost).toBe(5000 - Math.floor(MAX_WAITING_LENGTH / 1023));
    await file.finish();
    expect(read().length / 1024 + file.lost).toBe(5000);
    expect(events).toEqual([
      "failed: lines are being lost: the disk is too slow",
      `lost: ${file.lost}`,
    ]);
  });

  // A call to a lost file server never returns. The thread continues, the queue is bounded, and the end of the
  // process waits a limited time. When the server responds again, the queued lines are written in order.
  test("goes on while the disk does not answer", async () => {
    const disk = hangingDisk();
    const { file, events, read } = open({ disk, maxBytes: 1_000_000_000 });
    file.write("one");
    await disk.isAsked;
    for (let i = 0; i < 5000; i++) file.write(`${i}`.padEnd(1023, "."));
    expect(file.lost).toBe(5000 - Math.floor(MAX_WAITING_LENGTH / 1023));
    expect(events).toEqual(["failed: lines are being lost: the disk is too slow"]);
    disk.answer();
    await file.finish();
    expect(read().split("\n").slice(0, 3).map((line) => line.replace(/\.+$/, "")))
      .toEqual(["one", "0", "1"]);
    expect(events[1]).toBe(`lost: ${file.lost}`);
  });

  // The process ends during a write: it waits for the write, and writes later lines after it.
  test("keeps the order of the last lines", async () => {
    const { file, read } = open();
    file.write("first");
    await Promise.resolve();
    await Promise.resolve();
    file.write("last words");
    file.flushNow();
    expect(read()).toBe("first\nlast words\n");
    await file.finish();
    expect(read()).toBe("first\nlast words\n");
  });

  // The pipe's reader has stopped and its buffer is full: a write to it blocks a thread of the runtime, and no other.
  testRequiring(["program:mkfifo"], "does not block on a full pipe", async () => {
    spawnSync("mkfifo", [folder.file("log")]);
    const reader = openSync(folder.file("log"), "r+");
    const { file } = open();
    for (let i = 0; i < 1000; i++) file.write(`${i}`.padEnd(1023, "."));
    let turns = 0;
    while (turns < 100) {
      await new Promise((resolve) => setTimeout(resolve));
      turns++;
    }
    expect(turns).toBe(100);
    // Until the pipe is empty, so that the thread of the runtime ends.
    let text = "";
    const bytes = new Uint8Array(65_536);
    while (!text.includes("999.")) {
      await new Promise((resolve) => setTimeout(resolve));
      text += new TextDecoder().decode(bytes.subarray(0, readSync(reader, bytes)));
    }
    await file.finish();
    closeSync(reader);
  }, 20_000);

  // If the folder was removed, neither rotation nor reopening loses lines.
  test("keeps its file if it cannot rotate or open another one", async () => {
    const { file, path, events } = open({ maxBytes: 10 });
    rmSync(folder.path, { recursive: true });
    for (const line of ["first", "second", "third"]) {
      file.write(line);
      await file.finish();
    }
    file.reopen();
    await file.finish();
    file.write("fourth");
    await file.finish();
    expect(existsSync(path)).toBe(false);
    expect(file.lost).toBe(0);
    expect(events.some((event) => event.startsWith("failed: it keeps growing"))).toBe(true);
  });

  // /dev/stdout and /dev/null are names that all programs use.
  test("does not rename a device", async () => {
    symlinkSync("/dev/null", folder.file("log"));
    const { file, events } = open({ maxBytes: 10 });
    for (const line of ["first", "second", "third"]) {
      file.write(line);
      await file.finish();
    }
    expect(readdirSync(folder.path)).toEqual(["log"]);
    expect([file.lost, events]).toEqual([0, []]);
  });

  // The link stays, and the files are beside the one that it leads to.
  test("rotates the file that a symbolic link leads to", async () => {
    symlinkSync(folder.file("data"), folder.file("log"));
    const { file, read } = open({ maxBytes: 10 });
    for (const line of ["first", "second", "third"]) {
      file.write(line);
      await file.finish();
    }
    expect(readdirSync(folder.path).sort()).toEqual(["data", "data.1", "data.2", "log"]);
    expect([read("log"), read("data.1"), read("data.2")])
      .toEqual(["third\n", "second\n", "first\n"]);
  });

  // Opening a FIFO without a reader would block the process.
  testRequiring(["program:mkfifo"], "cannot be opened on a FIFO without a reader", () => {
    spawnSync("mkfifo", [folder.file("log")]);
    expect(() => open()).toThrow(/ENXIO|no such device/i);
  });

  // At the end of the process what waits is written at once.
  test("writes what waits when the process ends", () => {
    const { file, read } = open();
    file.write("last words");
    file.flushNow();
    expect(read()).toBe("last words\n");
  });

  // The message of the start says why.
  test("cannot be opened in a folder that does not exist", () => {
    const options = { file: folder.file("none/log"), maxBytes: 1000, files: 1 };
    expect(() => new LogFile(options, { failed() {}, recovered() {} })).toThrow(
      /ENOENT|No such file/i,
    );
  });
});
