import { describe, expect } from "bun:test";
import { Namespace } from "../support/namespace.ts";
import { type Program, runtimeCommand } from "../support/program.ts";
import { testRequiring } from "../support/requirements.ts";

const V4 = "10.90.0.2";
const V6 = "fd90::2";
const SIZE = 5_000_000;
const TOOLS = ["program:ip", "program:nsenter", "program:ping", "program:curl"] as const;

/** Starts the service on a link; resolves when it answers. */
async function startOn(namespace: Namespace, link: string, ...flags: string[]): Promise<Program> {
  const addresses = ["--address", `${V4}/24`, "--address", `${V6}/64`];
  const listen = ["--listen", "80=http:./tests/e2e/programs/app.ts", "--log-level", "warn"];
  const command = runtimeCommand("main.ts", "--link", link, ...addresses, ...listen, ...flags);
  const service = namespace.start(...command);
  await service.printed(/Ctrl\+C/);
  return service;
}

/** The kernel pings both addresses and fetches some megabytes from each. */
async function isUsed(namespace: Namespace, largestPing: number): Promise<void> {
  for (const host of [V4, V6]) {
    const size = String(largestPing - (host === V4 ? 28 : 48));
    const ping = ["ping", "-n", "-M", "do", "-c", "3", "-i", "0.05", "-W", "5", "-s", size, host];
    expect(await namespace.run(ping)).toContain("3 packets transmitted, 3 received, 0%");
    const url = `http://${host === V4 ? V4 : `[${V6}]`}/bytes/${SIZE}`;
    const curl = ["curl", "-sS", "--max-time", "20", "-o", "/dev/null", "-w", "%{size_download}"];
    expect(await namespace.run([...curl, url])).toBe(String(SIZE));
  }
}

async function endsWell(service: Program): Promise<void> {
  service.signal("SIGTERM");
  const { exit, log } = await service.finish(10_000);
  if (exit !== 0 || log !== "") throw new Error(`the service ended with ${exit}: ${log}`);
}

describe("the service on a TAP device", () => {
  // The kernel finds it by ARP and by neighbor discovery.
  testRequiring(["tun", ...TOOLS], "answers the kernel", async () => {
    await using namespace = await Namespace.open();
    const service = await startOn(namespace, "tap:berth0,mac=02:00:00:00:00:42");
    await isUsed(namespace, 1500);
    const neighbors = await namespace.run(["ip", "neigh", "show", "dev", "berth0"]);
    expect(neighbors.match(/lladdr 02:00:00:00:00:42/g)).toHaveLength(2);
    await endsWell(service);
  }, 30_000);
});
