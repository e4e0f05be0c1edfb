/**
 * The command `dev`: serves a project while its files change.
 *
 * @module
 */

/** What the command does, for `--help` and completion. */
export const DEV_HELP = "serve berth.json, and reload it and its plugins after each change";

/** The flags that `dev` stands for, followed by its arguments. */
export function devArguments(args: readonly string[]): string[] {
  const hasFile = args.some((one) => one === "--config" || one.startsWith("--config="));
  const hasWatch = args.includes("--watch");
  return [
    ...hasFile ? [] : ["--config", "berth.json"],
    ...hasWatch ? [] : ["--watch"],
    ...args,
  ];
}
