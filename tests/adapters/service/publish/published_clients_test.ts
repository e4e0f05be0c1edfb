import { afterEach, describe, expect, test } from "bun:test";
import { dialHostDatagrams } from "../../../../adapters/host/datagrams.ts";
import { dialHost } from "../../../../adapters/host/dial.ts";
import { openNetwork } from "../../../../adapters/service/links/network.ts";
import { publish } from "../../../../adapters/service/publish/publish.ts";
import { publishDatagrams } from "../../../../adapters/service/publish/publish_datagrams.ts";
import type { Settings } from "../../../../adapters/service/settings/settings.ts";
import { silentLogger } from "../../../../core/api/environment.ts";
import { echo } from "../../../../plugins/echo.ts";
import { allow } from "../../../../plugins/middleware/access.ts";
import { limit } from "../../../../plugins/middleware/limit.ts";
import { bytes } from "../../../support/conversation.ts";

const SETTINGS = {
  addresses: ["10.7.0.2/24", "fd00:7::2/64"],
  hostAddresses: ["10.7.0.1/24", "fd00:7::1/64"],
  exceptAddresses: [],
  publish: [],
  mtu: 1500,
  profile: "local",
  keepAliveMs: 0,
  listen: ["7", "udp/7"].map((where) => ({ where })),
} as unknown as Settings;

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** A service on the memory link, and a port of the host that leads to it. */
async function published(transport: "tcp" | "udp", hostname: string, to: string) {
  const network = await openNetwork(SETTINGS, silentLogger);
  cleanups.push(() => Promise.all([network.stack.close(), network.close()]));
  const setting = { hostname, port: 0, to: { hostname: to, port: 7 } };
  const publication = transport === "tcp"
    ? await publish(setting, network.connect, silentLogger)
    : await publishDatagrams(setting, network.dialDatagrams, silentLogger);
  cleanups.push(async () => {
    publication.stopListening();
    await publication.finish(0);
  });
  return { stack: network.stack, address: publication.address };
}

/** Sends a byte over TCP; returns the number of bytes echoed, or `null` after a reset. */
async function askOverTcp(address: { hostname: string; port: number }): Promise<number | null> {
  try {
    const client = await dialHost(address);
    cleanups.push(() => client.abort());
    await client.write(bytes("a"));
    return await client.read(new Uint8Array(1));
  } catch (error) {
    // The reset may arrive before the runtime has reported that the client is connected.
    expect((error as { code?: string }).code).toBe("CONNECTION_RESET");
    return null;
  }
}

/** The published address, its target, and the address of its clients in the stack. */
const PORTS: [hostname: string, to: string, seen: string][] = [
  ["127.0.0.1", "10.7.0.2", "127.0.0.1"],
  ["127.0.0.1", "fd00:7::2", "127.0.0.1"],
  ["::1", "fd00:7::2", "::1"],
  ["::1", "10.7.0.2", "::1"],
];

describe("a client on the host of a published port", () => {
  // Middleware sees the client's address before the SYN is answered.
  test.each(PORTS)(
    "%s over TCP to %s is accepted as %s, and counted as it",
    async (hostname, to, seen) => {
      const { stack, address } = await published("tcp", hostname, to);
      stack.use(7, allow({ from: [seen] }), limit({ perAddress: 1 }), echo());
      expect(await askOverTcp(address)).toBe(1);
      expect(await askOverTcp(address)).toBe(null);
    },
  );

  // It is not accepted as the host's address on the link.
  test.each(PORTS)("%s over TCP to %s is not the link's other side", async (hostname, to) => {
    const { stack, address } = await published("tcp", hostname, to);
    stack.use(7, allow({ from: ["10.0.0.0/8", "fd00::/8"] }), echo());
    expect(await askOverTcp(address)).toBe(null);
  });

  // The same for the first datagram.
  test.each(PORTS)("%s over UDP to %s is accepted as %s", async (hostname, to, seen) => {
    const { stack, address } = await published("udp", hostname, to);
    stack.use("udp/7", allow({ from: [seen] }), echo());
    const channel = await dialHostDatagrams(address);
    cleanups.push(() => channel.close());
    await channel.send(bytes("a"));
    expect(await channel.receive()).toEqual(bytes("a"));
  });
});
