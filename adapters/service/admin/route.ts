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

/** The body as text, or the response 413 if it has more than `most` bytes. */
export async function bodyOf(c: Context, most: number): Promise<string | Response> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of c.req.raw.body ?? []) {
    size += chunk.byteLength;
    if (size > most) return c.json({ error: `expected at most ${most} bytes` }, 413);
    chunks.push(chunk);
  }
  return new TextDecoder().decode(Buffer.concat(chunks));
}

/** Maximum size of a body for {@link jsonOf}, in bytes. */
const MAX_JSON = 16 * 1024;

/** The body as JSON; `undefined` if it is not JSON; or the answer 413 if it is too long. */
export async function jsonOf(c: Context): Promise<unknown> {
  const text = await bodyOf(c, MAX_JSON);
  if (text instanceof Response) return text;
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** The query, checked by the schema, or the response that says what is wrong with it. */
export function queryOf<T>(c: Context, schema: z.ZodType<T>): T | Response {
  const value = c.req.query();
  const checked = schema.safeParse(value);
  if (checked.success) return checked.data;
  return c.json({ error: describeIssues(checked.error.issues, [], { value, schema }) }, 400);
}
