/**
 * Commands that inspect a running service. They may run until they are interrupted, and print while they run.
 *
 * @module
 */
import { parseArgs } from "node:util";
import { messageLine, UsageError } from "../../errors.ts";
import type { AdminClient } from "./admin_client.ts";
import type { Output } from "./output.ts";

/** A flag of a tool. */
export interface ToolFlag {
  /** One letter. */
  readonly short?: string;
  /** Name of the value in help; absent if the flag has no value. */
  readonly value?: string;
  /** Whether the value is a file, for completion. */
  readonly isFile?: boolean;
  readonly help: string;
}

/** The arguments of a tool. */
export interface ToolArguments {
  readonly flags: Readonly<Record<string, string | true | undefined>>;
  readonly words: readonly string[];
}

/** What a tool gets when it runs. */
export interface ToolContext extends ToolArguments {
  readonly service: AdminClient;
  readonly out: Output;
  /** Aborted when the user interrupts the tool. */
  readonly signal: AbortSignal;
}

/** A command. */
export interface Tool {
  readonly help: string;
  /** The command line after its name. */
  readonly usage: string;
  readonly flags: Readonly<Record<string, ToolFlag>>;
  /** Checks the arguments before the first request to the service; throws a `UsageError`. */
  readonly check?: (given: ToolArguments) => void;
  /** Runs the command; resolves when it has ended. */
  run(context: ToolContext): Promise<void>;
}

/** The flags of every tool. */
export const COMMON_FLAGS: Readonly<Record<string, ToolFlag>> = {
  admin: { value: "ADDRESS", help: "the admin API: unix:PATH, or HOST:PORT" },
  config: { value: "FILE", isFile: true, help: "find the admin API in a configuration file" },
};

/**
 * Parses the arguments of a tool.
 *
 * @throws {UsageError} There is no such flag, or it has no value.
 */
export function parseToolArguments(
  name: string,
  tool: Tool,
  args: readonly string[],
): ToolArguments {
  const all = { ...COMMON_FLAGS, ...tool.flags };
  const options = Object.fromEntries(
    Object.entries(all).map(([flag, { short, value }]) => [flag, {
      type: value === undefined ? "boolean" as const : "string" as const,
      ...short !== undefined && { short },
    }]),
  );
  try {
    const { values, positionals } = parseArgs({ args: [...args], options, allowPositionals: true });
    const given = { flags: values as ToolArguments["flags"], words: positionals };
    tool.check?.(given);
    return given;
  } catch (error) {
    if (error instanceof UsageError) throw error;
    const [firstSentence] = messageLine(error).split(". ");
    throw new UsageError(`${name}: ${firstSentence}; usage: berth ${name} ${tool.usage}`);
  }
}

/**
 * The value of a flag as a whole number.
 *
 * @throws {UsageError} The value is not a whole number, or out of range.
 */
export function wholeNumber(
  flag: string,
  text: string | true | undefined,
  least: number,
  most: number,
): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (Number.isInteger(value) && value >= least && value <= most) return value;
  throw new UsageError(`${flag} ${text}: expected a whole number from ${least} to ${most}`);
}
