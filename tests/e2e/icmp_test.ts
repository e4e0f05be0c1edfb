import { describe, expect } from "bun:test";
import { testRequiring } from "../support/requirements.ts";
import { NEEDS, V4, V6, withConfiguredService, withService } from "./service.ts";

describe("ping", () => {
  for (const address of [V4, V6]) {
    // The largest request that fits in a packet, several times.
    testRequiring(
      [...NEEDS, "program:ping"],
      `is answered by ${address} (RFC 792, RFC 4443 4.2)`,
      () =>
        withService(async (namespace) => {
          const ping = ["ping", "-n", "-c", "5", "-i", "0.05", "-W", "10", "-s", "1400", address];
          expect(await namespace.run(ping)).toContain("5 packets transmitted, 5 received, 0%");
        }),
    );
  }
});

describe("ping under a policy", () => {
  // One address does not answer, one is rate-limited, one has the default.
  testRequiring(
    [...NEEDS, "program:ping"],
    "is answered as configured",
    () => {
      const icmp = [{ to: "10.90.0.0/30", echo: "ignore" }, { to: V6, ratePerSecond: 1 }];
      return withConfiguredService({ icmp, addresses: ["10.90.0.77/24"] }, async (namespace) => {
        const ping = (address: string, seconds: number) =>
          namespace.shell(`ping -n -c 5 -i 0.02 -W ${seconds} ${address} || true`);
        expect(await ping(V4, 1)).toContain("5 packets transmitted, 0 received");
        expect(await ping("10.90.0.77", 10)).toContain("5 packets transmitted, 5 received");
        expect(await ping(V6, 2)).toMatch(/5 packets transmitted, [1-4] received/);
      });
    },
  );
});

describe("a UDP socket of the kernel", () => {
  for (const address of [V4, V6]) {
    // A closed port is answered with an error, which the kernel reports to the connected socket.
    testRequiring(
      [...NEEDS, "program:bash"],
      `is refused by ${address} (RFC 1122 4.1.3.1)`,
      () =>
        withService(async (namespace) => {
          const socket = `exec 3<>/dev/udp/${address}/9; echo ahoy >&3; read -t 10 -u 3`;
          const client = namespace.start("bash", "-c", socket);
          const { exit, log } = await client.finish(20_000);
          expect(log).toContain("Connection refused");
          expect(exit).toBe(1);
        }),
    );
  }
});
