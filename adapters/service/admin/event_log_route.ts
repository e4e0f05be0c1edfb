/**
 * `GET /connections/ID/events`: the event log of a live connection.
 *
 * @module
 */
import { z } from "zod";
import type { Service } from "../service.ts";
import { OpenStreams } from "./open_streams.ts";
import { queryOf, type Route } from "./route.ts";

/** Maximum number of event logs that are read at the same time. */
export const MAX_EVENT_LOGS = 16;
/** Maximum number of events that wait for one reader. */
const MAX_EVENTS = 100_000;

const TYPES = { "json-seq": "application/qlog+json-seq", ndjson: "application/x-ndjson" } as const;

const query = z.strictObject({
  format: z.enum(["json-seq", "ndjson"], "expected json-seq or ndjson").default("json-seq"),
  maxEvents: z.string().regex(/^\d{1,6}$/, "expected a whole number").transform(Number)
    .refine((count) => count >= 16 && count <= MAX_EVENTS, `expected 16 to ${MAX_EVENTS}`)
    .default(10_000),
});

/** The route. */
export function eventLogRoute(service: Pick<Service, "open">): Route {
  const open = new OpenStreams(MAX_EVENT_LOGS);
  return {
    method: "GET",
    path: "/connections/{id}/events",
    summary: "The event log of a connection from now on, as a sequential qlog file",
    query: {
      format: "json-seq, the default, or ndjson",
      maxEvents: "events that may wait for the reader, 10000 if absent; more are dropped",
    },
    async handle(c) {
      const options = queryOf(c, query);
      if (options instanceof Response) return options;
      if (open.isFull) return open.refuse(c);
      const id = c.req.param("id") ?? "";
      const stream = await service.open({ type: "event-log", id, ...options });
      if (stream === undefined) return c.json({ error: `there is no connection ${id}` }, 404);
      return open.answer(c, stream, TYPES[options.format]);
    },
  };
}
