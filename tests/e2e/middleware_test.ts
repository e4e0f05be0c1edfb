import { describe, expect } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import type { Namespace } from "../support/namespace.ts";
import { testRequiring } from "../support/requirements.ts";
import { NEEDS, V4, V6, withService } from "./service.ts";

const APP = `http:${resolve("tests/e2e/programs/app.ts")}`;
const CURL = ["curl", "--silent", "--show-error", "--fail", "--max-time", "20"];

/** Runs a body with the service and a configuration of these ports. */
async function withPorts(
  listen: Readonly<Record<string, unknown>>,
  body: (namespace: Namespace) => Promise<void>,
): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "berth-e2e-"));
  try {
    const file = join(folder, "berth.json");
    writeFileSync(file, JSON.stringify({ listen }));
    await withService(body, "--config", file);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** A shell command that sends these bytes to a port and prints the answer. */
function say(namespace: Namespace, host: string, port: number, text: string): Promise<string> {
  const bytes = text.replaceAll("\r\n", "\\r\\n");
  return namespace.shell(`printf '${bytes}' | nc -N -w 10 ${host} ${port}`);
}

const REQUEST = "GET /peer HTTP/1.1\r\nHost: berth\r\nConnection: close\r\n\r\n";

describe("proxyProtocol", () => {
  const listen = { "8080": ["log", "proxyProtocol:10.90.0.1,fd90::1", APP] };

  // curl sends a header for itself, over IPv4 and IPv6; a proxy sends one for its client.
  testRequiring(
    [...NEEDS, "program:curl", "program:nc"],
    "gives the application the client's address",
    () =>
      withPorts(listen, async (namespace) => {
        const peer = (host: string) =>
          namespace.run([...CURL, "--haproxy-protocol", `http://${host}:8080/peer`]);
        expect(await peer(V4)).toMatch(/^10\.90\.0\.1 \d+\n$/);
        expect(await peer(`[${V6}]`)).toMatch(/^fd90::1 \d+\n$/);
        const header = `PROXY TCP6 2001:db8::7 ${V6} 4711 8080\r\n`;
        expect(await say(namespace, V4, 8080, header + REQUEST)).toContain("2001:db8::7 4711\n");
      }),
    30_000,
  );

  // Without a header the connection is reset.
  testRequiring(
    [...NEEDS, "program:curl"],
    "refuses clients without a header",
    () =>
      withPorts(listen, async (namespace) => {
        const direct = namespace.run([...CURL, `http://${V4}:8080/peer`]);
        await expect(direct).rejects.toThrow("reset by peer");
      }),
    30_000,
  );
});

describe("allow and deny", () => {
  // RST, no answer, and a handshake are closed, filtered and open for nmap.
  testRequiring(
    [...NEEDS, "program:curl", "program:nmap"],
    "decide before the handshake",
    () =>
      withPorts({
        "8081": ["deny:10.90.0.0/24", APP],
        "8082": [{ plugin: "allow", options: { from: ["192.0.2.0/24"], verdict: "ignore" } }, APP],
        "8083": ["allow:10.90.0.0/24,fd90::/64", APP],
      }, async (namespace) => {
        const scan = ["nmap", "-Pn", "-n", "-sT", "-p", "8081-8083", "--host-timeout", "20s", V4];
        const states = (await namespace.run(scan)).match(/^\d+\/tcp\s+\w+/gm) ?? [];
        expect(states.map((line) => line.split(/\/tcp\s+/))).toEqual([
          ["8081", "closed"],
          ["8082", "filtered"],
          ["8083", "open"],
        ]);
        const refused = namespace.run([...CURL, `http://${V4}:8081/peer`]);
        await expect(refused).rejects.toThrow("Couldn't connect to server");
        expect(await namespace.run([...CURL, `http://[${V6}]:8081/peer`])).toContain("fd90::1");
      }),
    40_000,
  );
});

describe("shape", () => {
  // Three million bytes at a million a second, measured by curl.
  testRequiring(
    [...NEEDS, "program:curl"],
    "limits a download to its rate",
    () =>
      withPorts(
        { "8084": [{ plugin: "shape", options: { sendRate: 1_000_000 } }, APP] },
        async (namespace) => {
          const speed = await namespace.run([
            ...CURL,
            ...["--output", "/dev/null", "--write-out", "%{speed_download} %{size_download}"],
            `http://${V4}:8084/bytes/3000000`,
          ]);
          const [perSecond, size] = speed.split(" ").map(Number);
          expect(size).toBe(3_000_000);
          expect(perSecond).toBeLessThan(1_100_000);
          // A busy machine may be slower, but never faster.
          expect(perSecond).toBeGreaterThan(500_000);
        },
      ),
    30_000,
  );
});
