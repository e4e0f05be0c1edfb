import { describe, expect, test } from "bun:test";
import { TcpError } from "../../../core/api/errors.ts";
import type { Plugin } from "../../../core/api/types.ts";
import { echo } from "../../../plugins/echo.ts";
import { limit } from "../../../plugins/middleware/limit.ts";
import { codeOf, StackPair } from "../../core/api/stack_pair.ts";
import { attempt, dial, echoFlow, isAnswered } from "./support.ts";

const V4 = "10.0.0.2:7";

describe("limit", () => {
  // The third SYN is refused; when one connection ends, another is accepted.
  test("refuses connections beyond the limit until one ends", async () => {
    await using pair = new StackPair();
    pair.server.use(7, limit({ connections: 2 }), echo());
    const [one, two] = [dial(pair, 7), dial(pair, 7)];
    await pair.run(Promise.all([one.opened, two.opened]));
    expect(await attempt(pair, V4)).toBe("CONNECTION_REFUSED");
    expect(await attempt(pair, V4)).toBe("CONNECTION_REFUSED");
    one.abort();
    await pair.clock.advance(10);
    const three = dial(pair, 7);
    await pair.run(three.opened);
    await pair.clock.advance(1);
    expect(await attempt(pair, V4)).toBe("CONNECTION_REFUSED");
    await pair.run(two.close());
    await pair.clock.advance(10);
    expect(await attempt(pair, V4)).toBe("open");
  });

  // Connections end in every way; none is counted twice or forever.
  test("counts thousands of connections correctly", async () => {
    await using pair = new StackPair();
    pair.server.use(7, limit({ connections: 3, perAddress: 3 }), async ({ socket }) => {
      if (socket.remoteAddr.port % 3 === 0) throw new TcpError("CLOSING", "on purpose");
      if (socket.remoteAddr.port % 3 === 1) return;
      await socket.read(new Uint8Array(1));
    });
    for (let round = 0; round < 1000; round++) {
      const clients = [0, 1, 2].map((index) => dial(pair, 7, 10_000 + round * 3 + index));
      const opened = await pair.run(Promise.all(clients.map((client) => codeOf(client.opened))));
      expect(opened).toEqual(["none", "none", "none"]);
      for (const client of clients) client.abort();
      await pair.clock.advance(1);
    }
  });

  // Each address, or each network, has its own count.
  test("counts by address", async () => {
    await using pair = new StackPair();
    pair.client.addAddress("10.0.0.9/24");
    pair.client.addAddress("fd00::9/64");
    pair.server.use(7, limit({ perAddress: 1 }), echo());
    const from = (localHostname: string) =>
      pair.run(codeOf(
        pair.client.connect(localHostname.includes(":") ? "[fd00::2]:7" : V4, { localHostname })
          .opened,
      ));
    expect(await from("10.0.0.1")).toBe("none");
    expect(await from("10.0.0.1")).toBe("CONNECTION_REFUSED");
    expect(await from("10.0.0.9")).toBe("none");
    expect(await from("fd00::1")).toBe("none");
    // The same /64.
    expect(await from("fd00::9")).toBe("CONNECTION_REFUSED");
  });

  // SYNs waiting for a decision, or without a handshake, do not count.
  test("does not count attempts", async () => {
    await using pair = new StackPair();
    const answers: (() => void)[] = [];
    const slow: Plugin = {
      name: "slow",
      onSyn: () => new Promise<void>((resolve) => answers.push(resolve)),
    };
    pair.server.use(7, limit({ connections: 1 }), slow, echo());
    const clients = [0, 1, 2].map(() => dial(pair, 7));
    await pair.clock.advance(10);
    expect(answers).toHaveLength(3);
    clients[0]!.abort();
    await pair.clock.advance(10);
    answers[1]!();
    await pair.run(clients[1]!.opened);
    expect(await attempt(pair, V4)).toBe("CONNECTION_REFUSED");
    // Its handshake completes after the limit is reached.
    answers[2]!();
    await pair.run(clients[2]!.opened);
    expect(await pair.run(codeOf(clients[2]!.closed))).toBe("CONNECTION_RESET");
    expect(pair.lines.filter(({ level }) => level === "error")).toEqual([]);
    expect(clients[1]!.state).toBe("ESTABLISHED");
  });

  // The SYN gets no answer; a retransmitted SYN is accepted when there is room.
  test("may ignore instead, so that clients wait", async () => {
    await using pair = new StackPair();
    pair.server.use(7, limit({ connections: 1, verdict: "ignore" }), echo());
    const one = dial(pair, 7);
    await pair.run(one.opened);
    const two = dial(pair, 7);
    await pair.clock.advance(500);
    expect(two.state).toBe("SYN-SENT");
    one.abort();
    await pair.run(two.opened);
  });

  // Flows count until their handlers return.
  test("limits flows", async () => {
    await using pair = new StackPair();
    pair.server.use("udp/7", limit({ connections: 2 }), echoFlow);
    const answers = [];
    for (let sent = 0; sent < 3; sent++) answers.push(await isAnswered(pair, V4));
    expect(answers).toEqual([true, true, false]);
    await pair.clock.advance(120_000);
    expect(await isAnswered(pair, V4)).toBe(true);
  });

  test("requires integers", () => {
    expect(() => limit({ connections: 0 })).toThrow(/^limit: options\.connections: /);
    expect(() => limit({ perAddress: 1.5 })).toThrow(/^limit: options\.perAddress: /);
  });
});
