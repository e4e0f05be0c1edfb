import { describe, expect, test } from "bun:test";
import { dialStack } from "../../../plugins/shared/stack_dial.ts";
import { StackPair } from "../../core/api/stack_pair.ts";
import { codeOf } from "../../support/conversation.ts";

const TO = { hostname: "10.0.0.2", port: 80 };

describe("dialStack", () => {
  // Who has asked for it is gone; what it has sent is not.
  test("leaves a connection that was made to its user", async () => {
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

  // Before it is asked for, and while nobody answers.
  test("gives an attempt up", async () => {
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
