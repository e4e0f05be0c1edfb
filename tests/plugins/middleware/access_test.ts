import { describe, expect, test } from "bun:test";
import { echo } from "../../../plugins/echo.ts";
import { allow, deny } from "../../../plugins/middleware/access.ts";
import { proxyProtocol } from "../../../plugins/middleware/proxy_protocol.ts";
import { codeOf, StackPair } from "../../core/api/stack_pair.ts";
import { ask, attempt, echoFlow, isAnswered } from "./support.ts";

const CLIENT = ["10.0.0.0/28", "fd00::1"];
const OTHERS = ["10.0.0.16/28", "192.0.2.0/24"];
const V4 = "10.0.0.2:7";
const V6 = "[fd00::2]:7";

describe("allow", () => {
  // The client is listed by network and by address.
  test("accepts listed clients", async () => {
    await using pair = new StackPair();
    pair.server.use(7, allow({ from: CLIENT }), echo());
    expect([await attempt(pair, V4), await attempt(pair, V6)]).toEqual(["open", "open"]);
    expect(await ask(pair, 7, "ahoy")).toBe("ahoy");
  });

  // The decision is made before the SYN is answered, so no connection is opened.
  test("refuses or ignores other clients", async () => {
    await using pair = new StackPair();
    pair.server.use(7, allow({ from: OTHERS }), echo())
      .use(8, allow({ from: OTHERS, verdict: "ignore" }), echo());
    expect(await attempt(pair, V4)).toBe("CONNECTION_REFUSED");
    expect(await attempt(pair, V6)).toBe("CONNECTION_REFUSED");
    expect(await attempt(pair, "10.0.0.2:8")).toBe("silence");
    expect(pair.server.stats()["connections"]).toBe(0);
  });
});

describe("deny", () => {
  // Listed clients are refused, all others are accepted.
  test("refuses only listed clients", async () => {
    await using pair = new StackPair();
    pair.server.use(7, deny({ from: CLIENT }), echo()).use(8, deny({ from: OTHERS }), echo())
      .use(9, deny({ from: ["fd00::/8"], verdict: "ignore" }), echo());
    expect([await attempt(pair, V4), await attempt(pair, V6)])
      .toEqual(["CONNECTION_REFUSED", "CONNECTION_REFUSED"]);
    expect([await attempt(pair, "10.0.0.2:8"), await attempt(pair, "[fd00::2]:8")])
      .toEqual(["open", "open"]);
    expect([await attempt(pair, "10.0.0.2:9"), await attempt(pair, "[fd00::2]:9")])
      .toEqual(["open", "silence"]);
  });

  // Both have to accept the connection.
  test("can be combined with allow", async () => {
    await using pair = new StackPair();
    pair.server.use(7, allow({ from: ["10.0.0.0/8"] }), deny({ from: ["10.0.0.1"] }), echo());
    expect(await attempt(pair, V4)).toBe("CONNECTION_REFUSED");
  });

  // The SYN comes from the proxy; the client's address is known later.
  test("refuses clients behind a proxy", async () => {
    await using pair = new StackPair();
    const trusted = ["10.0.0.1"];
    pair.server.use(7, proxyProtocol({ trusted }), deny({ from: ["192.0.2.7"] }), echo());
    const answerTo = (client: string) => ask(pair, 7, `PROXY TCP4 ${client} 10.0.0.2 9 7\r\nahoy`);
    expect(await answerTo("192.0.2.8")).toBe("ahoy");
    expect(await codeOf(answerTo("192.0.2.7"))).toBe("CONNECTION_RESET");
  });

  // A denied flow has no handler; its peer gets an ICMP error, or nothing.
  test("and allow refuse or ignore flows", async () => {
    await using pair = new StackPair();
    pair.server.use("udp/7", allow({ from: CLIENT }), echoFlow)
      .use("udp/8", allow({ from: OTHERS }), echoFlow)
      .use("udp/9", deny({ from: CLIENT }), echoFlow)
      .use("udp/10", deny({ from: CLIENT, verdict: "ignore" }), echoFlow);
    expect(await isAnswered(pair, V4)).toBe(true);
    expect(await isAnswered(pair, "10.0.0.2:8")).toBe(false);
    expect(await isAnswered(pair, "10.0.0.2:9")).toBe(false);
    expect(pair.server.stats()["errorsSent"]).toBe(2);
    expect(await isAnswered(pair, "10.0.0.2:10")).toBe(false);
    expect(pair.server.stats()["errorsSent"]).toBe(2);
    expect(pair.server.stats()["flows"]).toBe(1);
  });

  test("requires a list of addresses", () => {
    expect(() => deny({ from: [] })).toThrow("expected at least one address or subnet");
    expect(() => allow({ from: ["10.0.0.0/33"] })).toThrow(/^allow: options\.from\.0: expected an/);
    // @ts-expect-error -- from is required
    expect(() => deny()).toThrow(/^deny: options\.from: /);
  });
});
