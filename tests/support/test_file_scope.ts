/**
 * Loads several test files in one Deno isolate, which Deno itself would load in one each: most of the
 * time of a small file. The tests and hooks of a file are those of a group with the file's path as its
 * name, so that hooks apply to their own file alone and a report says which file a test is in.
 *
 * @module
 */
import { describe, test } from "node:test";

/** What the file that is being loaded has registered at its top level. */
let collected: (() => void)[] | undefined;

/** Registers a group, a test or a hook: at once, or with the file that is being loaded. */
export function register(registration: () => void): void {
  if (collected === undefined) registration();
  else collected.push(registration);
}

/** Imports a test file and registers what it holds; a file that does not load is a failed test. */
export async function loadTestFile(path: string, load: () => Promise<unknown>): Promise<void> {
  const registrations: (() => void)[] = collected = [];
  try {
    await load();
  } catch (error) {
    registrations.push(() => test("loads", () => Promise.reject(error)));
  } finally {
    collected = undefined;
  }
  describe(path, () => {
    console.log(`${path}:`); // Deno runs this body when it runs the tests in it
    for (const registration of registrations) registration();
  });
}
