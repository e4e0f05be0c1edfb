import { describe, expect, test } from "bun:test";
import { VirtualClock } from "../../adapters/runtime/virtual_clock.ts";
import type { Plugin } from "../../core/api/types.ts";
import { iperf3 } from "../../plugins/iperf3.ts";
import { FakeSocket, settle, socketPair, testContext } from "../support/fake_socket.ts";

const COOKIE = "abcdefghijklmnopqrstuvwxyz0123456789\0";
const OTHER_COOKIE = COOKIE.toUpperCase();
const [TEST_START, TEST_RUNNING, TEST_END] = [1, 2, 4];
const [PARAM_EXCHANGE, CREATE_STREAMS, SERVER_TERMINATE, CLIENT_TERMINATE] = [9, 10, 11, 12];
const [EXCHANGE_RESULTS, DISPLAY_RESULTS, IPERF_DONE] = [13, 14, 16];
const [SERVER_ERROR, ACCESS_DENIED] = [254, 255];

/** A client of the plugin. */
class Client {
  readonly clock: VirtualClock = new VirtualClock();
  readonly #plugin: Plugin;

  constructor(plugin: Plugin = iperf3()) {
    this.#plugin = plugin;
  }

  /** Opens a connection that starts with a cookie. */
  async connect(cookie: string = COOKIE, hostname = "10.0.0.1"): Promise<Connection> {
    const { client, server } = socketPair({ client: { transport: "tcp", hostname, port: 50_000 } });
    const { context } = testContext(server, { clock: this.clock });
    const served = Promise.resolve(this.#plugin.handle!(context, () => Promise.resolve()))
      .then(() => void server.close().catch(() => {}));
    await client.write(new TextEncoder().encode(cookie));
    return new Connection(client, served);
  }

  /** Starts a test; the first connection is the control connection. */
  async start(parameters: Record<string, unknown>, streams = 1): Promise<Connection[]> {
    const control = await this.connect();
    expect(await control.state()).toBe(PARAM_EXCHANGE);
    await control.sendJson({ tcp: true, ...parameters });
    expect(await control.state()).toBe(CREATE_STREAMS);
    const connections = [control];
    for (let i = 0; i < streams; i++) connections.push(await this.connect());
    expect(await control.state()).toBe(TEST_START);
    expect(await control.state()).toBe(TEST_RUNNING);
    return connections;
  }
}

class Connection {
  readonly socket: FakeSocket;
  /** Resolves when the server has closed it. */
  readonly served: Promise<unknown>;

  constructor(socket: FakeSocket, served: Promise<unknown>) {
    this.socket = socket;
    this.served = served;
  }

  async read(length: number): Promise<Uint8Array<ArrayBuffer>> {
    const bytes = new Uint8Array(length);
    for (let at = 0; at < length;) {
      const count = await this.socket.read(bytes.subarray(at));
      if (count === null) throw new Error(`the server ended after ${at} of ${length} bytes`);
      at += count;
    }
    return bytes;
  }

  async state(): Promise<number> {
    return (await this.read(1))[0]!;
  }

  async say(...states: number[]): Promise<void> {
    await this.socket.write(new Uint8Array(states));
  }

  async sendJson(value: unknown): Promise<void> {
    const text = new TextEncoder().encode(JSON.stringify(value));
    const length = new Uint8Array(4);
    new DataView(length.buffer).setUint32(0, text.length);
    await this.socket.write(length);
    await this.socket.write(text);
  }

  // deno-lint-ignore no-explicit-any -- the results are looked at by name
  async json(): Promise<any> {
    const length = new DataView((await this.read(4)).buffer).getUint32(0);
    return JSON.parse(new TextDecoder().decode(await this.read(length)));
  }

  /** The end of a test on a control connection; returns the server's results. */
  // deno-lint-ignore no-explicit-any -- as above
  async finish(): Promise<any> {
    await this.say(TEST_END);
    expect(await this.state()).toBe(EXCHANGE_RESULTS);
    await this.sendJson({ streams: [] });
    const results = await this.json();
    expect(await this.state()).toBe(DISPLAY_RESULTS);
    await this.say(IPERF_DONE);
    await this.served;
    return results;
  }
}

describe("iperf3", () => {
  // iperf3 -c HOST: the server counts received bytes, with its own clock.
  test("receives and reports", async () => {
    const client = new Client();
    const [control, data] = await client.start({ time: 10 });
    await data!.socket.write(new Uint8Array(300_000));
    await settle();
    await client.clock.advance(2000);
    const results = await control!.finish();
    expect(results.sender_has_retransmits).toBe(-1);
    expect(results.streams.length).toBe(1);
    expect(results.streams[0]).toMatchObject({ id: 1, bytes: 300_000, end_time: 2 });
    await data!.served;
  });

  // iperf3 -c HOST -R -n 250000 -l 100000: this many bytes and a FIN, with the last block
  // truncated.
  test("sends the amount given by -n", async () => {
    const client = new Client();
    const [control, data] = await client.start({ reverse: true, num: 250_000, len: 100_000 });
    await data!.read(250_000);
    expect(await data!.socket.read(new Uint8Array(1))).toBe(null);
    const results = await control!.finish();
    expect(results.sender_has_retransmits).toBe(1);
    expect(results.streams[0]).toMatchObject({ id: 1, bytes: 250_000, retransmits: 0 });
  });

  // iperf3 -c HOST -R -b 8k: 1,000 bytes a second.
  test("sends no faster than -b allows", async () => {
    const client = new Client();
    const [control, data] = await client.start({ reverse: true, bandwidth: 8000, len: 500 });
    await settle();
    await client.clock.advance(2900);
    expect(data!.socket.peer!.unreadByPeer).toBe(3000);
    await control!.finish();
  });

  // iperf3 -c HOST --bidir -P 2: the first two connections go up, the last two come down. The
  // numbers of the connections are the client's: 1, 3, 4, 5.
  test("carries both directions at once", async () => {
    const client = new Client();
    const parameters = { bidirectional: true, parallel: 2, num: 1000, len: 1000 };
    const [control, ...data] = await client.start(parameters, 4);
    for (const up of data.slice(0, 2)) await up.socket.write(new Uint8Array(500));
    for (const down of data.slice(2)) await down.read(1000);
    await settle();
    const { streams } = await control!.finish();
    expect(streams.map(({ id, bytes }: { id: number; bytes: number }) => [id, bytes]))
      .toEqual([[1, 500], [3, 500], [4, 1000], [5, 1000]]);
  });

  // iperf3 -c HOST -O 1: the first second does not count.
  test("excludes the time given by -O", async () => {
    const client = new Client();
    const [control, data] = await client.start({ time: 1, omit: 1 });
    await data!.socket.write(new Uint8Array(1000));
    await settle();
    await client.clock.advance(1000);
    await data!.socket.write(new Uint8Array(10));
    await settle();
    await client.clock.advance(1000);
    expect((await control!.finish()).streams[0]).toMatchObject({ bytes: 10, end_time: 1 });
  });

  // Another client connects during a test, and again when it is over.
  test("runs one test at a time", async () => {
    const client = new Client();
    const [control] = await client.start({ time: 10 });
    const other = await client.connect(OTHER_COOKIE);
    expect(await other.state()).toBe(ACCESS_DENIED);
    await other.served;
    await control!.finish();
    expect(await (await client.connect(OTHER_COOKIE)).state()).toBe(PARAM_EXCHANGE);
  });

  // An additional connection is not part of the test.
  test("accepts no more connections than requested", async () => {
    const client = new Client();
    await client.start({ parallel: 2 }, 2);
    expect(await (await client.connect()).state()).toBe(ACCESS_DENIED);
  });

  // UDP is not supported; the error code tells the client.
  test.each([
    [{ udp: true }, 13],
    [{ tcp: true, parallel: 129 }, 113],
    [{ tcp: true, len: 2_000_000 }, 113],
    [[], 113],
  ])("refuses %j with fault %d", async (parameters, fault) => {
    const control = await new Client().connect();
    expect(await control.state()).toBe(PARAM_EXCHANGE);
    await control.sendJson(parameters);
    expect(await control.state()).toBe(SERVER_ERROR);
    expect(new DataView((await control.read(8)).buffer).getInt32(0)).toBe(fault);
    await control.served;
  });

  // The lengths of parameters and results are limited.
  test("bounds the memory used for a client", async () => {
    const client = new Client();
    const first = await client.connect();
    expect(await first.state()).toBe(PARAM_EXCHANGE);
    await first.socket.write(new Uint8Array([0, 0, 0x20, 1]));
    await first.served;
    expect(first.socket.state).toBe("CLOSED");

    const [second] = await client.start({});
    await second!.say(TEST_END);
    expect(await second!.state()).toBe(EXCHANGE_RESULTS);
    await second!.socket.write(new Uint8Array([0xff, 0xff, 0xff, 0xff]));
    await second!.served;
    expect(second!.socket.state).toBe("CLOSED");
  });

  // Ctrl+C at the client, a reset, or a missing step: the server is free for the next client.
  test("is free again when a client disconnects", async () => {
    const client = new Client();
    const [terminated, data] = await client.start({ time: 10 });
    await terminated!.say(CLIENT_TERMINATE);
    await Promise.all([terminated!.served, data!.served]);

    const [reset] = await client.start({ time: 10 });
    reset!.socket.abort();
    await reset!.served;

    const silent = await client.connect();
    await settle();
    await client.clock.advance(10_001);
    await silent.served;

    const waiting = await client.connect();
    expect(await waiting.state()).toBe(PARAM_EXCHANGE);
    await waiting.sendJson({ tcp: true });
    expect(await waiting.state()).toBe(CREATE_STREAMS);
    await client.clock.advance(10_001);
    await waiting.served;

    await client.start({ time: 10 });
  });

  // The client sends less than a cookie.
  test("gives up on a silent client", async () => {
    const client = new Client();
    const mute = await client.connect("abc");
    await settle();
    await client.clock.advance(10_001);
    await mute.served;
    expect(mute.socket.state).toBe("CLOSED");
  });

  // A client that never ends its test, or asks for more than the server grants.
  test("ends a test after its time", async () => {
    const client = new Client(iperf3({ maxSeconds: 60 }));
    const [control] = await client.start({ reverse: true });
    await client.clock.advance(60_000);
    expect(await control!.state()).toBe(SERVER_TERMINATE);
    await client.clock.advance(10_000);
    await control!.served;
    expect(control!.socket.state).toBe("CLOSED");
    expect(client.clock.pending).toBe(0);
  });

  // 10.0.0.1 tests without a pause, and 10.0.0.9 is told that the server is busy. When the test is over, 10.0.0.1 is
  // told the same until 10.0.0.9 has had its test.
  test("gives a client that was refused its turn", async () => {
    const client = new Client();
    const start = async (hostname: string) => {
      const control = await client.connect(OTHER_COOKIE, hostname);
      return { control, answer: await control.state() };
    };
    const [first] = await client.start({ time: 10 });
    expect((await start("10.0.0.9")).answer).toBe(ACCESS_DENIED);
    await first!.finish();
    expect((await start("10.0.0.1")).answer).toBe(ACCESS_DENIED);

    const { control, answer } = await start("10.0.0.9");
    expect(answer).toBe(PARAM_EXCHANGE);
    control.socket.abort();
    await control.served;
    expect((await start("10.0.0.1")).answer).toBe(PARAM_EXCHANGE);
  });

  // 10.0.0.9 does not come back: after a minute the turn is over.
  test("does not keep a turn for longer than a minute", async () => {
    const client = new Client();
    const [first] = await client.start({ time: 10 });
    expect(await (await client.connect(OTHER_COOKIE, "10.0.0.9")).state()).toBe(ACCESS_DENIED);
    await first!.finish();
    await client.clock.advance(59_999);
    expect(await (await client.connect()).state()).toBe(ACCESS_DENIED);
    await client.clock.advance(1);
    expect(await (await client.connect()).state()).toBe(PARAM_EXCHANGE);
  });

  // A client that starts a test and sends nothing: the test is aborted after the idle time. Bytes prolong it.
  test("breaks off a test without data", async () => {
    const client = new Client(iperf3({ idleSeconds: 8 }));
    const [control, data] = await client.start({ time: 3600 });
    await client.clock.advance(6000);
    await data!.socket.write(new Uint8Array(1));
    await settle();
    await client.clock.advance(8000);
    expect(control!.socket.state).toBe("ESTABLISHED");
    await client.clock.advance(2000);
    await control!.served;
    expect(control!.socket.state).toBe("CLOSED");
    expect(client.clock.pending).toBe(0);
  });

  // A limit has to be a time, or be left out.
  test.each(["maxSeconds", "idleSeconds"])("refuses an invalid %s", (name) => {
    expect(() => iperf3({ [name]: 0 })).toThrow(new RegExp(`^iperf3: options\\.${name}: `));
  });
});
