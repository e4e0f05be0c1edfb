import { describe, expect } from "bun:test";
import { testRequiring } from "../support/requirements.ts";
import { NEEDS, programCommand, V4, withConfiguredService } from "./service.ts";

const listen = {
  "1080": { plugin: "socks5", options: { allow: ["127.0.0.1"] } },
  "1081": { plugin: "socks5", options: { via: "stack" } },
  "udp/7": "echo",
};

describe("socks5 UDP ASSOCIATE", () => {
  // An allowed and a denied UDP server on the host's loopback, and a port of the stack.
  testRequiring(
    NEEDS,
    "carries datagrams of a client of the kernel",
    () =>
      withConfiguredService({ listen }, async (namespace) => {
        await namespace.shell("ip link set lo up");
        const host = namespace.start(...programCommand("host_server.ts"));
        await host.printed(/ready/);
        const ask = (port: number, target: string, targetPort: number) =>
          namespace.run(
            programCommand("socks5_udp_client.ts", V4, String(port), target, String(targetPort)),
          );
        expect(await ask(1080, "127.0.0.1", 3000)).toBe("ahoy from 127.0.0.1:3000\n");
        expect(await ask(1080, "127.0.0.2", 3000)).toBe("nothing\n");
        expect(await ask(1081, V4, 7)).toBe(`ahoy from ${V4}:7\n`);
      }),
    60_000,
  );
});
