import { describe, expect } from "bun:test";
import { Namespace } from "../support/namespace.ts";
import { type Program, runtimeCommand } from "../support/program.ts";
import { testRequiring } from "../support/requirements.ts";

const TOOLS = ["tun", "program:ip", "program:ping"] as const;

/** The service on a TAP device, with the kernel at the other end. */
function start(namespace: Namespace, link: string, ...addresses: string[]): Program {
  const given = addresses.flatMap((address) => ["--address", address]);
  return namespace.start(
    ...runtimeCommand("main.ts", "--link", link, ...given, "--listen", "7=echo"),
  );
}

/** Creates a device in advance on which the kernel has the service's addresses. */
async function takeAddresses(namespace: Namespace, ...addresses: string[]): Promise<string> {
  await namespace.shell(`
    set -e
    ip tuntap add berth0 mode tap
    ${addresses.map((address) => `ip addr add ${address} dev berth0 nodad`).join("\n")}
    ip link set berth0 up
  `);
  const shown = await namespace.run(["ip", "-o", "link", "show", "dev", "berth0"]);
  return /link\/ether (\S+)/.exec(shown)![1]!;
}

describe("the service on a TAP device", () => {
  // The kernel answers the probes: no address is left, and one line says why.
  testRequiring(TOOLS, "ends if the kernel has its addresses (RFC 5227, RFC 4862)", async () => {
    await using namespace = await Namespace.open();
    const mac = await takeAddresses(namespace, "10.90.0.2/24", "fd90::2/64");
    const service = start(namespace, "tap:berth0", "10.90.0.2/24", "fd90::2/64");
    const { exit, log } = await service.finish(20_000);
    expect(exit).toBe(1);
    for (const address of ["10.90.0.2", "fd90::2"]) {
      expect(log).toContain(
        `${address} is in use by the station ${mac} on berth0, and is not used here`,
      );
      expect(log).toContain(`${address} (by the station ${mac})`);
    }
    expect(log).toMatch(/berth: --address: .+ choose another address, or add probe=off to --link/);
  }, 40_000);

  // One address is the kernel's; the service continues with the other.
  testRequiring(TOOLS, "continues with the remaining addresses", async () => {
    await using namespace = await Namespace.open();
    await takeAddresses(namespace, "10.90.0.2/24");
    const service = start(namespace, "tap:berth0", "10.90.0.2/24", "10.90.0.3/24", "fd90::2/64");
    await service.printed(/Ctrl\+C/);
    expect(service.out).toContain("berth answers 10.90.0.3 and fd90::2 on berth0");
    for (const host of ["10.90.0.3", "fd90::2"]) {
      await namespace.run(["ping", "-n", "-c", "1", "-W", "5", host]);
    }
    service.signal("SIGTERM");
    const { exit, log } = await service.finish(10_000);
    expect(exit).toBe(0);
    expect(log.match(/is in use by the station/g)).toHaveLength(1);
  }, 40_000);

  // The kernel probes an address of the service: the probe fails, and the service keeps the
  // address.
  testRequiring(TOOLS, "answers the kernel's probe (RFC 4862 5.4)", async () => {
    await using namespace = await Namespace.open();
    const service = start(namespace, "tap:berth0,probe=off", "10.90.0.2/24", "fd90::2/64");
    await service.printed(/Ctrl\+C/);
    await namespace.shell(
      `
      ip addr add fd90::2/64 dev berth0
      until ip addr show dev berth0 | grep -q 'fd90::2/64.*dadfailed'; do sleep 0.05; done
    `,
      20_000,
    );
    await namespace.shell(`
      ip addr del fd90::2/64 dev berth0
      ping -n -c 1 -W 5 fd90::2
    `);
    service.signal("SIGTERM");
    await service.finish(10_000);
  }, 40_000);
});
