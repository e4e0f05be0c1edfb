import { execFile } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { promisify } from "node:util";
import { describe, expect, test } from "bun:test";
import chatServer from "../examples/chat_server.ts";
import echoPlugin from "../examples/echo_plugin.ts";
import honoApp from "../examples/hono_app.ts";
import { download } from "../examples/lossy_network.ts";
import keyValueStore from "../examples/udp_plugin.ts";
import { createStack, type Handler, type Plugin, type Stack, type TcpSocket } from "../mod.ts";
import { http } from "../exports/plugins.ts";
import { linkPair, VirtualClock } from "../exports/testing.ts";
import { ENVIRONMENT } from "./support/program.ts";
import { ROOT } from "./support/source_files.ts";

const FOLDER = join(ROOT, "examples");
const RUN_LIMIT_MS = 20_000;

describe("examples", () => {
  // Plugins and apps print nothing when they are run; the programs do.
  test.each([
    ["rewriting_forwarder.ts", /^AHOY\n$/],
    ["middleware.ts", /received: 1000,\s+sent: 1000/],
    ["virtual_time.ts", /^after \d+ s of virtual time: CONNECTION_RESET\n$/],
    ["event_log.ts", /lost \d+ bytes \(rack\)[\s\S]*again \(retransmission\)/],
    ["lossy_network.ts", /^0 % loss: [\d.]+ Mbit\/s, 0 retransmissions\n/],
  ])("%s runs", async (file, output) => {
    const options = process.versions["bun"] === undefined ? ["run", "-A", "--no-check"] : [];
    const { stdout } = await promisify(execFile)(
      process.execPath,
      [...options, join(FOLDER, file)],
      { cwd: ROOT, env: ENVIRONMENT, timeout: RUN_LIMIT_MS },
    );
    expect(stdout).toMatch(output);
  }, RUN_LIMIT_MS + 5_000);

  // The index lists every example, because readers start there.
  test("README.md lists every example", () => {
    const listed = readFileSync(join(FOLDER, "README.md"), "utf8").match(/(?<=^\| \[`)[^`]+/gm)!;
    const there = readdirSync(FOLDER, { withFileTypes: true })
      .filter(({ name }) => name !== "README.md")
      .map((entry) => entry.isDirectory() ? `${entry.name}/` : entry.name);
    expect(listed.toSorted()).toEqual(there.toSorted());
  });
});

describe("echo_plugin.ts", () => {
  test("sends back what it receives, after its prefix", async () => {
    await using network = openNetwork(echoPlugin({ prefix: "> " }));
    expect(await network.exchange("ahoy")).toBe("> ahoy");
  });
});

describe("hono_app.ts", () => {
  test("serves its page", async () => {
    await using network = openNetwork(http(honoApp));
    const page = await network.exchange("GET / HTTP/1.0\r\nHost: berth\r\n\r\n");
    expect(page).toContain("<h1>Hono on berth</h1>");
  });

  // One client sends over a WebSocket, another receives it as a server-sent event.
  test("sends a WebSocket message as an event", async () => {
    await using network = openNetwork(http(honoApp));
    const [listener, shouter] = [network.connect(), network.connect()];
    await network.clock.runUntil(
      send(listener, "GET /shouts HTTP/1.1\r\nHost: berth\r\n\r\n"),
    );
    await network.clock.runUntil(send(shouter, WEBSOCKET_REQUEST));
    const [events, answer] = [collect(listener), collect(shouter)];
    await network.clock.runUntil(() =>
      events.text.includes("text/event-stream") && answer.text.includes("\r\n\r\n")
    );
    await network.clock.runUntil(shouter.write(TEXT_FRAME));
    await network.clock.runUntil(() => answer.text.endsWith("AHOY"));
    await network.clock.runUntil(() => events.text.includes("data: AHOY\n"));
    listener.abort();
    shouter.abort();
  });
});

const WEBSOCKET_REQUEST = "GET /shout HTTP/1.1\r\nHost: berth\r\nConnection: Upgrade\r\n" +
  "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" +
  "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n";
/** A masked text frame whose mask is 0 (RFC 6455 5.2). */
const TEXT_FRAME = Uint8Array.of(0x81, 0x80 | 4, 0, 0, 0, 0, ...new TextEncoder().encode("ahoy"));

describe("chat_server.ts", () => {
  // Two lines in one write, and one line in two, are three lines.
  test("sends each line to every other client", async () => {
    await using network = openNetwork(chatServer({ maxMembers: 2 }));
    const [anna, ben] = [network.connect(), network.connect()];
    await network.clock.runUntil(Promise.all([anna.opened, ben.opened]));
    const [annaReads, benReads] = [collect(anna), collect(ben)];
    await network.clock.runUntil(() => annaReads.text.includes("joined"));
    await network.clock.runUntil(send(anna, "one\ntwo\nth"));
    await network.clock.runUntil(send(anna, "ree\n"));
    await network.clock.runUntil(() => benReads.text.includes("three"));
    const name = `10.0.0.2:${anna.localAddr.port}`;
    expect(benReads.text).toBe(`${name}: one\n${name}: two\n${name}: three\n`);
    expect(await network.exchange("")).toBe("The chat is full.\n");
    await network.clock.runUntil(anna.close());
    await network.clock.runUntil(() => benReads.text.endsWith("left\n"));
    ben.abort();
  });
});

describe("udp_plugin.ts", () => {
  test("stores values and gives them back", async () => {
    await using network = openNetwork(keyValueStore({ maxKeys: 1 }));
    using socket = network.client.listenDatagram({ port: 0 });
    const ask = async (request: string) => {
      await network.clock.runUntil(
        socket.send(new TextEncoder().encode(request), "10.0.0.1:9000"),
      );
      const [answer] = await network.clock.runUntil(socket.receive());
      return new TextDecoder().decode(answer);
    };
    expect(await ask("SET colour blue")).toBe("ok\n");
    expect(await ask("GET colour")).toBe("blue\n");
    expect(await ask("SET shape round")).toBe("full\n");
    expect(await ask("hello")).toBe("use GET key or SET key value\n");
  });
});

describe("lossy_network.ts", () => {
  test("takes longer with more loss, and the same time for the same seed", async () => {
    const [none, much] = [await download(0), await download(0.05)];
    expect(much.ms).toBeGreaterThan(none.ms);
    expect(much.retransmits).toBeGreaterThan(0);
    expect(await download(0.05)).toEqual(much);
  });
});

interface Network extends AsyncDisposable {
  readonly clock: VirtualClock;
  readonly client: Stack;
  connect(): TcpSocket;
  /** Sends a text, half-closes, and resolves with the whole answer. */
  exchange(text: string): Promise<string>;
}

/** A client and a server with a plugin at 10.0.0.1, port 9000, in virtual time. */
function openNetwork(plugin: Plugin | Handler): Network {
  const clock = new VirtualClock();
  const [here, there] = linkPair();
  const server = createStack({ link: here, addresses: ["10.0.0.1/24"], clock });
  const hasFlow = typeof plugin !== "function" && plugin.flow !== undefined;
  server.use(hasFlow ? "udp/9000" : 9000, plugin);
  const client = createStack({ link: there, addresses: ["10.0.0.2/24"], clock });
  const connect = () => client.connect("10.0.0.1:9000", { allowHalfOpen: true });
  return {
    clock,
    client,
    connect,
    async exchange(text) {
      const socket = connect();
      const answer = collect(socket);
      await clock.runUntil(send(socket, text));
      await clock.runUntil(socket.closeWrite());
      await clock.runUntil(answer.ended);
      return answer.text;
    },
    async [Symbol.asyncDispose]() {
      await clock.runUntil(Promise.all([client.close(), server.close()]));
    },
  };
}

function send(socket: TcpSocket, text: string): Promise<number> {
  return socket.write(new TextEncoder().encode(text));
}

function collect(socket: TcpSocket): { text: string; ended: Promise<void> } {
  const collected = { text: "", ended: Promise.resolve() };
  const decoder = new TextDecoder();
  collected.ended = (async () => {
    for await (const chunk of socket) collected.text += decoder.decode(chunk, { stream: true });
  })();
  collected.ended.catch(() => {});
  return collected;
}
