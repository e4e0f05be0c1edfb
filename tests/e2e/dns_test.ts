import { describe, expect } from "bun:test";
import type { Namespace } from "../support/namespace.ts";
import { testRequiring } from "../support/requirements.ts";
import { NEEDS, V4, V6, withConfiguredService, withDatagramStack } from "./service.ts";

const needs = [...NEEDS, "program:dig"] as const;

function dig(namespace: Namespace, ...args: string[]): Promise<string> {
  return namespace.run(["dig", "+time=3", "+tries=2", ...args]);
}

describe("dig", () => {
  for (const server of [`@${V4}`, `@${V6}`]) {
    for (const transport of ["+notcp", "+tcp"]) {
      // Addresses, aliases, texts, and names that do not exist.
      testRequiring(
        needs,
        `asks ${server} ${transport}`,
        () =>
          withDatagramStack(async (namespace) => {
            const short = (...args: string[]) =>
              dig(namespace, server, transport, "+short", ...args);
            expect(await short("db.lan", "A")).toBe("10.90.0.9\n");
            expect(await short("db.lan", "AAAA")).toBe("fd90::9\n");
            expect(await short("www.lan", "A")).toBe("db.lan.\n10.90.0.9\n");
            expect(await short("text.lan", "TXT")).toBe('"hello there"\n');
            const status = (name: string) => dig(namespace, server, transport, name);
            expect(await status("nobody.lan")).toContain("status: NXDOMAIN");
            const whole = await status("db.lan");
            expect(whole).toMatch(
              /flags: qr aa rd ra; QUERY: 1, ANSWER: 1, AUTHORITY: 0, ADD\w+: 1/,
            );
            expect(whole).toContain("EDNS: version: 0, flags:; udp: 1232");
            expect(whole).not.toContain("WARNING");
            expect(whole).not.toContain("malformed");
          }).then(() => {}),
      );
    }
  }

  // dig retries over TCP by default.
  testRequiring(needs, "receives large answers over TCP (RFC 7766 5)", async () => {
    await withDatagramStack(async (namespace) => {
      for (const name of ["many.lan", "much.example"]) {
        const truncated = await dig(namespace, `@${V4}`, "+ignore", name);
        expect(truncated).toMatch(/flags: qr.* tc/);
        const whole = await dig(namespace, `@${V4}`, name);
        expect(whole).toContain("Truncated, retrying in TCP mode");
        expect(whole).toContain("ANSWER: 200");
      }
    });
  });

  // One server on the stack forwards to another through the kernel's sockets.
  testRequiring(needs, "receives answers from an upstream", async () => {
    await withDatagramStack(async (namespace) => {
      for (const transport of ["+notcp", "+tcp"]) {
        const whole = await dig(namespace, `@${V4}`, transport, "far.example");
        expect(whole).toContain("192.0.2.1");
        expect(whole).not.toContain("WARNING");
        expect(await dig(namespace, `@${V4}`, transport, "nobody.example"))
          .toContain("status: NXDOMAIN");
        expect(await dig(namespace, `@${V4}`, transport, "elsewhere.test"))
          .toContain("status: REFUSED");
      }
    });
  });

  // As a user configures it: names in the file, and a server that only forwards to the other.
  testRequiring(needs, "queries a configured service", () => {
    const dns = { plugin: "dns", options: { names: { "db.lan": "10.90.0.9" } } };
    const listen = { "udp/53": dns, "53": dns, "udp/5353": `dns:${V4},${V4}:53` };
    return withConfiguredService({ listen }, async (namespace) => {
      for (const how of [["+notcp"], ["+tcp"], ["-p", "5353"]]) {
        expect(await dig(namespace, `@${V4}`, "+short", ...how, "db.lan")).toBe("10.90.0.9\n");
      }
    });
  });

  // Queries that are typical of attacks are refused.
  testRequiring(needs, "receives refusals for what is not served", async () => {
    await withDatagramStack(async (namespace) => {
      const status = async (...args: string[]) =>
        /status: (\w+)/.exec(await dig(namespace, `@${V4}`, ...args))?.[1];
      expect(await status("+edns=1", "+noednsneg", "db.lan")).toBe("BADVERS");
      expect(await status("version.bind", "CH", "TXT")).toBe("REFUSED");
      expect(await status("+opcode=STATUS", "db.lan")).toBe("NOTIMP");
      expect(await dig(namespace, `@${V4}`, "db.lan", "AXFR")).toContain("Transfer failed");
    });
  });
});
