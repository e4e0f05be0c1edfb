import { describe, expect, test } from "bun:test";
import { Sessions } from "../../../../adapters/service/dashboard/sessions.ts";
import { systemClock, systemRandom } from "../../../../core/api/environment.ts";
import { adminApp, type AdminTarget } from "../../../../adapters/service/admin/app.ts";

const TOKEN = "0123456789abcdef";
const HOST = "127.0.0.1:9000";
const OWN = { "Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "cors" };
const OPENING = { "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document" };

/** An API whose service records the requests. */
function api() {
  const did: string[] = [];
  const target = {
    sessions: new Sessions(systemClock, systemRandom),
    service: {
      settings: { listen: [] },
      published: [],
      state: "serving",
      select: () => Promise.resolve({ total: 0, connections: [] }),
      drain: () => Promise.resolve(void did.push("drain")),
    },
    isReloading: () => false,
    use: (text: string) => Promise.resolve(did.push(text)),
    log: { level: "info" },
  } as unknown as AdminTarget;
  const app = adminApp(target, { token: TOKEN });
  const ask = async (method: string, path: string, headers: Record<string, string>, body = "") => {
    const answer = await app.request(`http://${HOST}${path}`, {
      method,
      headers: { Host: HOST, ...headers },
      ...body !== "" && { body },
    });
    return { status: answer.status, headers: answer.headers, text: await answer.text() };
  };
  /** A session of the page. */
  const signIn = async (given = TOKEN) => {
    const { status, text } = await ask(
      "POST",
      "/session",
      { ...OWN, Origin: `http://${HOST}` },
      given,
    );
    return { status, session: JSON.parse(text).session as string };
  };
  return { did, ask, signIn };
}

const bearer = (token: string) => ({ Authorization: `Bearer ${token}` });

describe("the dashboard's session", () => {
  test("is given for the token", async () => {
    const { ask, signIn } = api();
    const { session } = await signIn();
    expect((await ask("GET", "/connections", { ...OWN, ...bearer(session) })).status).toBe(200);
    expect((await ask("GET", "/connections", OWN)).status).toBe(401);
    expect((await signIn("0123456789abcdeX")).status).toBe(401);
    expect((await signIn("x".repeat(100_000))).status).toBe(401);
  });

  // For `berth dashboard`, whose URL stays in the history of a shell.
  test("is given for a key, once", async () => {
    const { ask, signIn } = api();
    const { text } = await ask("POST", "/session/key", bearer(TOKEN));
    const { key } = JSON.parse(text);
    expect([(await signIn(key)).status, (await signIn(key)).status]).toEqual([200, 401]);
  });

  // A session of the page may not create sessions or change the configuration, because the page does neither.
  test("permits what the page does, and nothing else", async () => {
    const { ask, signIn, did } = api();
    const { session } = await signIn();
    const status = async (method: string, path: string) =>
      (await ask(method, path, { ...OWN, ...bearer(session), "Content-Type": "application/json" }))
        .status;
    expect(await status("POST", "/drain")).toBe(200);
    expect(await status("PUT", "/config")).toBe(403);
    expect(await status("PUT", "/log-level")).toBe(403);
    expect(await status("POST", "/session/key")).toBe(403);
    expect(did).toEqual(["drain"]);
    expect(await status("DELETE", "/session")).toBe(200);
    expect(await status("GET", "/connections")).toBe(401);
  });
});

describe("the page", () => {
  // The page opens by its address or by a link, without the token, because it has no data of the service.
  test.each([["none"], ["cross-site"], ["same-site"], ["same-origin"]])(
    "opens in a tab, %s",
    async (site) => {
      const { ask } = api();
      const { status, headers, text } = await ask("GET", "/", {
        ...OPENING,
        "Sec-Fetch-Site": site,
      });
      expect([status, headers.get("content-type")]).toEqual([200, "text/html; charset=utf-8"]);
      const policy = headers.get("content-security-policy")!;
      expect(policy).toContain("default-src 'none'");
      expect(policy).toContain("frame-ancestors 'none'");
      expect(policy).not.toContain("unsafe");
      expect(text).not.toMatch(/<script(?![^>]*src=)|<style|\son\w+=|style=/);
    },
  );

  // A page of another port of this machine is of the same site.
  const attacks: readonly [string, string, string, Record<string, string>][] = [
    ["the page in a frame", "GET", "/", { ...OPENING, "Sec-Fetch-Dest": "iframe" }],
    ["the page by fetch", "GET", "/", { "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "cors" }],
    ["a file of the page", "GET", "/assets/dashboard/main.ts", {
      "Sec-Fetch-Site": "same-site",
      "Sec-Fetch-Mode": "no-cors",
    }],
    ["sign-in with a form", "POST", "/session", {
      ...OPENING,
      "Sec-Fetch-Site": "cross-site",
      Origin: "https://evil.test",
    }],
    ["sign-in of another port", "POST", "/session", {
      "Sec-Fetch-Site": "same-site",
      Origin: "http://127.0.0.1:8080",
    }],
    ["a request that says two things", "POST", "/session", {
      "Sec-Fetch-Site": "same-origin",
      Origin: "http://127.0.0.1:8080",
    }],
    ["a request of an old browser", "POST", "/session", { Origin: "http://127.0.0.1:8080" }],
    ["a sandboxed page", "POST", "/session", { Origin: "null" }],
    ["a rebound name", "GET", "/", { ...OPENING, Host: "evil.test:9000" }],
    ["a rebound name that calls itself same-origin", "POST", "/session", {
      ...OWN,
      Host: "evil.test:9000",
      Origin: "http://evil.test:9000",
    }],
    ["a navigation to the data", "GET", "/config", { ...OPENING, "Sec-Fetch-Site": "none" }],
  ];
  test.each(attacks)("%s is refused", async (_, method, path, headers) => {
    const { ask, signIn } = api();
    const { session } = await signIn();
    // Even if it had the session.
    expect(
      (await ask(method, path, { ...headers, ...bearer(session) }, method === "GET" ? "" : TOKEN))
        .status,
    ).toBe(403);
  });

  // A Unix socket without a token has no sign-in that could protect it.
  test("does not exist without a token", async () => {
    const without = adminWithoutToken();
    expect(await without("/", { ...OPENING, "Sec-Fetch-Site": "none" })).toBe(403);
    expect(await without("/", {})).toBe(404);
    expect(await without("/connections", { ...OWN })).toBe(403);
  });
});

function adminWithoutToken() {
  const app = adminApp({ service: {}, log: {} } as unknown as AdminTarget);
  return async (path: string, headers: Record<string, string>) =>
    (await app.request(`http://localhost${path}`, { headers })).status;
}
