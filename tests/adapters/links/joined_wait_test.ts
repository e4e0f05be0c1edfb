import { describe, expect, test } from "bun:test";
import { JoinedWait } from "../../../adapters/links/joined_wait.ts";

/** A link that settles its waits on request. */
function waitingLink() {
  const waits: PromiseWithResolvers<boolean>[] = [];
  const ready = () => {
    const wait = Promise.withResolvers<boolean>();
    waits.push(wait);
    return wait.promise;
  };
  return { waits, wait: new JoinedWait({ ready }) };
}

describe("JoinedWait", () => {
  // A wait for a device may take a thread or a descriptor, so there is never a second one.
  test("keeps a single wait for the link, however often it is woken up", async () => {
    const { waits, wait } = waitingLink();
    for (let round = 0; round < 5; round++) {
      const ready = wait.ready(false);
      wait.wake();
      expect(await ready).toBe(true);
    }
    expect(waits.length).toBe(1);
    const ready = wait.ready(false);
    waits[0]!.resolve(false);
    expect(await ready).toBe(false);
    void wait.ready(false);
    expect(waits.length).toBe(2);
  });

  // Packets that have arrived before the wait are received without waiting.
  test("does not wait if there is something to receive", async () => {
    const { waits, wait } = waitingLink();
    expect([await wait.ready(true), waits.length]).toEqual([true, 0]);
  });

  // The driver ends the stack then.
  test("rejects when the link fails, and waits again afterwards", async () => {
    const { waits, wait } = waitingLink();
    const ready = wait.ready(false);
    waits[0]!.reject(new Error("the device is gone"));
    await expect(ready).rejects.toThrow("the device is gone");
    const next = wait.ready(false);
    waits[1]!.resolve(true);
    expect(await next).toBe(true);
  });
});
