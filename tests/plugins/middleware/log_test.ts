import { describe, expect, test } from "bun:test";
import { echo } from "../../../plugins/echo.ts";
import { log } from "../../../plugins/middleware/log.ts";
import { codeOf, StackPair } from "../../core/api/stack_pair.ts";
import { ask, dial } from "./support.ts";

describe("log", () => {
  // One that ends well, one whose peer resets it.
  test("writes one line for each connection", async () => {
    await using pair = new StackPair();
    pair.server.use(7, log(), echo());
    await ask(pair, 7, "ahoy");
    const client = dial(pair, 7, 4321);
    await pair.run(client.opened);
    await pair.clock.advance(5000);
    client.abort();
    await pair.clock.advance(10);
    const lines = pair.lines.filter(({ level }) => level === "info");
    expect(lines).toMatchObject([
      {
        message: "connection",
        fields: { port: 7, plugin: "log, echo", in: 4, out: 4, end: "closed" },
      },
      { message: "connection", fields: { remote: "10.0.0.1:4321", end: "CONNECTION_RESET" } },
    ]);
    expect(lines[1]!.fields!["ms"]).toBeGreaterThanOrEqual(5000);
  });

  // What a handler throws is the stack's to log; the line is about the connection.
  test("writes it also when the handler fails, at the level that was asked for", async () => {
    await using pair = new StackPair();
    pair.server.use(7, log({ level: "warn" }), () => {
      throw new Error("oops");
    });
    expect(await pair.run(codeOf(dial(pair, 7).closed))).toBe("CONNECTION_RESET");
    expect(pair.lines.find(({ level }) => level === "warn"))
      .toMatchObject({ fields: { end: "CONNECTION_ABORTED" } });
  });
});
