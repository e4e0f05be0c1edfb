import { describe, expect, test } from "bun:test";
import { FairQueue } from "../../../core/buffers/fair_queue.ts";
import { IpAddress } from "../../../core/wire/address.ts";

interface Item {
  readonly remote: IpAddress;
  readonly name: string;
}

let queue: FairQueue<Item>;

function push(hostname: string, ...names: string[]): void {
  const remote = IpAddress.parse(hostname)!;
  for (const name of names) queue.push({ remote, name });
}

function take(count: number): (string | undefined)[] {
  return Array.from({ length: count }, () => queue.shift()?.name);
}

const numbered = (prefix: string, count: number) =>
  Array.from({ length: count }, (_, i) => `${prefix}${i}`);

describe("FairQueue", () => {
  // Six hundred connections of one source have events; the first event of another source waits for the
  // eight that are next, not for all.
  test("lets sources take turns in a long queue", () => {
    queue = new FairQueue();
    push("203.0.113.9", ...numbered("a", 600));
    push("192.0.2.1", "b0", "b1");
    expect(take(12)).toEqual([
      ...numbered("a", 9),
      "b0",
      "a9",
      "b1",
    ]);
    expect(take(590)).toEqual(numbered("a", 600).slice(10));
    expect(queue.shift()).toBeUndefined();
  });

  // With one source, and in a short queue, the order is that of arrival.
  test("is FIFO otherwise", () => {
    queue = new FairQueue();
    for (let round = 0; round < 3; round++) {
      push("203.0.113.9", ...numbered("a", 100));
      expect(take(100)).toEqual(numbered("a", 100));
      push("203.0.113.9", "a0", "a1");
      push("192.0.2.1", "b0");
      push("203.0.113.9", "a2");
      expect(take(5)).toEqual(["a0", "a1", "b0", "a2", undefined]);
    }
  });

  // The addresses of an IPv6 /64 are one source.
  test("counts an IPv6 /64 as one source", () => {
    queue = new FairQueue();
    push("2001:db8::1", ...numbered("a", 8));
    for (let i = 0; i < 20; i++) push(`2001:db8::${i + 2}`, `c${i}`);
    push("2001:db8:1::1", "b");
    expect(take(10).slice(8)).toEqual(["c0", "b"]);
  });
});
