import { describe, expect } from "bun:test";
import { DEAD_MS } from "../../core/stack/peers/membership.ts";
import { runtimeCommand } from "../support/program.ts";
import { testRequiring } from "../support/requirements.ts";
import { exchange, type Machine, ManyMachines, reportOf } from "./many_machines.ts";
import { NEEDS } from "./service.ts";

const LIMIT_MS = 180_000;
const CASES = [["local", 0, 2], ["internet", 1, 1]] as const;

/** Sends a request to the admin API of a machine's instance. */
async function ask(machine: Machine, ...command: string[]): Promise<string> {
  const admin = ["--admin", `unix:${machine.admin}`];
  return await machine.namespace.run(runtimeCommand("main.ts", ...command, ...admin), LIMIT_MS / 2);
}

describe("many machines", () => {
  // Plain multipath routing moves most flows at each step. No client is affected, except for those of the machine
  // that dies.
  for (const [profile, timestamps, workers] of CASES) {
    const title =
      `keep the connections of clients, profile ${profile}, timestamps ${timestamps}, workers ${workers}`;
    testRequiring([...NEEDS, "program:curl"], title, async () => {
      await using network = await ManyMachines.open({
        machines: 4,
        profile,
        settings: { workers, allProcessors: true },
      });
      const { machines } = network;
      await network.client.shell(`sysctl -qw net.ipv4.tcp_timestamps=${timestamps}`);
      const three = machines.slice(0, 3);
      await network.start(three);
      for (const machine of three) await network.ready(machine);
      await network.route(three);
      const clients = [
        await network.connect({ connections: 50 }),
        await network.connect({ connections: 50, host: "fd53::1" }),
      ];
      const untouched = async () => {
        for (const program of clients) {
          const { broken, wrong, reasons } = await exchange(program, 5);
          expect({ broken, wrong, reasons }).toEqual({ broken: 0, wrong: 0, reasons: {} });
        }
      };
      await untouched();

      await network.start(machines.slice(3), machines);
      network.reload(three, machines);
      await network.ready(machines[3]!);
      await network.route(machines);
      await untouched();

      // Two processes are one instance until the connections of the first have ended.
      await ask(machines[2]!, "upgrade");
      clients.push(await network.connect({ connections: 20 }));
      await untouched();

      // The instance has no route any more, but keeps its connections; new ones are passed to other instances.
      const [drained, dying] = machines as [Machine, Machine];
      await ask(drained, "drain");
      clients.push(await network.connect({ connections: 30 }));
      await untouched();
      await network.route(machines.slice(1));
      await untouched();
      expect(JSON.parse(await ask(drained, "connections", "--json")).total).toBeGreaterThan(10);

      // Only the instance's own connections are reset.
      const { total } = JSON.parse(await ask(dying, "connections", "--json"));
      await dying.service!.kill();
      await network.route(machines.slice(2));
      const broken = async () =>
        (await Promise.all(clients.map((each) => reportOf(each)))).reduce(
          (sum, one) => sum + one.broken,
          0,
        );
      while (await broken() < total) await exchange(clients[0]!, 1);
      for (const program of clients) await exchange(program, 5);
      expect(await broken()).toBe(total);
    }, LIMIT_MS);
  }

  // The process of an instance is suspended, as on an overloaded machine, and its clients' retransmissions reach
  // other instances. The clients wait, but none is reset.
  for (const timestamps of [0, 1]) {
    const title = `keep the connections of an instance that stalls, timestamps ${timestamps}`;
    testRequiring([...NEEDS, "program:curl"], title, async () => {
      await using network = await ManyMachines.open({ machines: 3, profile: "internet" });
      const { machines, machines: [first, ...others] } = network;
      await network.client.shell(`sysctl -qw net.ipv4.tcp_timestamps=${timestamps}`);
      await network.start(machines);
      for (const machine of machines) await network.ready(machine);
      await network.route(machines);
      const clients = [
        await network.connect({ connections: 50 }),
        await network.connect({ connections: 50, host: "fd53::1" }),
      ];
      for (const program of clients) await exchange(program, 2);
      first!.service!.signal("SIGSTOP");
      await network.route(others);
      for (const program of clients) {
        while ((await reportOf(program, "peek")).worstStallMs < DEAD_MS + 1000) {
          await new Promise((resolve) => setTimeout(resolve, 50));
        }
      }
      first!.service!.signal("SIGCONT");
      for (const program of clients) {
        const { broken, wrong, reasons } = await exchange(program, 5);
        expect({ broken, wrong, reasons }).toEqual({ broken: 0, wrong: 0, reasons: {} });
      }
    }, LIMIT_MS);
  }
});
