import { describe, expect } from "bun:test";
import { seededRandom } from "../../adapters/runtime/seeded_random.ts";
import { Namespace } from "../support/namespace.ts";
import type { Program } from "../support/program.ts";
import { testRequiring } from "../support/requirements.ts";
import { memoryOf } from "../support/resident_memory.ts";
import { NEEDS, startService, TWO_WORKERS, withService } from "./service.ts";

/** Every port of a /16 and a /64, with two more specific listen addresses. */
const EVERYWHERE = [
  ...["--address", "10.91.0.0/16", "--address", "fd91::/64"],
  ...["--listen", "*=./tests/e2e/programs/say_where.ts"],
  ...["--listen", "10.91.99.0/24:2000-2009=./tests/e2e/programs/gate.ts"],
];
const needs = [...NEEDS, "program:nmap"] as const;
const LIMIT_MS = 120_000;

/** Runs nmap; returns `port/state` of each port. */
async function scan(namespace: Namespace, ...what: string[]): Promise<string[]> {
  const command = ["nmap", "-n", "-Pn", "-T4", "--max-retries", "6", "-oG", "-", ...what];
  const out = await namespace.run(command, LIMIT_MS);
  return [...out.matchAll(/(\d+)\/([a-z|]+)\//g)].map(([, port, state]) => `${port}/${state}`);
}

/** All ports, in the form of {@link scan}. */
const ALL_OPEN = Array.from({ length: 65_535 }, (_, i) => `${i + 1}/open`);

/** A counter of a service. */
async function counted(service: Program, counter: string): Promise<number> {
  const before = service.log.split("\n").length;
  service.signal("SIGUSR2");
  const line = new RegExp(`(?:.*\\n){${before - 1}}.* stats .*\\b${counter}=(\\d+)`);
  const [, count] = await service.printed(line, "log");
  return Number(count);
}

/** Text received from an address and port. */
function hear(namespace: Namespace, address: string, port: number): Promise<string> {
  return namespace.run(["nc", "-d", "-w", "10", address, String(port)]);
}

const random = seededRandom(91);
const below = (limit: number) => random.uint32() % limit;
const anyV4 = () => `10.91.${below(256)}.${2 + below(253)}`;
const group = () => (1 + below(0xffff)).toString(16);
const anyV6 = () => `fd91::${group()}:${group()}`;
const anyPort = () => 100 + below(65_436);

describe("a service at every port of a network", () => {
  // Every port is open without its own listener, and a scan leaves no state: after a first scan has filled pools and
  // heaps, a second one takes less memory than a connection for each port would.
  testRequiring(needs, "shows nmap 65,535 open ports", async () => {
    await using namespace = await Namespace.open();
    const service = await startService(namespace, ...EVERYWHERE, "--log-level", "info");
    const first = await scan(namespace, "-sS", "-p-", anyV4());
    expect(first.length).toBe(65_535);
    expect(first.every((port, i) => port === ALL_OPEN[i])).toBe(true);
    const before = memoryOf(service);
    expect(await scan(namespace, "-sS", "-p-", anyV4())).toEqual(first);
    expect(memoryOf(service) - before).toBeLessThan(65_535 * 2048);
    expect(await counted(service, "connections")).toBe(0);
    expect(await counted(service, "connectionsOpened")).toBeGreaterThanOrEqual(2 * 65_535);
    service.signal("SIGTERM");
    expect((await service.finish(15_000)).exit).toBe(0);
  }, LIMIT_MS);

  // Complete connections over both families, also with two shards.
  testRequiring(needs, "accepts complete connections on every port", async () => {
    for (const more of [[], TWO_WORKERS]) {
      await withService(
        async (namespace) => {
          expect(await scan(namespace, "-sT", "-p1-2000", anyV4())).toEqual(
            ALL_OPEN.slice(0, 2000),
          );
          expect(await scan(namespace, "-6", "-sT", "-p1-200", anyV6()))
            .toEqual(ALL_OPEN.slice(0, 200));
        },
        ...EVERYWHERE,
        ...more,
      );
    }
  }, LIMIT_MS);

  // RST is "closed", no answer is "filtered"; a closed UDP port sends an ICMP error.
  testRequiring(
    needs,
    "shows nmap refused and ignored ports",
    () =>
      withService(async (namespace) => {
        const gated = Array.from(
          { length: 10 },
          (_, i) => `${2000 + i}/${i % 2 === 0 ? "closed" : "filtered"}`,
        );
        for (const how of ["-sS", "-sT"]) {
          expect(await scan(namespace, how, "-p2000-2009", "--max-retries", "1", "10.91.99.1"))
            .toEqual(gated);
        }
        expect(await scan(namespace, "-sS", "-p2000-2009", "10.91.98.1"))
          .toEqual(ALL_OPEN.slice(1999, 2009));
        expect(await scan(namespace, "-sU", "-p5-6", anyV4())).toEqual(["5/closed", "6/closed"]);
      }, ...EVERYWHERE),
    LIMIT_MS,
  );

  // The handler sees the destination address; ICMP and HTTP answer from it too.
  testRequiring(
    [...NEEDS, "program:nc", "program:curl", "program:ping"],
    "answers at any address",
    () =>
      withService(async (namespace) => {
        const web = (
          host: string,
          number: number,
        ) => ["curl", "--silent", "--fail", "--max-time", "20", `http://${host}/number/${number}`];
        for (let i = 0; i < 6; i++) {
          for (const address of [anyV4(), anyV6()]) {
            const port = anyPort();
            expect(await hear(namespace, address, port)).toBe(`${address} ${port}\n`);
            await namespace.run(["ping", "-c", "1", "-W", "10", address]);
            const host = address.includes(":") ? `[${address}]` : address;
            expect(await namespace.run(web(host, i))).toBe(`${i}\n`);
          }
        }
      }, ...EVERYWHERE),
    LIMIT_MS,
  );

  // The stack has all addresses that are routed to the device. The client's own address has to be excluded, so that
  // it receives the answer.
  testRequiring(
    [...NEEDS, "program:nc"],
    "answers at every address routed to it",
    () =>
      withService(
        async (namespace) => {
          await namespace.shell(
            "ip route add 203.0.113.0/24 dev berth0 && ip address add 198.51.100.7/32 dev lo",
          );
          for (const source of ["10.92.0.1", "198.51.100.7"]) {
            const command = ["nc", "-d", "-w", "10", "-s", source, "203.0.113.5", "4000"];
            expect(await namespace.run(command)).toBe("203.0.113.5 4000\n");
          }
        },
        ...["--address", "0.0.0.0/0", "--host-address", "10.92.0.1/24"],
        ...["--except-address", "198.51.100.0/24", ...EVERYWHERE.slice(4)],
      ),
    LIMIT_MS,
  );
});
