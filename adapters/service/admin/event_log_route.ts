/**
 * `GET /connections/ID/events`: the event log of a live connection; `GET /connections/next/events`: of the next one.
 *
 * @module
 */
import { z } from "zod";
import { Subnet } from "../../../core/wire/address.ts";
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

const nextQuery = query.extend({
  port: z.string().regex(/^\d{1,5}$/, "expected a port").transform(Number)
    .refine((port) => port >= 1 && port <= 65535, "expected a port, 1 to 65535").optional(),
  remote: z.string().refine(
    (text) => Subnet.parse(text) !== undefined,
    "expected an address or network such as 10.90.0.0/16",
  ).optional(),
});

const DESCRIBED = {
  format: "json-seq, the default, or ndjson",
  maxEvents: "events that may wait for the reader, 10000 if absent; more are dropped",
};

/** The routes. */
export function eventLogRoutes(service: Pick<Service, "open">): Route[] {
  const open = new OpenStreams(MAX_EVENT_LOGS);
  return [nextRoute(service, open), liveRoute(service, open)];
}

function nextRoute(service: Pick<Service, "open">, open: OpenStreams): Route {
  return {
    method: "GET",
    path: "/connections/next/events",
    answers: { 200: Object.values(TYPES) },
    summary: "The event log of the next connection that a peer opens, from its SYN on",
    query: {
      ...DESCRIBED,
      port: "its local port; any if absent",
      remote: "the peer's address, or a network that it is in; any if absent",
    },
    async handle(c) {
      const options = queryOf(c, nextQuery);
      if (options instanceof Response) return options;
      return await open.serve(c, service, { type: "next-event-log", ...options }, {
        type: TYPES[options.format],
        missing: "no stack is running",
      });
    },
  };
}

function liveRoute(service: Pick<Service, "open">, open: OpenStreams): Route {
  return {
    method: "GET",
    path: "/connections/{id}/events",
    answers: { 200: Object.values(TYPES) },
    summary: "The event log of a connection from now on, as a sequential qlog file",
    query: DESCRIBED,
    async handle(c) {
      const options = queryOf(c, query);
      if (options instanceof Response) return options;
      const id = c.req.param("id") ?? "";
      return await open.serve(c, service, { type: "event-log", id, ...options }, {
        type: TYPES[options.format],
        missing: `there is no connection ${id}`,
      });
    },
  };
}
