import { describe, expect, test } from "bun:test";
import { Hono } from "hono";
import { idOf } from "../../../../adapters/service/admin/connections.ts";
import {
  eventLogRoute,
  MAX_EVENT_LOGS,
} from "../../../../adapters/service/admin/event_log_route.ts";
import { streamEventLog } from "../../../../adapters/service/inspection/event_log.ts";
import { bytes, StackPair } from "../../../core/api/stack_pair.ts";
import { tcpEventSchema } from "../../../support/tcp_event_schema.ts";

/** The route for the client's connections of a pair. */
function routeFor({ client, clock }: StackPair) {
  const route = eventLogRoute({
    open(source) {
      if (source.type !== "event-log") throw new Error(source.type);
      const found = client.connections().find((one) => idOf(one) === source.id);
      return Promise.resolve(found && streamEventLog(found, source, clock));
    },
  });
  const app = new Hono().get("/connections/:id/events", route.handle);
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
