/**
 * The OpenAPI document of the admin API.
 *
 * @module
 */
import manifest from "../../../deno.json" with { type: "json" };

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
}

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

function operationOf({ path, summary, body, query = {} }: RouteDescription): object {
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
      200: { description: "done" },
      default: {
        description: "refused",
        content: {
          "application/json": {
            schema: { type: "object", properties: { error: { type: "string" } } },
          },
        },
      },
    },
  };
}
