/**
 * Settings of the wrappers around the link: recording and impairments.
 *
 * @module
 */
import { z } from "zod";
import { bytes, count, wholeNumber } from "../../../core/api/numbers.ts";
import type { LinkImpairments } from "../../links/decorators/impair.ts";
import {
  checkImpairments,
  type Impairments,
  NO_IMPAIRMENT,
} from "../../links/decorators/impair/impairments.ts";
import { messageLine } from "../errors.ts";
import { type JsonSchemaNotes, type Origin, pathFrom } from "./setting.ts";

/** The file that packets are recorded to, and its rotation. */
export interface CaptureSetting {
  /** A file, a FIFO, or `"-"` for stdout. */
  readonly file: string;
  /** Size of one file, in bytes. */
  readonly maxBytes?: number | undefined;
  /** Number of files that are kept. */
  readonly files?: number | undefined;
}

/** Impairments of the link. */
export interface ImpairSetting extends LinkImpairments {
  /** Seed of the random decisions: the same seed and packets give the same decisions. */
  readonly seed?: number;
  /** Maximum number of packets delayed in one direction. */
  readonly queue?: number;
}

const FILE_EXPECTED = `expected "FILE" or { "file", "maxBytes", "files" }`;

/** A file name, or an object that also bounds the rotation. */
export const captureSchema: z.ZodType<CaptureSetting, unknown> = z.preprocess(
  (value) => typeof value === "string" ? { file: value } : value,
  z.strictObject({
    file: z.string(FILE_EXPECTED).min(1, FILE_EXPECTED),
    maxBytes: bytes(4096, Number.MAX_SAFE_INTEGER).optional(),
    files: count(1, 10_000).optional(),
  }, { error: ({ code }) => code === "invalid_type" ? FILE_EXPECTED : undefined }),
).meta({ acceptsString: true } satisfies JsonSchemaNotes);

/** The recording with a path relative to its origin's folder. */
export function locateCapture(
  { file, ...rest }: CaptureSetting,
  { folder }: Origin,
): CaptureSetting {
  return { file: file === "-" ? file : pathFrom(folder, file), ...rest };
}

/** The names, for the JSON Schema; `checkImpairments()` checks the values. */
const impairments = Object.fromEntries(
  Object.keys(NO_IMPAIRMENT).map((name) => [name, z.unknown().optional().meta({ type: "number" })]),
);

/** `{ "loss": 0.01, "incoming": { ... } }`. */
export const impairSchema: z.ZodType<ImpairSetting, unknown> = z.looseObject({
  ...impairments,
  seed: wholeNumber(0, Number.MAX_SAFE_INTEGER).optional(),
  queue: count(1, 1_000_000).optional(),
  incoming: z.record(z.string(), z.unknown()).optional(),
}).transform(({ seed, queue, incoming, ...outgoing }, c): ImpairSetting => {
  try {
    checkImpairments(outgoing as Impairments);
    if (incoming) checkImpairments(incoming as Impairments, "incoming.");
  } catch (error) {
    c.addIssue(messageLine(error));
    return z.NEVER;
  }
  return {
    ...outgoing,
    ...(seed === undefined ? {} : { seed }),
    ...(queue === undefined ? {} : { queue }),
    ...(incoming === undefined ? {} : { incoming }),
  };
});

const FLAG_EXPECTED = "expected NAME=NUMBER,... such as delayMs=20,loss=0.01,incoming.loss=0.02";

/** The syntax of the flag: `delayMs=20,incoming.loss=0.01`. */
export const impairTextSchema: z.ZodType<ImpairSetting, string> = z.string().transform(
  (text, c): unknown => {
    const impairments: Record<string, unknown> = {};
    const incoming: Record<string, number> = {};
    for (const part of text.split(",")) {
      const [, isIncoming, name, value] = /^(incoming\.)?(\w+)=([\d.e+-]+)$/.exec(part) ?? [];
      const isKnown = name !== undefined &&
        (Object.hasOwn(NO_IMPAIRMENT, name) || /^(seed|queue)$/.test(name));
      if (!isKnown || !Number.isFinite(Number(value))) {
        c.addIssue(`${FLAG_EXPECTED}, got ${part}`);
        return z.NEVER;
      }
      (isIncoming === undefined ? impairments : incoming)[name] = Number(value);
    }
    return Object.keys(incoming).length > 0 ? { ...impairments, incoming } : impairments;
  },
).pipe(impairSchema);
