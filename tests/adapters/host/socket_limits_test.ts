import { describe, expect, test } from "bun:test";
import { SocketLimits } from "../../../adapters/host/socket_limits.ts";
import type { SharedLimit } from "../../../plugins/shared/shared_limit.ts";

/** Number of slots that clients with one each can take. */
function slotsOf([limit, ...also]: readonly SharedLimit[]): number {
  for (let taken = 0;; taken++) {
    const client = `10.${taken >> 16}.${taken >> 8 & 255}.${taken & 255}`;
    if (limit!.enter(client, () => {}, { also }) === undefined) return taken;
  }
}

describe("SocketLimits", () => {
  // A process that may open 1024 files, with one thread and with two.
  test.each([[1, 384], [2, 192]])("divides descriptors among %d threads", (threads, slots) => {
    expect(slotsOf(new SocketLimits(threads, 1024).connections)).toBe(slots);
    expect(slotsOf(new SocketLimits(threads, 1024).datagrams)).toBe(slots);
  });

  // A million descriptors: UDP sockets have a limit of their own, because of their memory.
  test.each([[1, 4096], [2, 2048]])("bounds UDP sockets with %d threads", (threads, slots) => {
    const limits = new SocketLimits(threads, 1_048_576);
    expect(slotsOf(limits.datagrams)).toBe(slots);
    expect(limits.all.size).toBe(slots);
  });

  // Where the number of descriptors is not known, each plugin's own limit remains.
  test("has no limit for connections if that of the process is unknown", () => {
    expect(slotsOf(new SocketLimits(1, Infinity).datagrams)).toBe(4096);
    expect(new SocketLimits(1, Infinity).all.isFull).toBe(false);
  });
});
