/**
 * `GET /live`: what the dashboard shows, sent repeatedly.
 *
 * @module
 */
import { z } from "zod";
import { digits, selectionSchema } from "../admin/connections.ts";
import { EVENT_STREAM, queryOf, type Route } from "../admin/route.ts";
import type { Service } from "../service.ts";
import { type LiveUpdates, MAX_VIEWERS, MIN_EVERY_MS } from "./live.ts";

/** Maximum number of connections in an update. */
const MAX_LIVE_ROWS = 200;

const viewSchema = selectionSchema(MAX_LIVE_ROWS, 0).extend({
  watch: z.string().optional(),
  everyMs: digits.default(1000),
});

/** The part of the service that the route uses. */
export interface LiveSource {
  readonly service: Pick<Service, "select" | "connection" | "stats">;
  readonly live: LiveUpdates;
  /** The answer of `/readyz`. */
  readonly readiness: () => object;
}

/** Makes the route. */
export function liveRoute({ service, live, readiness }: LiveSource): Route {
  return {
    method: "GET",
    path: "/live",
    answers: { 200: ["text/event-stream"] },
    summary: "Counters and a page of connections, sent repeatedly as server-sent events",
    query: {
      filter: "text that occurs in a field",
      sort: "a field; with - in front the largest come first",
      limit: `number of connections, 0 if absent, at most ${MAX_LIVE_ROWS}`,
      offset: "number of connections before them",
      watch: "the id of a connection that is part of every update",
      everyMs: `minimum milliseconds between two updates, 1000 if absent, at least ${MIN_EVERY_MS}`,
    },
    handle(c) {
      const checked = queryOf(c, viewSchema);
      if (checked instanceof Response) return checked;
      const { watch, everyMs, ...selection } = checked;
      const stream = live.open(async () => ({
        time: Date.now(),
        ready: readiness(),
        stats: await service.stats(),
        ...await service.select(selection),
        ...watch !== undefined && { watched: await service.connection(watch) ?? null },
      }), everyMs);
      return stream === undefined
        ? c.json({ error: `${MAX_VIEWERS} pages are open already: close one` }, 503)
        : new Response(stream, { headers: EVENT_STREAM });
    },
  };
}
