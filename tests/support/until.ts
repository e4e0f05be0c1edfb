/**
 * Waits for what another thread or the kernel does; the test's own limit ends a wait in vain. What
 * the stack does is waited for in virtual time.
 */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 1));
}
