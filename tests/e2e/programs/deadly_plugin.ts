/** Terminates its thread at the first byte. */
import process from "node:process";
import type { Context } from "../../../core/api/types.ts";

export default async function deadly({ socket }: Context): Promise<void> {
  for await (const _ of socket) process.exit(3);
}
