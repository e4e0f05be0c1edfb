/**
 * A route of the admin API.
 *
 * @module
 */
import type { Context } from "hono";
import type { z } from "zod";
import { describeIssues } from "../../../core/api/options.ts";
import type { RouteDescription } from "./open_api.ts";

/** A route with its handler; `{id}` in the path is a parameter. */
export interface Route extends RouteDescription {
  readonly handle: (c: Context) => Response | Promise<Response>;
}

/** Fields of a response with server-sent events. */
export const EVENT_STREAM: Readonly<Record<string, string>> = {
  "Content-Type": "text/event-stream",
  "Cache-Control": "no-store",
};

/** The query as the schema has it, or the answer that says what is wrong with it. */
export function queryOf<T>(c: Context, schema: z.ZodType<T>): T | Response {
  const value = c.req.query();
  const checked = schema.safeParse(value);
  if (checked.success) return checked.data;
  return c.json({ error: describeIssues(checked.error.issues, [], { value, schema }) }, 400);
}
