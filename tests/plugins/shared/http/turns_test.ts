import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { setImmediate } from "node:timers";
import { rememberResponseText } from "../../../../adapters/runtime/fetch/mod.ts";
import { http } from "../../../../plugins/http.ts";
import { Turns } from "../../../../plugins/shared/http/turns.ts";
import { settle, socketPair, testContext } from "../../../support/fake_socket.ts";

const GET = new TextEncoder().encode("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
const MIB = 1024 * 1024;

const turn = () => new Promise<void>((resolve) => void setImmediate(resolve));

/**
 * The sequence of events when eight clients send requests at once: requests served, and other
 * tasks' turns of the event loop.
 */
async function askedAtOnce(body: () => BodyInit, pipelined = 1): Promise<string[]> {
  const happened: string[] = [];
  const app = {
    fetch: () => {
      happened.push("request");
      return new Response(body());
    },
  };
  const plugin = http(app);
  const clients = Array.from({ length: 8 }, () => {
    const { client, server } = socketPair({ bufferSize: 4 * MIB });
    void plugin.handle!(testContext(server).context, () => Promise.resolve());
    return client;
  });
  const requests = new Uint8Array(pipelined * GET.length);
  for (let i = 0; i < pipelined; i++) requests.set(GET, i * GET.length);
  for (const client of clients) void client.write(requests);
  for (let i = 0; i < 40; i++) {
    await turn();
    happened.push("turn");
  }
  for (const client of clients) client.abort();
  await settle();
  return happened.slice(happened.indexOf("request"), happened.lastIndexOf("request") + 1);
}

/** The runtime's own Response. These tests replace it, as the service does, and restore it for other tests. */
const platform = globalThis.Response;

describe("http", () => {
  beforeAll(rememberResponseText);
  afterAll(() => void (globalThis.Response = platform));

  // Each takes milliseconds: without turns, other tasks would wait for all of them.
  test.each([
    ["bytes", () => new Uint8Array(2 * MIB)],
    ["text", () => "x".repeat(2 * MIB)],
  ])("lets others have a turn between requests for many %s", async (_, body) => {
    const happened = await askedAtOnce(body);
    expect(happened.filter((each) => each === "request")).toHaveLength(8);
    expect(happened.join(" ")).not.toContain("request request");
  });

  // Small responses take almost no time.
  test("serves requests for small responses in one turn", async () => {
    expect(await askedAtOnce(() => "ahoy")).toEqual(Array(8).fill("request"));
  });

  // Eight clients with a thousand requests each: another client waits for a thousand of them, not for all.
  test("lets others have a turn between thousands of pipelined requests", async () => {
    const happened = await askedAtOnce(() => "ahoy", 1000);
    expect(happened.filter((each) => each === "request")).toHaveLength(8000);
    const runs = happened.join("").split("turn").map((run) => run.length / "request".length);
    expect(Math.max(...runs)).toBeLessThanOrEqual(1024 + 8);
  });
});

describe("Turns", () => {
  // One request per turn after a large one, and twice as many after each turn without one.
  test("serves more per turn while responses are small, in order", async () => {
    const turns = new Turns();
    turns.spend(MIB);
    const gone: number[] = [];
    for (let i = 0; i < 7; i++) void turns.next("192.0.2.1").then(() => void gone.push(i));
    const counts: number[] = [];
    while (turns.isSpent) {
      await turn();
      counts.push(gone.length);
    }
    expect(counts).toEqual([1, 3, 7]);
    expect(gone).toEqual([0, 1, 2, 3, 4, 5, 6]);
  });

  // The next response may be large again.
  test("serves one per turn after each large response", async () => {
    const turns = new Turns();
    turns.spend(MIB);
    let gone = 0;
    for (let i = 0; i < 3; i++) {
      void turns.next("192.0.2.1").then(() => {
        gone++;
        turns.spend(MIB);
      });
    }
    const counts: number[] = [];
    while (turns.isSpent) {
      await turn();
      counts.push(gone);
    }
    expect(counts.slice(0, 3)).toEqual([1, 2, 3]);
  });

  // One client waits with a hundred requests for large bodies when another one comes: it has to wait for
  // the next turn only.
  test("lets clients take turns", async () => {
    const turns = new Turns();
    turns.spend(MIB);
    const gone: string[] = [];
    const wait = (hostname: string) =>
      void turns.next(hostname).then(() => {
        gone.push(hostname);
        turns.spend(MIB);
      });
    for (let i = 0; i < 100; i++) wait("203.0.113.9");
    wait("192.0.2.1");
    while (gone.length < 4) await turn();
    expect(gone).toEqual(["203.0.113.9", "192.0.2.1", "203.0.113.9", "203.0.113.9"]);
  });

  // Every client with a request is served once before any client is served again.
  test("resumes those who wait after 1024 requests", async () => {
    const turns = new Turns();
    for (let i = 0; i < 1024; i++) turns.countRequest();
    let gone = 0;
    for (let i = 0; i < 600; i++) void turns.next("192.0.2.1").then(() => gone++);
    const counts: number[] = [];
    while (turns.isSpent) {
      await turn();
      counts.push(gone);
    }
    expect(counts).toEqual([512, 600]);
  });

  // One turn serves 1 MiB of large bodies.
  test("is not used up by less", () => {
    const turns = new Turns();
    turns.spend(MIB - 1);
    for (let i = 0; i < 1023; i++) turns.countRequest();
    expect(turns.isSpent).toBe(false);
    turns.spend(1);
    expect(turns.isSpent).toBe(true);
  });
});
