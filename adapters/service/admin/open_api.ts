/**
 * The OpenAPI document of the admin API.
 *
 * @module
 */
import { z } from "zod";
import manifest from "../../../deno.json" with { type: "json" };
import { errorAnswer } from "./answers.ts";

/** A route as the document describes it. */
export interface RouteDescription {
  readonly method: "GET" | "PUT" | "POST" | "DELETE";
  /** With parameters in braces. */
  readonly path: string;
  readonly summary: string;
  /** The media type of the request's body. */
  readonly body?: string;
  /** Parameters of the query, with their meaning. */
  readonly query?: Readonly<Record<string, string>>;
  /** The answers by status; of other statuses it is an error. */
  readonly answers: Readonly<Record<number, Answer>>;
}

/** The schema of a JSON answer, or the media types of one that is not JSON. */
export type Answer = z.ZodType | readonly string[];

/** Makes the document, version 3.1. */
export function openApi(routes: readonly RouteDescription[]): object {
  const paths: Record<string, Record<string, unknown>> = {};
  for (const route of routes) {
    (paths[route.path] ??= {})[route.method.toLowerCase()] = operationOf(route);
  }
  return {
    openapi: "3.1.0",
    info: { title: "berth admin API", version: manifest.version },
    components: { securitySchemes: { token: { type: "http", scheme: "bearer" } } },
    security: [{ token: [] }, {}],
    paths,
  };
}

function operationOf({ path, summary, body, query = {}, answers }: RouteDescription): object {
  const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => ({
    name,
    in: "path",
    required: true,
    schema: { type: "string" },
  }));
  const inQuery = Object.entries(query).map(([name, description]) => ({
    name,
    in: "query",
    description,
    schema: { type: "string" },
  }));
  const parameters = [...inPath, ...inQuery];
  return {
    summary,
    ...parameters.length > 0 && { parameters },
    ...body !== undefined && { requestBody: { required: true, content: { [body]: {} } } },
    responses: {
      ...Object.fromEntries(
        Object.entries(answers).map(([status, answer]) => [status, {
          description: Number(status) < 400 ? "done" : "not done",
          content: contentOf(answer),
        }]),
      ),
      default: { description: "refused", content: contentOf(errorAnswer) },
    },
  };
}

function contentOf(answer: Answer): object {
  if (!(answer instanceof z.ZodType)) {
    return Object.fromEntries(answer.map((type) => [type, { schema: { type: "string" } }]));
  }
  const { $schema: _, ...schema } = z.toJSONSchema(answer);
  return { "application/json": { schema } };
}
