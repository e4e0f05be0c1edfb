import { mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "bun:test";
import { openSocketPair } from "../../../../../adapters/plugins/tls/runtime/socket_pair.ts";
import { TemporaryFolder, withTemporary } from "../../../../support/temporary_folder.ts";

describe("openSocketPair", () => {
  // Ten at once: bytes written at one end arrive at the other end of the same pair.
  test("gives the two ends of one connection, and leaves no file behind", async () => {
    using folder = new TemporaryFolder();
    await withTemporary(folder.path, async () => {
      const pairs = await Promise.all(Array.from({ length: 10 }, () => openSocketPair()));
      const heard = pairs.map(([, far]) =>
        new Promise<string>((resolve) => far.once("data", (chunk) => resolve(String(chunk))))
      );
      for (const [index, [near]] of pairs.entries()) near.write(`pair ${index}`);
      expect(await Promise.all(heard)).toEqual(pairs.map((_, index) => `pair ${index}`));
      for (const socket of pairs.flat()) socket.destroy();
    });
    expect(readdirSync(folder.path)).toEqual([]);
  });

  // Clients in the queue do not wait for one that has disconnected.
  test("opens no pair for a client that has gone before its turn", async () => {
    let isThere = true;
    const [first, second] = [openSocketPair(), openSocketPair("", () => isThere)];
    isThere = false;
    await expect(second).rejects.toMatchObject({ code: "CONNECTION_RESET" });
    for (const socket of await first) socket.destroy();
  });

  // One client asks for twenty pairs, then another for one: it gets the third pair, after the one
  // being opened and the first client's next.
  test("lets clients take turns", async () => {
    const order: string[] = [];
    const open = async (client: string) => {
      for (const socket of await openSocketPair(client)) socket.destroy();
      order.push(client);
    };
    await Promise.all([...Array.from({ length: 20 }, () => open("many")), open("one")]);
    expect(order.indexOf("one")).toBeLessThanOrEqual(2);
    expect(order.length).toBe(21);
  });

  // On Deno a path that is too long for a Unix socket is an example of a failure, like too many
  // open files; Bun can use it.
  test("leaves no folder behind when it fails", async () => {
    using folder = new TemporaryFolder();
    const deep = join(folder.path, "x".repeat(120));
    mkdirSync(deep);
    const opened = await withTemporary(deep, () => openSocketPair().catch(() => []));
    expect(readdirSync(deep)).toEqual([]);
    for (const socket of [...opened, ...await openSocketPair()]) socket.destroy();
  });
});
