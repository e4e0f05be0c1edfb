/**
 * Peers that take too long.
 *
 * @module
 */
import type { Context } from "../../core/api/types.ts";

/** Runs `task`, and resets the connection, on which `task` fails, where it takes more than `ms`. */
export async function withTimeout<T>(
  { clock, socket }: Pick<Context, "clock" | "socket">,
  ms: number,
  task: () => Promise<T>,
): Promise<T> {
  const cancel = clock.schedule(clock.now() + ms, () => socket.abort());
  try {
    return await task();
  } finally {
    cancel();
  }
}
