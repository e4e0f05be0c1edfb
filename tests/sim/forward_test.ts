import { describe, expect, test } from "bun:test";
import type { Ending } from "./forward/close_orders.ts";
import { type CloseOrderOptions, playCloseOrders } from "./forward/virtual.ts";

const RESETS: readonly Ending[] = ["resets-writing", "resets-reading"];

async function play(options: Partial<CloseOrderOptions> & { connections: number }) {
  const { faults, left, orderly, moves } = await playCloseOrders({
    seed: 1,
    atOnce: 200,
    profile: "local",
    loss: 0,
    endings: [],
    ...options,
  });
  expect(faults.slice(0, 3)).toEqual([]);
  expect(left).toBe(0);
  if (options.moveMs !== undefined) expect(moves).toBeGreaterThan(options.connections / 4);
  return orderly;
}

describe("forwarded connections in random close orders", () => {
  // In three of ten, a side resets or closes while the other still sends. All others get every byte
  // and the other side's FIN, in any order of the FINs.
  test("10,000 of them lose no byte and no half-close (RFC 9293 3.6)", async () => {
    const orderly = await play({ connections: 10_000, endings: ["leaves", ...RESETS] });
    expect(orderly).toBeGreaterThan(6500);
  }, 120_000);

  // With TIME-WAIT and delayed acknowledgements.
  test("1,000 of them in profile internet lose nothing", async () => {
    await play({ connections: 1000, profile: "internet", endings: RESETS });
  }, 60_000);

  // All connections move between two processes of the forwarder, with their sockets, every 40 ms on average and at any
  // moment: in the middle of writes, half-closed, while the other side resets, and back again.
  test.each(
    [["local", ["leaves", ...RESETS]], ["internet", RESETS]] as const,
  )("400 of them that move lose nothing, profile %s", async (profile, endings) => {
    await play({ connections: 400, profile, moveMs: 40, endings });
  }, 120_000);

  test.each(["local", "internet"] as const)(
    "300 of them that move lose nothing at 3 %% loss, profile %s",
    async (profile) => {
      expect(await play({ connections: 300, profile, loss: 0.03, moveMs: 100 })).toBe(300);
    },
    120_000,
  );

  // A lost RST is not retransmitted, so there are no resets here.
  test.each(["local", "internet"] as const)(
    "500 of them lose nothing at 3 %% loss on both links, profile %s",
    async (profile) => {
      expect(await play({ connections: 500, profile, loss: 0.03 })).toBe(500);
    },
    60_000,
  );
});
