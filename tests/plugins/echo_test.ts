import { describe, expect, test } from "bun:test";
import { echo } from "../../plugins/echo.ts";
import { bytes } from "../support/conversation.ts";
import { socketPair, testContext } from "../support/fake_socket.ts";

const nothing = () => Promise.resolve();

describe("echo", () => {
  // Received data is sent back; the client's FIN ends the handler and the connection.
  test("sends back everything it receives, then ends (RFC 862)", async () => {
    const { client, server } = socketPair();
    const served = echo().handle!(testContext(server).context, nothing);
    const chunk = new Uint8Array(100);
    for (const text of ["one", "and two"]) {
      await client.write(bytes(text));
      expect(await client.read(chunk)).toBe(text.length);
      expect(chunk.subarray(0, text.length)).toEqual(bytes(text));
    }
    await client.write(bytes("last"));
    await client.closeWrite();
    await served;
    expect(await client.read(chunk)).toBe(4);
  });

  // The client sends without reading: at most what both buffers hold is received.
  test("stops reading while its client does not read", async () => {
    const { client, server } = socketPair({ bufferSize: 1000 });
    const served = echo().handle!(testContext(server).context, nothing);
    let taken = false;
    const writing = client.write(new Uint8Array(10_000)).then(() => taken = true);
    for (let turn = 0; turn < 1000; turn++) await Promise.resolve();
    expect(taken).toBe(false);
    client.abort();
    const [ours, theirs] = await Promise.allSettled([served, writing]);
    expect(ours).toMatchObject({ status: "rejected", reason: { code: "CONNECTION_RESET" } });
    expect(theirs).toMatchObject({ status: "rejected", reason: { code: "CONNECTION_ABORTED" } });
  });

  // An option is a compile error, and at run time an error that names it.
  test("has no options", () => {
    // @ts-expect-error -- there are no options
    expect(() => echo({ loud: true })).toThrow(
      "echo: options.loud: unknown key; no key is expected",
    );
  });
});
