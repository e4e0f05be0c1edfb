/**
 * `/capture`: the packets of the running service's link as a pcapng stream.
 *
 * @module
 */
import { z } from "zod";
import { messageLine } from "../errors.ts";
import type { Service } from "../service.ts";
import { stopped } from "./answers.ts";
import { OpenStreams } from "./open_streams.ts";
import { queryOf, type Route } from "./route.ts";

/** Maximum number of captures at the same time. */
export const MAX_CAPTURES = 8;

const PCAPNG = "application/x-pcapng";

const query = z.strictObject({
  filter: z.string().optional(),
  id: z.string().regex(/^[\w-]{1,64}$/, "expected up to 64 letters, digits, _ and -").optional(),
});

/** The routes. */
export function captureRoutes(service: Pick<Service, "open" | "stopCapture">): Route[] {
  const open = new OpenStreams(MAX_CAPTURES);
  return [
    {
      method: "GET",
      path: "/capture",
      answers: { 200: [PCAPNG] },
      summary:
        "The packets of the link from now on, as a pcapng file, until the client disconnects",
      query: {
        filter: "packets that are recorded, such as tcp port 80 and host 10.0.0.2; all if absent",
        id: "a name for DELETE /capture/{id}; random if absent",
      },
      async handle(c) {
        const options = queryOf(c, query);
        if (options instanceof Response) return options;
        const { filter, id = crypto.randomUUID() } = options;
        try {
          return await open.serve(c, service, { type: "capture", id, filter }, {
            type: PCAPNG,
            fields: { "Capture-Id": id },
            missing: "there is no link to capture",
          });
        } catch (error) {
          if (error instanceof TypeError) return c.json({ error: messageLine(error) }, 400);
          throw error;
        }
      },
    },
    {
      method: "DELETE",
      path: "/capture/{id}",
      answers: { 200: stopped },
      summary: "Ends a capture; its reader gets the rest, with the number of missing packets",
      async handle(c) {
        const id = c.req.param("id") ?? "";
        if (await service.stopCapture(id)) return c.json({ stopped: id });
        return c.json({ error: `there is no capture ${id}` }, 404);
      },
    },
  ];
}
