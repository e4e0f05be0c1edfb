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

/** A configuration on the disk that has not replaced the saved one yet. The caller calls one of the methods. */
export interface StagedConfig {
  /**
   * Replaces the saved configuration.
   *
   * @throws {Error} The folder cannot be written.
   */
  commit(): void;
  /** Removes this configuration. */
  discard(): void;
}

/**
 * Writes a configuration, readable only by its owner, to a file next to the saved one, so that only a rename is
 * needed once it is in use. After a crash in between, the old configuration is still there.
 *
 * @throws {Error} The folder cannot be written.
 */
export function stageConfig(folder: string, config: SavedConfig): StagedConfig {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const path = join(folder, NAME);
  // Remove an existing file, which may have another owner or mode.
  const discard = () => rmSync(`${path}.new`, { force: true });
  discard();
  const file = openSync(`${path}.new`, "wx", 0o600);
  try {
    // `writeFileSync` writes everything or throws, whereas a single write to a disk that is nearly full may write
    // only a part.
    writeFileSync(file, JSON.stringify(config));
    fsyncSync(file);
  } catch (error) {
    // Remove the part that was written, which would keep the disk full.
    discard();
    throw error;
  } finally {
    closeSync(file);
  }
  return { commit: () => renameSync(`${path}.new`, path), discard };
}

/** The saved configuration, or a message if there is none or it cannot be read. */
export function readSavedConfig(folder: string): SavedConfig | string {
  const path = join(folder, NAME);
  try {
    return schema.parse(JSON.parse(readFileSync(path, "utf8")));
  } catch (error) {
    return `${path}: ${messageLine(error)}`;
  }
}
