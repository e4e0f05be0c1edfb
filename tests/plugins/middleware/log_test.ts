import { describe, expect, test } from "bun:test";
import type { Plugin } from "../../../core/api/types.ts";
import { echo } from "../../../plugins/echo.ts";
import { log } from "../../../plugins/middleware/log.ts";
import { proxyProtocol } from "../../../plugins/middleware/proxy_protocol.ts";
import { codeOf, StackPair } from "../../core/api/stack_pair.ts";
import { ask, dial, echoFlow, isAnswered } from "./support.ts";

describe("log", () => {
  // One connection ends gracefully, one is reset by its peer.
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

  // The stack logs the handler's error; this line is about the connection.
  test("writes it also if the handler fails, at the configured level", async () => {
    await using pair = new StackPair();
    pair.server.use(7, log({ level: "warn" }), () => {
      throw new Error("oops");
    });
    expect(await pair.run(codeOf(dial(pair, 7).closed))).toBe("CONNECTION_RESET");
    expect(pair.lines.find(({ level }) => level === "warn"))
      .toMatchObject({ fields: { end: "CONNECTION_ABORTED" } });
  });

  // The client behind a proxy is logged too.
  test("logs the client of a proxy", async () => {
    await using pair = new StackPair();
    pair.server.use(7, log(), proxyProtocol({ trusted: ["10.0.0.1"] }), echo());
    await ask(pair, 7, "PROXY TCP4 192.0.2.1 192.0.2.2 11 22\r\nahoy");
    await pair.clock.advance(10);
    const [line] = pair.lines.filter(({ level }) => level === "info");
    expect(line).toMatchObject({ fields: { client: "192.0.2.1:11", out: 4 } });
    expect(line!.fields!["remote"]).toMatch(/^10\.0\.0\.1:/);
  });

  // A line when the flow has ended: by itself, or because its handler failed.
  test("writes one line for each flow", async () => {
    await using pair = new StackPair();
    const failing: Plugin = { name: "failing", flow: () => Promise.reject(new Error("oops")) };
    pair.server.use("udp/7", log(), echoFlow).use("udp/8", log(), failing);
    expect(await isAnswered(pair, "10.0.0.2:7")).toBe(true);
    expect(await isAnswered(pair, "10.0.0.2:8")).toBe(false);
    await pair.clock.advance(120_000);
    const lines = pair.lines.filter(({ message }) => message === "flow");
    expect(lines.map(({ fields }) => fields)).toMatchObject([
      { port: 8, datagramsIn: 0, end: "Error: oops" },
      { port: 7, datagramsIn: 1, in: 4, datagramsOut: 1, out: 4, end: "closed" },
    ]);
    expect(lines[1]!.fields!["ms"]).toBeGreaterThanOrEqual(60_000);
  });
});
