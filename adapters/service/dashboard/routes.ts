/**
 * The routes of the dashboard's page, its files and its sign-in.
 *
 * @module
 */
import { type Context, Hono } from "hono";
import { assetResponse } from "../../pages/assets.ts";
import { type DashboardAccess, isSame } from "../admin/guard.ts";
import type { Sessions } from "./sessions.ts";

/** Maximum length of a token or key that is presented. */
const MAX_CREDENTIAL = 4096;
/** Requests that change something and that a page may send. */
const ACTIONS =
  /^(POST \/reload|POST \/drain|DELETE \/(connections|capture)\/[^/]+|DELETE \/session)$/;

/** What {@link dashboardRoutes} returns. */
export interface DashboardRoutes {
  readonly access: DashboardAccess;
  readonly routes: Hono;
}

/**
 * Makes the routes of the page, and the rules for the guard in front of them. The page signs in with the token, or
 * with a key of `POST /session/key`, and gets a token of its own.
 */
export function dashboardRoutes(
  token: string,
  sessions: Sessions,
): DashboardRoutes {
  const routes = new Hono();
  routes.get("/", (c) => assetResponse("dashboard/page.html", c.req.raw));
  routes.get("/assets/*", (c) => assetResponse(c.req.path.slice("/assets/".length), c.req.raw));
  routes.post("/session", async (c) => {
    const given = (await textOf(c)).trim();
    if (!isSame(given, token) && !sessions.useKey(given)) {
      return c.json({ error: "this is neither the token nor a valid key" }, 401);
    }
    return c.json({ session: sessions.start() });
  });
  routes.delete("/session", (c) => {
    sessions.end((c.req.header("authorization") ?? "").replace(/^Bearer /, ""));
    return c.json({ session: null });
  });
  routes.post("/session/key", (c) => c.json({ key: sessions.issueKey() }));
  const access: DashboardAccess = {
    isPublic: (method, path) =>
      method === "GET"
        ? path === "/" || path.startsWith("/assets/")
        : method === "POST" && path === "/session",
    isSignedIn: (given) => sessions.renew(given),
    mayAsk: (method, path) => method === "GET" || ACTIONS.test(`${method} ${path}`),
  };
  return { access, routes };
}

async function textOf(c: Context): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of c.req.raw.body ?? []) {
    text += decoder.decode(chunk, { stream: true });
    if (text.length > MAX_CREDENTIAL) return "";
  }
  return text;
}
