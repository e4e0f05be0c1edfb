/**
 * `/impair`: delay, loss and bandwidth of the running service's link.
 *
 * @module
 */
import { z } from "zod";
import type { LinkImpairments } from "../../links/decorators/impair.ts";
import { messageLine } from "../errors.ts";
import type { Service } from "../service.ts";
import { impairments as answer } from "./answers.ts";
import { jsonOf, type Route } from "./route.ts";

const EXPECTED = 'expected a JSON object such as { "delayMs": 20, "incoming": { "loss": 0.01 } }';
/** `checkImpairments()` checks names and values. */
const impairments = z.looseObject({ incoming: z.record(z.string(), z.unknown()).optional() });

/** The routes. */
export function impairRoutes(service: Pick<Service, "impair">): Route[] {
  return [
    {
      method: "GET",
      path: "/impair",
      answers: { 200: answer },
      summary: "The impairments of the link",
      handle: async (c) => c.json(await service.impair()),
    },
    {
      method: "PUT",
      path: "/impair",
      answers: { 200: answer },
      summary: "Changes the impairments of the link to those in the body, until the next start",
      body: "application/json",
      async handle(c) {
        const body = await jsonOf(c);
        if (body instanceof Response) return body;
        const checked = impairments.safeParse(body);
        if (!checked.success) return c.json({ error: EXPECTED }, 400);
        try {
          return c.json(await service.impair(checked.data as LinkImpairments));
        } catch (error) {
          if (error instanceof RangeError) return c.json({ error: messageLine(error) }, 400);
          throw error;
        }
      },
    },
    {
      method: "DELETE",
      path: "/impair",
      answers: { 200: answer },
      summary: "Removes all impairments of the link",
      handle: async (c) => c.json(await service.impair({})),
    },
  ];
}
