import { describe, expect } from "bun:test";
import { type Program, runtimeCommand } from "../support/program.ts";
import { testRequiring } from "../support/requirements.ts";
import { exchange, type Machine, ManyMachines } from "./many_machines.ts";
import { NEEDS } from "./service.ts";

const LIMIT_MS = 180_000;
const COUNT = 40;
const PORT = 26_047;
/** Each machine has its own namespace, so they can have the same port. */
const SETTINGS = { moves: { secretFile: "secret", listen: `0.0.0.0:${PORT}` } };

async function ask(machine: Machine, ...command: string[]): Promise<Record<string, unknown>> {
  const flags = ["--admin", `unix:${machine.admin}`, "--json"];
  return JSON.parse(await machine.namespace.run(runtimeCommand("main.ts", ...command, ...flags)));
}

const to = ({ address }: Machine) => ["--to", `${address}:${PORT}`];

async function untouched(clients: readonly Program[]): Promise<void> {
  for (const program of clients) {
    const { broken, wrong, reasons } = await exchange(program, 5);
    expect({ broken, wrong, reasons }).toEqual({ broken: 0, wrong: 0, reasons: {} });
  }
}

describe("connections that move between peers", () => {
  // The router always spreads the flows over all machines. One machine hands over its connections and ends; another
  // moves half of its connections; then the router sends all packets to a machine that had none of these connections.
  for (const timestamps of [1, 0]) {
    testRequiring(
      [...NEEDS, "program:curl"],
      `keep working wherever their segments arrive, timestamps ${timestamps}`,
      async () => {
        await using network = await ManyMachines.open({
          machines: 3,
          profile: "internet",
          settings: SETTINGS,
        });
        const { machines } = network;
        const [first, second, third] = machines as [Machine, Machine, Machine];
        await network.client.shell(`sysctl -qw net.ipv4.tcp_timestamps=${timestamps}`);
        await network.start(machines);
        for (const machine of machines) await network.ready(machine);
        await network.route(machines);
        const clients = [
          await network.connect({ connections: COUNT }),
          await network.connect({ connections: COUNT, host: "fd53::1" }),
        ];
        await untouched(clients);

        const had = Number((await ask(first, "connections")).total);
        const drained = await ask(first, "drain", ...to(second));
        expect(drained).toMatchObject({ connections: 0, moved: had, stayed: 0, lost: 0 });
        await untouched(clients);
        await network.route([second, third]);
        await untouched(clients);
        first.service!.signal("SIGTERM");
        await first.service!.ended;
        // Longer than the time after which a member counts as dead.
        await exchange(clients[0]!, 40);
        await untouched(clients);

        const before = Number((await ask(second, "connections")).total);
        const half = Math.ceil(before / 2);
        const moved = await ask(second, "rebalance", ...to(third), "--share", "0.5");
        expect(moved).toMatchObject({ connections: before - half, moved: half, lost: 0 });
        await untouched(clients);
        expect(Number((await ask(second, "connections")).total)).toBe(before - half);
        // It still serves: new connections are accepted.
        clients.push(await network.connect({ connections: 5 }));
        for (const machine of [second, third]) {
          await network.route([machine]);
          await untouched(clients);
        }
      },
      LIMIT_MS,
    );
  }
});
