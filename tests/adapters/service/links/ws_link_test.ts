import { describe, expect, test } from "bun:test";
import { connect } from "node:net";
import { openWebSocketLink, type WebSocketLink } from "../../../../adapters/links/web_socket.ts";
import { openLink, parseLink } from "../../../../adapters/service/links/table.ts";
import { silentLogger } from "../../../../core/api/environment.ts";
import { createStack } from "../../../../core/api/stack.ts";
import type { Link } from "../../../../core/stack/link.ts";
import { echo } from "../../../../plugins/echo.ts";
import { linkConformance } from "../../links/link_conformance.ts";

const environment = { addresses: [], hostAddresses: [], mtu: 1500, log: silentLogger };

function open(text: string): Promise<Link> {
  const setting = parseLink(text);
  if (typeof setting === "string") throw new Error(setting);
  return openLink(setting, environment);
}

function urlOf(link: Link): string {
  return `ws://${link.name.replace("websocket ", "")}/`;
}

linkConformance("a WebSocket to the service", async () => {
  const left = await open("ws:listen=127.0.0.1:0");
  const right = await open(`ws:${urlOf(left)}`);
  const routes = [{ from: "10.9.0.1", to: "10.9.0.2" }, { from: "fd09::1", to: "fd09::2" }];
  return { left, right, routes, isSlow: true };
});

/** Whether a stack on the client's link gets an answer from the server's. */
async function answers(link: Link): Promise<boolean> {
  await using client = createStack({ link, addresses: ["10.9.0.2/24"] });
  await using socket = client.connect("10.9.0.1:7");
  await socket.write(new Uint8Array([1, 2, 3]));
  return await socket.read(new Uint8Array(10)) === 3;
}

describe("--link ws", () => {
  // A tab is closed and another one opened.
  test("serves one client after the other", async () => {
    const link = await open("ws:listen=127.0.0.1:0");
    await using server = createStack({ link, addresses: ["10.9.0.1/24"] });
    server.use(7, echo());
    for (let i = 0; i < 3; i++) {
      expect(await answers(await open(`ws:${urlOf(link)}`))).toBe(true);
    }
  });

  // A reloaded page may reconnect before the server detects the disconnect.
  test("belongs to the client that attached last", async () => {
    const link = await open("ws:listen=127.0.0.1:0");
    await using server = createStack({ link, addresses: ["10.9.0.1/24"] });
    server.use(7, echo());
    const first: WebSocketLink = await openWebSocketLink(urlOf(link));
    const second = await openWebSocketLink(urlOf(link));
    await first.ended;
    expect(await answers(second)).toBe(true);
  });

  // The client and its stack end too.
  test("ends its client with the service", async () => {
    const link = await open("ws:listen=0");
    const client = await openWebSocketLink(urlOf(link));
    await link.close();
    await client.ended;
    await expect(openWebSocketLink(urlOf(link))).rejects.toThrow("there is no WebSocket at");
  });

  // Any page can try to connect; only the configured origins and the server's own are accepted.
  test("refuses pages of other origins", async () => {
    const link = await open("ws:listen=127.0.0.1:0,origin=http://good.example");
    const status = async (origin: string) => {
      const headers = { Origin: origin };
      const response = await fetch(urlOf(link).replace("ws:", "http:"), { headers });
      await response.body?.cancel();
      return response.status;
    };
    try {
      expect(await status("http://bad.example")).toBe(403);
      expect(await status("null")).toBe(403);
      // The origin is accepted, but the request is not an upgrade.
      expect(await status("http://good.example")).toBe(404);
      expect(await status(urlOf(link).replace("ws:", "http:"))).toBe(404);
    } finally {
      await link.close();
    }
  });

  // DNS rebinding: the page's name resolves to this host after it was loaded.
  test("refuses pages whose name resolves to this host", async () => {
    const link = await open("ws:listen=127.0.0.1:0,origin=http://good.example");
    const port = link.name.split(":").at(-1);
    const attach = (host: string) =>
      new Promise<string>((resolve, reject) => {
        const socket = connect(Number(port), "127.0.0.1", () => {
          const fields = [`Host: ${host}`, `Origin: http://${host}`, "Connection: close"];
          socket.write(`GET / HTTP/1.1\r\n${fields.join("\r\n")}\r\n\r\n`);
        });
        let answer = "";
        socket.on("data", (chunk) => answer += chunk).on("error", reject)
          .on("end", () => resolve(answer.slice(9, 12)));
      });
    try {
      expect(await attach(`rebound.example:${port}`)).toBe("403");
      expect(await attach(`localhost:${port}`)).toBe("404");
      expect(await attach(`[::1]:${port}`)).toBe("404");
    } finally {
      await link.close();
    }
  });

  // One message that says what is needed.
  test.each([
    ["ws:", "url: expected a URL such as ws://127.0.0.1:9000/, got "],
    ["ws:http://127.0.0.1/", "url: expected a URL such as"],
    ["ws:listen=here", "listen: expected [HOST:]PORT such as 127.0.0.1:9000, got here"],
    ["ws:ws://127.0.0.1:9/,listen=9", "one of url and listen is needed"],
    ["ws", "one of url and listen is needed"],
  ])("refuses %s", (text, message) => {
    expect(parseLink(text)).toContain(message);
  });
});
