import { describe, expect, test } from "bun:test";
import { discard } from "../../plugins/discard.ts";
import { socketPair, testContext } from "../support/fake_socket.ts";

const nothing = () => Promise.resolve();

describe("discard", () => {
  // A megabyte through a small buffer, without any answer.
  test("reads everything and answers nothing (RFC 863)", async () => {
    const { client, server } = socketPair({ bufferSize: 1000 });
    const served = discard().handle!(testContext(server).context, nothing);
    expect(await client.write(new Uint8Array(1 << 20))).toBe(1 << 20);
    await client.closeWrite();
    await served;
    expect(server.stats().bytesIn).toBe(1 << 20);
    expect(server.stats().bytesOut).toBe(0);
  });
});
