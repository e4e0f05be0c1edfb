import { describe, expect } from "bun:test";
import { testRequiring } from "../support/requirements.ts";
import type { UdpClientOptions } from "./programs/udp_client.ts";
import { NEEDS, programCommand, V4, V6, withDatagramStack } from "./service.ts";

function clientCommand(options: UdpClientOptions): string[] {
  return programCommand("udp_client.ts", JSON.stringify(options));
}

describe("a UDP socket of the kernel", () => {
  for (const [host, longest] of [[V4, 65_507], [V6, 65_527]] as const) {
    // Datagrams are empty, small, as large as the MTU, one byte larger, and of the maximum size, in fragments.
    testRequiring(NEEDS, `is answered by ${host}, whatever it sends (RFC 768)`, async () => {
      const sizes = [0, 1, 2, 1432, 1433, 1472, 1473, 9000, longest];
      const counters = await withDatagramStack(async (namespace) => {
        const command = clientCommand({ host, port: 7, sizes, times: 3 });
        expect(await namespace.run(command)).toContain("27 equal");
      });
      expect(counters["datagramsIn"]).toBeGreaterThanOrEqual(27);
      expect(counters["reassembled"]).toBeGreaterThanOrEqual(6);
      expect(counters["drop.udp-checksum"] ?? 0).toBe(0);
    });
  }

  // Many small datagrams of one flow to several destinations.
  testRequiring(NEEDS, "is answered thousands of times, from the destination address", async () => {
    await withDatagramStack(async (namespace) => {
      const runs = [[V4, 7], ["10.90.0.3", 5000], [V6, 5999]].map(([host, port]) => {
        const options = { host: String(host), port: Number(port), sizes: [100], times: 1000 };
        return namespace.run(clientCommand(options));
      });
      for (const out of await Promise.all(runs)) expect(out).toContain("1000 equal");
    });
  });

  // socat uses a connected socket, which accepts answers only from that address.
  testRequiring([...NEEDS, "program:socat"], "of socat is answered", async () => {
    await withDatagramStack(async (namespace) => {
      for (const place of [`UDP4:${V4}:7`, `UDP6:[${V6}]:5500`]) {
        expect(await namespace.shell(`echo ahoy | socat -t 1 - ${place}`)).toBe("ahoy\n");
      }
      expect(await namespace.shell(`echo | socat -t 1 - UDP4:${V4}:13`)).toMatch(/day, .*-UTC/);
    });
  });

  // Closed port: the kernel's socket gets the error.
  testRequiring([...NEEDS, "program:socat"], "is refused on a closed port", async () => {
    await withDatagramStack(async (namespace) => {
      const socat = namespace.start("sh", "-c", `(echo x; sleep 2) | socat - UDP4:${V4}:9`);
      socat.hush();
      const { log } = await socat.finish(10_000);
      expect(log).toContain("Connection refused");
    });
  });
});
