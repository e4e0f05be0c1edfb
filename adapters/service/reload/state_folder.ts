/**
 * The last configuration that worked, kept on disk for `--state`.
 *
 * @module
 */
import {
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { messageLine } from "../errors.ts";

/** A configuration file as it was read. */
export interface SavedConfig {
  /** The path of the file; paths in it are relative to its folder. */
  readonly path: string;
  readonly text: string;
}

const schema = z.strictObject({ path: z.string(), text: z.string() });

/** The name of the file in the folder. */
const NAME = "last-good.json";

/** A configuration that is on the disk, beside the saved one. One of the methods is called. */
export interface StagedConfig {
  /**
   * Replaces the saved configuration.
   *
   * @throws {Error} The folder cannot be written.
   */
  commit(): void;
  /** Removes it. */
  discard(): void;
}

/**
 * Writes a configuration, which only its owner can read, beside the saved one, so that nothing but a rename is left to
 * do once it is in use. After a crash in between, the old one remains.
 *
 * @throws {Error} The folder cannot be written.
 */
export function stageConfig(folder: string, config: SavedConfig): StagedConfig {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const path = join(folder, NAME);
  // A file that is there may have another owner or mode.
  const discard = () => rmSync(`${path}.new`, { force: true });
  discard();
  const file = openSync(`${path}.new`, "wx", 0o600);
  try {
    // Writes all of it: a disk that is nearly full takes a part without an error.
    writeFileSync(file, JSON.stringify(config));
    fsyncSync(file);
  } catch (error) {
    // The part that was written would keep the disk full.
    discard();
    throw error;
  } finally {
    closeSync(file);
  }
  return { commit: () => renameSync(`${path}.new`, path), discard };
}

/** The saved configuration; a message if there is none that can be read. */
export function readSavedConfig(folder: string): SavedConfig | string {
  const path = join(folder, NAME);
  try {
    return schema.parse(JSON.parse(readFileSync(path, "utf8")));
  } catch (error) {
    return `${path}: ${messageLine(error)}`;
  }
}
