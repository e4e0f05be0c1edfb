import { describe, expect, test } from "bun:test";
import { readExactly } from "../../../plugins/shared/read_exactly.ts";
import { socketPair } from "../../support/fake_socket.ts";

describe("readExactly", () => {
  // 5 bytes arrive in two segments: the first 3 are read, the rest stays for the next reader.
  test("reads across segments, and no further", async () => {
    const { client, server } = socketPair();
    await client.write(new Uint8Array([1, 2]));
    const first = readExactly(server, 3);
    await client.write(new Uint8Array([3, 4, 5]));
    expect(await first).toEqual(new Uint8Array([1, 2, 3]));
    expect(await readExactly(server, 2)).toEqual(new Uint8Array([4, 5]));
  });

  // FIN after 2 of 3 bytes, or before any.
  test("returns nothing if the connection ends before", async () => {
    const { client, server } = socketPair();
    await client.write(new Uint8Array([1, 2]));
    await client.closeWrite();
    expect(await readExactly(server, 3)).toBe(undefined);
    expect(await readExactly(server, 1)).toBe(undefined);
  });
});
