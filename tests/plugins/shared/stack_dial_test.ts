import { describe, expect, test } from "bun:test";
import { dialStack } from "../../../plugins/shared/stack_dial.ts";
import { StackPair } from "../../core/api/stack_pair.ts";
import { codeOf } from "../../support/conversation.ts";

const TO = { hostname: "10.0.0.2", port: 80 };

describe("dialStack", () => {
  // The signal aborts after the connection was made: the bytes already written still arrive.
  test("does not abort an established connection when the dial's signal aborts", async () => {
    await using pair = new StackPair();
    let received = 0;
    pair.server.use(80, async ({ socket }) => {
      for await (const { length } of socket) received += length;
    });
    const client = new AbortController();
    const socket = await pair.run(dialStack(pair.client, TO, client.signal));
    const written = socket.write(new Uint8Array(50_000));
    client.abort(new Error("gone"));
    await pair.run(written);
    await pair.run(socket.close());
    expect(received).toBe(50_000);
  });

  // The signal is aborted before the dial, or while no answer comes.
  test("gives up an attempt when its signal is aborted", async () => {
    await using pair = new StackPair();
    pair.server.use(80, { name: "silent", onSyn: () => "ignore" });
    const early = dialStack(pair.client, TO, AbortSignal.abort(new Error("gone")));
    expect(await Promise.allSettled([early])).toMatchObject([{ reason: { message: "gone" } }]);
    const client = new AbortController();
    const late = codeOf(dialStack(pair.client, TO, client.signal));
    await pair.clock.settle();
    client.abort();
    expect(await pair.run(late)).toBe("CONNECTION_ABORTED");
  });
});
