/**
 * The file that log lines are written to, and its rotation.
 *
 * @module
 */
import { z } from "zod";
import { bytes, count } from "../../../core/api/numbers.ts";
import type { LogFileOptions } from "../log/log_file.ts";
import { type JsonSchemaNotes, type Origin, pathFrom } from "./setting.ts";

const EXPECTED = `expected "FILE" or { "file", "maxBytes", "files" }`;

/** A file name, or an object that also bounds the rotation. */
export const logFileSchema: z.ZodType<LogFileOptions, unknown> = z.preprocess(
  (value) => typeof value === "string" ? { file: value } : value,
  z.strictObject({
    file: z.string(EXPECTED).min(1, EXPECTED),
    maxBytes: bytes(4096, Number.MAX_SAFE_INTEGER).default(16 * 1024 * 1024),
    files: count(1, 1000).default(5),
  }, { error: ({ code }) => code === "invalid_type" ? EXPECTED : undefined }),
).meta({ acceptsString: true } satisfies JsonSchemaNotes);

/** The setting with a path relative to its origin's folder. */
export function locateLogFile(
  { file, ...rotation }: LogFileOptions,
  { folder }: Origin,
): LogFileOptions {
  return { file: pathFrom(folder, file), ...rotation };
}
