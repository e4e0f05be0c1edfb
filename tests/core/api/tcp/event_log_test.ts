import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { echo } from "../../../../plugins/echo.ts";
import { deriveSocket } from "../../../../core/api/tcp/derived_socket.ts";
import type { TcpEvent } from "../../../../core/tcp/event_log/events.ts";
import { loggedTransfer, named } from "../../../support/logged_transfer.ts";
import { ROOT } from "../../../support/source_files.ts";
import { tcpEventJsonSchema, tcpEventSchema } from "../../../support/tcp_event_schema.ts";
import { bytes, StackPair } from "../stack_pair.ts";

const LOSSY = { bytes: 300_000, data: { loss: 0.06, reorder: 0.03, duplicate: 0.02 } };

/** Direction and flags of each segment. */
function segmentsOf(events: readonly TcpEvent[]): string[] {
  return events.flatMap(({ name, data }) =>
    name === "tcp:segment_sent" || name === "tcp:segment_received"
      ? [`${name.slice("tcp:segment_".length)} ${data.header.flags}`]
      : []
  );
}

describe("socket.eventLog", () => {
  // From the SYN to the end, on the side that opened the connection; both close at once.
  test("records a connection: segments, states, timers, what the application does", async () => {
    await using pair = new StackPair({ profile: "internet" });
    const listener = pair.server.listen({ port: 7 });
    const socket = pair.client.connect("10.0.0.2:7", { allowHalfOpen: true });
    const log = socket.eventLog();
    const peer = await pair.run(listener.accept());
    await pair.run(socket.write(bytes("ahoy")));
    await pair.run(peer.read(new Uint8Array(10)));
    await pair.run(peer.write(bytes("hi")));
    expect(await pair.run(socket.read(new Uint8Array(10)))).toBe(2);
    await pair.run(Promise.all([socket.close(), peer.close()]));
    await pair.clock.advance(300_000);
    const events = log.take();
    expect(events[0]!.name).toBe("tcp:snapshot");
    const flags = named(events, "tcp:segment_sent").map(({ data }) => data.header.flags.join());
    expect(flags).toEqual(["SYN,ECE,CWR", "ACK", "PSH,ACK", "FIN,ACK", "ACK"]);
    const [syn] = named(events, "tcp:segment_sent");
    expect(syn!.data.header.options).toMatchObject({ mss: 1460, sack_permitted: true });
    expect(named(events, "tcp:connection_state_updated").map(({ data }) => data.new))
      .toEqual(["ESTABLISHED", "FIN-WAIT-1", "CLOSING", "TIME-WAIT", "CLOSED"]);
    expect(named(events, "tcp:data_written").map(({ data }) => data.length)).toEqual([4]);
    expect(named(events, "tcp:data_read").map(({ data }) => data.length)).toEqual([2]);
    expect(named(events, "tcp:timer_updated").map(({ data }) => data.timer_type))
      .toContain("retransmission");
    expect(events.map(({ time }) => time)).toEqual(
      events.map(({ time }) => time).toSorted((a, b) => a - b),
    );
  });

  // On the accepting side, the log is requested before the SYN arrives.
  test("records an accepted connection from its SYN on", async () => {
    await using pair = new StackPair({ profile: "internet" });
    const next = pair.server.nextEventLog({ port: 7 });
    pair.server.use(7, echo());
    const socket = pair.client.connect("10.0.0.2:7", { allowHalfOpen: true });
    await pair.run(socket.opened);
    const { log, localAddr, remoteAddr } = await next;
    await pair.run(socket.write(bytes("ahoy")));
    await pair.run(socket.closeWrite());
    await pair.clock.advance(300_000);
    expect([localAddr, remoteAddr]).toEqual([socket.remoteAddr, socket.localAddr]);
    const events = log.take();
    expect(events[0]).toMatchObject({
      name: "tcp:snapshot",
      data: { role: "server", state: "SYN-RECEIVED", irs: expect.any(Number) },
    });
    expect(segmentsOf(events).slice(0, 4)).toEqual([
      "received SYN,ECE,CWR",
      "sent SYN,ACK,ECE",
      "received ACK",
      "received PSH,ACK",
    ]);
    expect(named(events, "tcp:connection_state_updated").map(({ data }) => data.new))
      .toEqual(["ESTABLISHED", "CLOSE-WAIT", "LAST-ACK", "CLOSED"]);
  });

  // If a plugin refuses the SYN, the log has the RST. If the peer is gone before the decision, the log ends with the
  // attempt.
  test("records the outcome of a SYN", async () => {
    await using pair = new StackPair({ profile: "internet" });
    pair.server.use(25, { name: "no mail", onSyn: () => "refuse" });
    const refused = pair.server.nextEventLog();
    const socket = pair.client.connect("10.0.0.2:25");
    await pair.run(socket.closed.catch(() => {}));
    const events: TcpEvent[] = [];
    for await (const event of (await refused).log) events.push(event);
    expect(segmentsOf(events)).toEqual([
      expect.stringMatching(/^received SYN/),
      expect.stringMatching(/^sent RST/),
    ]);
    expect(named(events, "tcp:connection_state_updated").map(({ data }) => data.new))
      .toEqual(["CLOSED"]);
  });

  // Both a withdrawn request and a stack that closes end the wait, and nothing is left behind.
  test("ends the wait for a connection", async () => {
    const pair = new StackPair();
    const aborting = new AbortController();
    const withdrawn = pair.server.nextEventLog({ signal: aborting.signal }).catch((e) => e.name);
    aborting.abort();
    expect(await withdrawn).toBe("AbortError");
    expect(await pair.server.nextEventLog({ signal: aborting.signal }).catch((e) => e.name))
      .toBe("AbortError");
    const waiting = pair.server.nextEventLog().catch((error) => error.code);
    await pair[Symbol.asyncDispose]();
    expect(await waiting).toBe("STACK_CLOSED");
    expect(await pair.server.nextEventLog().catch((error) => error.code)).toBe("STACK_CLOSED");
  });

  // Each loss and each retransmission, and what detected the loss.
  test("records losses and retransmissions", async () => {
    const { events, stats } = await loggedTransfer(LOSSY);
    const lost = named(events, "tcp:data_lost");
    const repeated = named(events, "tcp:segment_sent")
      .filter(({ data }) => data.trigger !== undefined);
    expect(repeated.length).toBe(stats.retransmits);
    expect(lost.length).toBeGreaterThan(2);
    expect(lost.some(({ data }) => data.trigger === "rack")).toBe(true);
    // A range is retransmitted after it was lost, or as a probe.
    for (const { data, time } of repeated) {
      if (data.trigger !== "retransmission") continue;
      const { seq } = data.header;
      expect(lost.some((one) => one.time <= time && one.data.start <= seq && seq < one.data.end))
        .toBe(true);
    }
    expect(named(events, "tcp:congestion_state_updated").map(({ data }) => data.new))
      .toContain("recovery");
  });

  // The peer answers nothing: only timers run.
  test("records timeouts of the retransmission timer", async () => {
    const { events } = await loggedTransfer({
      bytes: 40_000,
      data: { burstBegin: 0.1, burstEnd: 0.05 },
      seed: 3,
    });
    expect(
      named(events, "tcp:timer_updated").some(({ data }) =>
        data.timer_type === "retransmission" && data.event_type === "expired"
      ),
    ).toBe(true);
    expect(named(events, "tcp:data_lost").map(({ data }) => data.trigger))
      .toContain("retransmission_timeout");
  });

  // The application has closed, and the peer sends more.
  test("records why a segment was dropped", async () => {
    await using pair = new StackPair({ profile: "internet" });
    const { server, client } = await pair.connect();
    const log = server.eventLog();
    void server.close();
    await pair.run(client.write(bytes("too late")));
    await pair.clock.advance(1);
    const events = log.take();
    expect(named(events, "tcp:segment_received").map(({ data }) => data.drop_reason))
      .toEqual(["tcp-closed-text"]);
    expect(named(events, "tcp:segment_sent").at(-1)!.data.header.flags).toEqual(["RST", "ACK"]);
  });

  // Observation must not change what happens.
  test("changes nothing of the connection", async () => {
    const [much, little] = await Promise.all([
      loggedTransfer(LOSSY),
      loggedTransfer({ ...LOSSY, maxEvents: 16, sampleMs: 10_000_000 }),
    ]);
    expect(areEqual(much.pcapng, little.pcapng)).toBe(true);
    expect(little.events.length).toBeLessThan(100);
  });

  // A client that stops reading: memory is bounded, and the log continues later.
  test("drops events beyond maxEvents, counts them, and continues with a snapshot", async () => {
    const transfer = await loggedTransfer({ ...LOSSY, maxEvents: 50, sampleMs: 100 });
    const gaps = named(transfer.events, "tcp:events_dropped");
    expect(gaps.length).toBeGreaterThan(1);
    for (const gap of gaps) {
      expect(transfer.events[transfer.events.indexOf(gap) + 1]!.name).toBe("tcp:snapshot");
    }
    const all = await loggedTransfer({ ...LOSSY, sampleMs: 100 });
    expect(transfer.events.length).toBeLessThan(all.events.length);
  });

  // There is no later event to report the gap with, so the end of the log reports it.
  test.each(["the connection ends", "the log is closed"])("reports a gap when %s", async (how) => {
    await using pair = new StackPair({ profile: "internet" });
    const { client, server } = await pair.connect();
    const log = client.eventLog({ maxEvents: 16 });
    for (let i = 0; i < 20; i++) {
      await pair.run(client.write(bytes("ahoy")));
      await pair.run(server.read(new Uint8Array(10)));
      await pair.clock.advance(50);
    }
    if (how === "the log is closed") log.close();
    else server.abort();
    await pair.clock.advance(1);
    const events: TcpEvent[] = [];
    for await (const event of log) events.push(event);
    const [gap, snapshot] = events.slice(-2);
    expect([gap?.name, snapshot?.name]).toEqual(["tcp:events_dropped", "tcp:snapshot"]);
    expect(named(events, "tcp:events_dropped").map(({ data }) => data.count)).toEqual([
      log.dropped,
    ]);
    const state = how === "the log is closed" ? "ESTABLISHED" : "CLOSED";
    expect(named(events, "tcp:snapshot").at(-1)!.data.state).toBe(state);
  });

  // The connection continues in another stack; its log in this stack ends.
  test("ends when the connection moves", async () => {
    await using pair = new StackPair({ profile: "internet" });
    const { client } = await pair.connect();
    client.closed.catch(() => {});
    const log = client.eventLog();
    const frozen = await pair.run(pair.client.freeze(client));
    const events: TcpEvent[] = [];
    for await (const event of log) events.push(event);
    expect(events.at(-1)!.data)
      .toEqual({ old: "ESTABLISHED", new: "CLOSED", error: "CONNECTION_MOVED" });
    for (const event of events) tcpEventSchema.parse(event);
    expect(frozen).toBeDefined();
  });

  // Two people may look at one connection.
  test("has independent readers", async () => {
    await using pair = new StackPair({ profile: "internet" });
    const { client } = await pair.connect();
    const first = client.eventLog();
    await pair.run(client.write(bytes("one")));
    const second = client.eventLog({ maxEvents: 16 });
    await pair.run(client.write(bytes("two")));
    await pair.clock.advance(100);
    const events = first.take();
    expect(second.take()[0]!.name).toBe("tcp:snapshot");
    expect(named(events, "tcp:data_written").length).toBe(2);
    first.close();
    await pair.run(client.write(bytes("three")));
    expect(named(second.take(), "tcp:data_written").length).toBe(1);
    expect(first.take()).toEqual([]);
    second.close();
  });

  // `for await` follows a live connection.
  test("iterates over events as they happen, and ends with the connection", async () => {
    await using pair = new StackPair({ profile: "internet" });
    const { client, server } = await pair.connect();
    const seen: TcpEvent[] = [];
    const reading = (async () => {
      for await (const event of client.eventLog()) seen.push(event);
    })();
    await pair.run(client.write(bytes("ahoy")));
    await pair.clock.advance(10);
    expect(named(seen, "tcp:segment_sent").length).toBe(1);
    server.abort();
    await pair.run(reading);
    expect(named(seen, "tcp:connection_state_updated").at(-1)!.data.new).toBe("CLOSED");
  });

  // abort() passes no time to the core, but the log has the right time.
  test("records the end by abort() at its time", async () => {
    await using pair = new StackPair({ profile: "internet" });
    const client = pair.client.connect("10.0.0.9:7"); // nobody answers
    const log = client.eventLog();
    client.closed.catch(() => {});
    await pair.clock.advance(500);
    client.abort();
    await pair.clock.advance(0);
    const end = named(log.take(), "tcp:connection_state_updated").at(-1)!;
    expect([end.time, end.data.new, end.data.error])
      .toEqual([pair.clock.now(), "CLOSED", "CONNECTION_ABORTED"]);
  });

  // Leaving the loop, close() and `using` all stop recording.
  test("ends a waiting reader when it is closed", async () => {
    await using pair = new StackPair({ profile: "internet" });
    const { client } = await pair.connect();
    const log = client.eventLog();
    const names: string[] = [];
    const readers = [1, 2].map(async () => {
      for await (const { name } of log) names.push(name);
    });
    await pair.clock.advance(1);
    log.close();
    await pair.run(Promise.all(readers));
    expect(names).toEqual(["tcp:snapshot"]);
    for await (const { name } of client.eventLog()) {
      names.push(name);
      break;
    }
    expect(names.length).toBe(2);
  });

  // The log of a derived socket is that of its connection; connections() has it too.
  test("is available on derived sockets and on open connections", async () => {
    await using pair = new StackPair({ profile: "internet" });
    const { client } = await pair.connect();
    expect(deriveSocket(client, {}).eventLog().take().length).toBe(1);
    expect(pair.client.connections()[0]!.eventLog().take().length).toBe(1);
  });

  // After the end there is nothing to observe but the state.
  test("of a connection that has ended has a snapshot and ends", async () => {
    await using pair = new StackPair({ profile: "internet" });
    const { client } = await pair.connect();
    client.abort();
    await pair.clock.advance(1);
    const events: TcpEvent[] = [];
    for await (const event of client.eventLog()) events.push(event);
    expect(events.map(({ name }) => name)).toEqual(["tcp:snapshot"]);
  });

  test("refuses an invalid maxEvents", async () => {
    await using pair = new StackPair();
    const { client } = await pair.connect();
    expect(() => client.eventLog({ maxEvents: 3 })).toThrow(
      "eventLog: options.maxEvents: expected a whole number from 16 to 10000000, got 3",
    );
  });
});

describe("tcp-events.schema.json", () => {
  // `deno task event-schema` writes it.
  test("is the generated schema", () => {
    const text = readFileSync(join(ROOT, "tcp-events.schema.json"), "utf8");
    expect(JSON.parse(text)).toEqual(JSON.parse(tcpEventJsonSchema()));
  });

  // Unknown fields are refused, so a new field needs a new schema.
  test("describes every event", async () => {
    const transfers = await Promise.all([
      loggedTransfer(LOSSY),
      loggedTransfer({ ...LOSSY, tcp: { congestion: "bbr" }, maxEvents: 50, sampleMs: 50 }),
      loggedTransfer({ ...LOSSY, tcp: { profile: "local", sack: false } }),
      loggedTransfer({ bytes: 40_000, data: { burstBegin: 0.1, burstEnd: 0.05 }, seed: 3 }),
    ]);
    const events = transfers.flatMap((one) => [...one.events, ...one.receiverEvents]);
    for (const event of JSON.parse(JSON.stringify(events))) tcpEventSchema.parse(event);
    const names = new Set(events.map(({ name }) => name));
    const known = tcpEventSchema.options.map(({ shape }) => shape.name.value);
    expect(known.filter((name) => !names.has(name))).toEqual([]);
  });
});

function areEqual(one: Uint8Array, other: Uint8Array): boolean {
  return one.length === other.length && one.every((byte, i) => byte === other[i]);
}
