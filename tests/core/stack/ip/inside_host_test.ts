import { describe, expect, test } from "bun:test";
import { impair } from "../../../../adapters/links/decorators/impair.ts";
import { linkPair } from "../../../../adapters/links/memory.ts";
import { systemClock } from "../../../../core/api/environment.ts";
import { createStack } from "../../../../core/api/stack.ts";
import { OwnAddresses } from "../../../../core/stack/ip/own_addresses.ts";
import { IpAddress, Subnet } from "../../../../core/wire/address.ts";
import { bytes } from "../../../support/conversation.ts";

const PAIRS: [client: string, server: string][] = [
  ["127.0.0.1", "10.0.0.1"],
  ["127.200.0.9", "10.0.0.1"],
  ["::1", "fd00::1"],
];

describe("a link inside a host", () => {
  // The link does not leave the host, so no other host can use loopback addresses on it.
  test.each(PAIRS)(
    "carries packets between %s and %s (RFC 1122 3.2.1.3)",
    async (hostname, server) => {
      const [here, there] = linkPair({ insideHost: true });
      await using one = createStack({ link: here, addresses: ["10.0.0.1/24", "fd00::1/64"] });
      await using other = createStack({ link: there, addresses: ["127.0.0.0/8", "::1"] });
      const listener = one.listen({ port: 7 });
      await using client = other.connect(
        { hostname: server, port: 7 },
        { localHostname: hostname },
      );
      await using accepted = await listener.accept();
      await client.write(bytes("ahoy"));
      expect(await accepted.read(new Uint8Array(9))).toBe(4);
      expect(accepted.remoteAddr.hostname).toBe(hostname);
      using inbox = one.listenDatagram({ port: 7 });
      using socket = other.listenDatagram({ hostname, port: 0 });
      await socket.send(bytes("a"), { transport: "udp", hostname: server, port: 7 });
      const [, from] = await inbox.receive();
      await inbox.send(bytes("b"), from);
      expect((await socket.receive())[0]).toEqual(bytes("b"));
    },
  );

  // An impaired link is still inside the host.
  test("keeps insideHost when impaired", () => {
    const [here, there] = linkPair({ insideHost: true });
    const impaired = impair(here, { seed: 1, clock: systemClock });
    expect(impaired.features.insideHost).toBe(true);
    expect(impair(linkPair()[0], { seed: 1, clock: systemClock }).features.insideHost ?? false)
      .toBe(false);
    return Promise.all([impaired.close(), there.close()]);
  });
});

describe("any other link", () => {
  // Refused at once, since the other end would drop packets from these addresses.
  test.each(["127.0.0.1", "127.0.0.0/8", "::1"])("refuses the own address %s", async (address) => {
    const [link] = linkPair();
    const make = () => createStack({ link, addresses: [address] });
    expect(make).toThrow("createStack: addresses: ");
    expect(make).toThrow("is a loopback address");
    await using stack = createStack({ link, addresses: ["10.0.0.1/24"] });
    expect(() => stack.addAddress(address)).toThrow("addAddress: ");
  });
});

describe("OwnAddresses inside a host", () => {
  const own = (...texts: string[]) =>
    new OwnAddresses(texts.map((it) => Subnet.parse(it)!), [], true);
  const address = (text: string) => IpAddress.parse(text)!;

  // Loopback is own only if configured; an own network of all addresses does not include it.
  test("includes loopback only if it is configured", () => {
    expect(own("0.0.0.0/0", "::/0").has(address("127.0.0.1"))).toBe(false);
    expect(own("0.0.0.0/0", "::/0").has(address("::1"))).toBe(false);
    expect(own("0.0.0.0/0", "127.0.0.0/8").has(address("127.0.0.1"))).toBe(true);
    expect(own("::/0", "::1").has(address("::1"))).toBe(true);
    expect(own("127.0.0.0/8").has(address("127.255.255.255"))).toBe(false);
  });

  // For peers as well; addresses that cannot be a host's are still refused.
  test("accepts only loopback as an additional host address", () => {
    const addresses = own("10.0.0.1/24");
    for (const text of ["127.0.0.1", "::1"]) expect(addresses.isUnicast(address(text))).toBe(true);
    for (const text of ["0.0.0.0", "::", "224.0.0.1", "255.255.255.255"]) {
      expect(addresses.isUnicast(address(text))).toBe(false);
    }
  });
});
