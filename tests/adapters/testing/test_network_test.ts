import { describe, expect, test } from "bun:test";
import { testNetwork, type TestNetworkOptions } from "../../../adapters/testing/test_network.ts";
import { chargen } from "../../../plugins/chargen.ts";
import { echo } from "../../../plugins/echo.ts";
import { timeout } from "../../../plugins/middleware/timeout.ts";

describe("testNetwork", () => {
  test("connects a client to a plugin", async () => {
    await using network = testNetwork();
    network.server.use(7, echo());
    const client = await network.connect(7);
    await client.send("one\ntwo\nrest");
    expect(await client.receiveLine()).toBe("one");
    expect(await client.receiveLine()).toBe("two");
    await client.send(new Uint8Array([0xc3]));
    await client.send(new Uint8Array([0xa9])); // one character in two segments
    await client.end();
    expect(await client.receiveAll()).toBe("resté");
    expect(await client.receiveAll()).toBe("");
    expect(await client.receiveLine()).toBe(undefined);
  });

  // The last line of many protocols has no line feed.
  test("returns what the connection ended with as a line", async () => {
    await using network = testNetwork();
    network.server.use(9, ({ socket }) => socket.write(new TextEncoder().encode("end")).then());
    const client = await network.connect(9);
    expect(await client.receiveLine()).toBe("end");
    expect(await client.receiveLine()).toBe(undefined);
  });

  // Each packet is lost with a probability of 0.3, in both directions.
  test("impairs packets, the same ones for the same seed", async () => {
    const secondsOf = async (options: TestNetworkOptions) => {
      await using network = testNetwork({ loss: 0.3, delayMs: 20, ...options });
      network.server.use(7, echo());
      const client = await network.connect(7);
      for (let round = 0; round < 20; round++) {
        await client.send(`${round}\n`);
        expect(await client.receiveLine()).toBe(String(round));
      }
      return network.clock.now();
    };
    const time = await secondsOf({ seed: 3 });
    expect(time).toBeGreaterThan(20 * 40);
    expect(await secondsOf({ seed: 3 })).toBe(time);
    expect(await secondsOf({ seed: 4 })).not.toBe(time);
  });

  test("passes time only on request", async () => {
    await using network = testNetwork();
    network.server.use(7, timeout({ idleMs: 60_000 }), echo());
    const client = await network.connect(7);
    await network.clock.advance(30_000);
    expect(client.socket.state).toBe("ESTABLISHED");
    await network.clock.advance(60_000);
    expect(client.socket.state).toBe("CLOSED");
    let code = "";
    await client.receiveAll().catch((error) => code = error.code);
    expect(code).toBe("CONNECTION_RESET");
  });

  test("refuses a connection to a port that nothing serves", async () => {
    await using network = testNetwork();
    let code = "";
    await network.connect(7).catch((error) => code = error.code);
    expect(code).toBe("CONNECTION_REFUSED");
  });

  // A plugin that never stops must not fill the memory of its test.
  test("keeps at most 64 MiB of what was not used", async () => {
    await using network = testNetwork();
    network.server.use(19, chargen());
    const client = await network.connect(19);
    let message = "";
    await client.receiveAll().catch((error) => message = error.message);
    expect(message).toContain("were received but not read");
    client.socket.abort();
  }, 60_000);
});
