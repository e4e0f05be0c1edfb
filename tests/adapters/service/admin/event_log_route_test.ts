import { describe, expect, test } from "bun:test";
import { Hono } from "hono";
import { idOf } from "../../../../adapters/service/admin/connections.ts";
import {
  eventLogRoutes,
  MAX_EVENT_LOGS,
} from "../../../../adapters/service/admin/event_log_route.ts";
import {
  streamEventLog,
  streamNextEventLog,
} from "../../../../adapters/service/inspection/event_log.ts";
import { echo } from "../../../../plugins/echo.ts";
import { bytes, StackPair } from "../../../core/api/stack_pair.ts";
import { tcpEventSchema } from "../../../support/tcp_event_schema.ts";

/** The route for the client's connections of a pair. */
function routeFor({ client, server, clock }: StackPair) {
  const routes = eventLogRoutes({
    open(source) {
      if (source.type === "capture") throw new Error(source.type);
      if (source.type === "next-event-log") {
        return Promise.resolve(streamNextEventLog(server, source, clock));
      }
      const found = client.connections().find((one) => idOf(one) === source.id);
      return Promise.resolve(found && streamEventLog(found, source, clock));
    },
  });
  const app = new Hono();
  for (const { path, handle } of routes) app.get(path.replace("{id}", ":id"), handle);
  return (id: string, query = "") => {
    const aborting = new AbortController();
    const answer = app.request(`/connections/${encodeURIComponent(id)}/events${query}`, {
      signal: aborting.signal,
    });
    return Promise.resolve(answer).then((response) => ({ response, aborting }));
  };
}

describe("GET /connections/ID/events", () => {
  // The header of qlog, and then events as they happen.
  test("streams the log until the connection ends", async () => {
    await using pair = new StackPair({ profile: "internet" });
    const { client, server } = await pair.connect();
    const get = routeFor(pair);
    const id = idOf(pair.client.connections()[0]!);
    const { response } = await get(id, "?format=ndjson");
    expect(response.headers.get("content-type")).toBe("application/x-ndjson");
    const text = response.text();
    await pair.run(client.write(bytes("ahoy")));
    await pair.clock.advance(10);
    server.abort();
    const [header, ...events] = (await pair.run(text)).trimEnd().split("\n")
      .map((line) => JSON.parse(line));
    expect(header.title).toBe(id.replace("-", " "));
    expect(header.trace.vantage_point.type).toBe("client");
    for (const event of events) tcpEventSchema.parse(event);
    expect(events[0].name).toBe("tcp:snapshot");
    expect(events.map(({ name }) => name)).toContain("tcp:segment_sent");
    const sequence = await get(id);
    expect(sequence.response.status).toBe(404);
    expect(await sequence.response.json()).toEqual({ error: `there is no connection ${id}` });
  });

  // After the request come a SYN to another port and the connection that matches.
  test("streams the log of the next connection from its SYN on", async () => {
    await using pair = new StackPair({ profile: "internet" });
    for (const port of [7, 9]) pair.server.use(port, echo());
    const get = routeFor(pair);
    const { response } = await get("next", "?format=ndjson&port=7&remote=10.0.0.0/24");
    const text = response.text();
    for (const port of [9, 7]) {
      const socket = pair.client.connect({ hostname: "10.0.0.2", port }, {
        localPort: 4000 + port,
      });
      await pair.run(socket.opened);
      socket.abort();
      await pair.clock.advance(10);
    }
    const [header, ...events] = (await pair.run(text)).trimEnd().split("\n")
      .map((line) => JSON.parse(line));
    expect(header.title).toBe("10.0.0.2:7 10.0.0.1:4007");
    expect(header.trace.vantage_point.type).toBe("server");
    for (const event of events) tcpEventSchema.parse(event);
    const segments = events.filter(({ name }) => name.startsWith("tcp:segment"));
    expect(segments.slice(0, 3).map(({ name, data }) => `${name} ${data.header.flags}`)).toEqual([
      "tcp:segment_received SYN,ECE,CWR",
      "tcp:segment_sent SYN,ACK,ECE",
      "tcp:segment_received ACK",
    ]);
    expect(events.at(-1)).toMatchObject({ data: { new: "CLOSED" } });
  });

  // If the reader disconnects first, the request is withdrawn, and the connection is not logged.
  test("withdraws the request for the next connection with its reader", async () => {
    await using pair = new StackPair({ profile: "internet" });
    pair.server.use(7, echo());
    const get = routeFor(pair);
    for (let i = 0; i < 2 * MAX_EVENT_LOGS; i++) {
      const { response } = await get("next");
      expect(response.status).toBe(200);
      await response.body!.cancel();
    }
    const { response } = await get("next", "?port=0");
    expect([response.status, await response.json()])
      .toEqual([400, { error: "port: expected a port, 1 to 65535" }]);
    const refused = await get("next", "?remote=all");
    expect([refused.response.status, await refused.response.json()]).toEqual([
      400,
      { error: "remote: expected an address or network such as 10.90.0.0/16" },
    ]);
    await pair.run(pair.client.connect("10.0.0.2:7").opened);
  });

  // Wrong parameters are named.
  test.each([
    ["?format=xml", "format: expected json-seq or ndjson"],
    ["?maxEvents=3", "maxEvents: expected 16 to 100000"],
    ["?maxEvents=-1", "maxEvents: expected a whole number"],
    ["?form=ndjson", "form: unknown key"],
  ])("refuses %s", async (query, message) => {
    await using pair = new StackPair();
    const { response } = await routeFor(pair)("a-b", query);
    expect(response.status).toBe(400);
    expect((await response.json()).error).toContain(message);
  });

  // Readers beyond the maximum are refused, until one has gone.
  test("has a maximum number of readers", async () => {
    await using pair = new StackPair({ profile: "internet" });
    await pair.connect();
    const get = routeFor(pair);
    const id = idOf(pair.client.connections()[0]!);
    const readers = await Promise.all(Array.from({ length: MAX_EVENT_LOGS + 4 }, () => get(id)));
    const codes = readers.map(({ response }) => response.status);
    expect(codes.filter((code) => code === 200).length).toBe(MAX_EVENT_LOGS);
    expect(codes.filter((code) => code === 503).length).toBe(4);
    expect((await get(id)).response.status).toBe(503);
    readers[0]!.aborting.abort();
    await readers[1]!.response.body!.cancel();
    expect((await get(id)).response.status).toBe(200);
    expect((await get(id)).response.status).toBe(200);
    expect((await get(id)).response.status).toBe(503);
  });
});
