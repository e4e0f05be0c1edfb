import { describe, expect, test } from "bun:test";
import { qlogHeader, qlogLine, qlogStream } from "../../../../core/api/tcp/qlog.ts";
import { bytes, StackPair } from "../stack_pair.ts";

describe("qlogHeader", () => {
  // draft-ietf-quic-qlog-main-schema: QlogFileSeq, and JSON text sequences (RFC 7464).
  test("is that of a sequential qlog file", () => {
    const line = qlogHeader({
      title: "10.0.0.1:80-10.0.0.2:5000",
      vantagePoint: "server",
      clockStarted: new Date(0),
    });
    expect(line[0]).toBe("\x1e");
    expect(line.at(-1)).toBe("\n");
    expect(JSON.parse(line.slice(1))).toEqual({
      file_schema: "urn:ietf:params:qlog:file:sequential",
      serialization_format: "application/qlog+json-seq",
      title: "10.0.0.1:80-10.0.0.2:5000",
      trace: {
        common_fields: {
          time_format: "relative_to_epoch",
          reference_time: {
            clock_type: "monotonic",
            epoch: "unknown",
            wall_clock_time: "1970-01-01T00:00:00.000Z",
          },
        },
        vantage_point: { type: "server" },
        event_schemas: ["urn:berth:qlog:events:tcp"],
      },
    });
  });

  // Tools that read lines do not expect the record separator.
  test("has no record separator as NDJSON", () => {
    const event = { time: 1, name: "tcp:data_read", data: { length: 1, unread: 0 } } as const;
    expect(qlogHeader({ format: "ndjson" })[0]).toBe("{");
    expect(qlogLine(event, { format: "ndjson" })).toBe(`${JSON.stringify(event)}\n`);
    expect(qlogLine(event)).toBe(`\x1e${JSON.stringify(event)}\n`);
  });
});

describe("qlogStream", () => {
  // Header, events, end: what a client of the admin API gets.
  test("has the header and every event until the connection ends", async () => {
    await using pair = new StackPair({ profile: "internet" });
    const { client, server } = await pair.connect();
    const file = new Response(qlogStream(client.eventLog(), { format: "ndjson" })).text();
    await pair.run(client.write(bytes("ahoy")));
    await pair.clock.advance(10);
    server.abort();
    const lines = (await pair.run(file)).trimEnd().split("\n").map((line) => JSON.parse(line));
    expect(lines[0].file_schema).toBeDefined();
    expect(lines[1].name).toBe("tcp:snapshot");
    expect(lines.at(-1).name).toMatch(/^tcp:/);
    expect(lines.filter(({ name }) => name === "tcp:connection_state_updated").at(-1).data.new)
      .toBe("CLOSED");
  });

  // Nothing is read in advance: the log, which is bounded, holds what the reader has not taken.
  test("reads nothing until it is read, and closes the log when it is cancelled", async () => {
    await using pair = new StackPair({ profile: "internet" });
    const { client, server } = await pair.connect();
    const log = client.eventLog({ maxEvents: 16 });
    const stream = qlogStream(log).getReader();
    for (let i = 0; i < 50; i++) {
      await pair.run(client.write(bytes("ahoy")));
      await pair.run(server.read(new Uint8Array(10)));
      await pair.clock.advance(50);
    }
    expect(log.dropped).toBeGreaterThan(16);
    const waiting = stream.read();
    await pair.run(waiting);
    await pair.run(stream.cancel());
    const { dropped } = log;
    await pair.run(client.write(bytes("ahoy")));
    expect(log.dropped).toBe(dropped);
  });
});
