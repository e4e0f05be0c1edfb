/**
 * Waits for actions of another thread or the kernel, bounded by the test's time limit. For actions
 * of the stack, use virtual time instead.
 */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 1));
}
