/**
 * Temporary folders for tests.
 *
 * @module
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";

/** A folder that is removed with its contents when disposed of. */
export class TemporaryFolder implements Disposable {
  /** Its absolute path. */
  readonly path: string = mkdtempSync(join(tmpdir(), "berth-test-"));

  /** The path of a file in it. */
  file(name: string): string {
    return join(this.path, name);
  }

  /** Writes a file; returns its path. */
  write(name: string, text: string): string {
    writeFileSync(this.file(name), text);
    return this.file(name);
  }

  /** Removes it. */
  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}

/** Runs a body with another folder for temporary files. */
export async function withTemporary<T>(folder: string, body: () => Promise<T>): Promise<T> {
  const before = process.env["TMPDIR"];
  process.env["TMPDIR"] = folder;
  try {
    return await body();
  } finally {
    if (before === undefined) delete process.env["TMPDIR"];
    else process.env["TMPDIR"] = before;
  }
}
