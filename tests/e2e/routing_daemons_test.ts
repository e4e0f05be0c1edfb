import { join } from "node:path";
import { describe, expect } from "bun:test";
import type { Program } from "../support/program.ts";
import { type Requirement, testRequiring } from "../support/requirements.ts";
import { ROOT } from "../support/source_files.ts";
import { TemporaryFolder } from "../support/temporary_folder.ts";
import { exchange, ManyMachines, SERVICE } from "./many_machines.ts";
import { type Daemon, startDaemon, startRouter, untilRouted } from "./routing_daemons.ts";
import { NEEDS } from "./service.ts";

const LIMIT_MS = 120_000;
const DAEMONS: readonly (readonly [Daemon, Requirement])[] = [
  ["bird", "program:bird"],
  ["frr", "program:vtysh"],
  ["exabgp", "program:exabgp"],
];

/** Expects that every connection has received answers, and that none is broken. */
async function untouched(clients: Program): Promise<void> {
  const { broken, wrong, reasons } = await exchange(clients, 3);
  expect({ broken, wrong, reasons }).toEqual({ broken: 0, wrong: 0, reasons: {} });
}

describe("examples/many", () => {
  for (const [daemon, program] of DAEMONS) {
    // A machine has a route while its instance is ready. The route is withdrawn before the instance refuses
    // connections, and when the instance has died.
    const needs: readonly Requirement[] = [...NEEDS, "program:curl", "program:bird", program];
    testRequiring(needs, `routes to ready instances with ${daemon}`, async () => {
      const settings = { lameDuckMs: 10_000, graceMs: 10_000 };
      await using network = await ManyMachines.open({ machines: 2, profile: "internet", settings });
      using folder = new TemporaryFolder();
      const [first, second] = network.machines;
      startRouter(network, folder);
      await network.start(network.machines);
      for (const machine of network.machines) await startDaemon(daemon, machine, folder);
      await untilRouted(network, [0, 1]);
      const clients = await network.connect({ connections: 20 });
      await untouched(clients);

      first!.service!.signal("SIGTERM");
      await untilRouted(network, [1]);
      const check = `curl -s -w '%{http_code}' http://${SERVICE}:8081/`;
      const answer = await first!.namespace.shell(check);
      expect(answer).toBe('{"ready":false,"reason":"lame duck"}503');
      await untouched(clients);

      await second!.service!.kill();
      await untilRouted(network, []);
    }, LIMIT_MS);
  }

  // One machine is cut off, which BFD notices long before BGP's hold time of four minutes has passed. On the other
  // one the process hangs: its device exists, but nothing answers.
  testRequiring(
    [...NEEDS, "program:curl", "program:bird"],
    "lose a machine that is cut off, and an instance that hangs",
    async () => {
      await using network = await ManyMachines.open({ machines: 2, profile: "internet" });
      using folder = new TemporaryFolder();
      const [first, second] = network.machines;
      startRouter(network, folder);
      await network.start(network.machines);
      for (const machine of network.machines) await startDaemon("bird", machine, folder);
      await untilRouted(network, [0, 1]);
      const sessions = `birdc -s ${folder.file("router.ctl")} show bfd sessions | grep -c Up`;
      await network.router.shell(`until [ "$(${sessions})" = 2 ]; do sleep 0.1; done`);
      await first!.namespace.shell("ip link set eth0 down");
      await untilRouted(network, [1]);
      second!.service!.signal("SIGSTOP");
      await untilRouted(network, []);
    },
    LIMIT_MS,
  );

  // Tries one script after the other, and runs it again when a machine has joined and when one has left.
  testRequiring([...NEEDS, "program:nft"], "route with the kernel alone", async () => {
    await using network = await ManyMachines.open({ machines: 3, profile: "internet" });
    const { machines } = network;
    await network.start(machines);
    await network.route(machines);
    const clients = await network.connect({ connections: 20 });
    const others = await network.connect({ connections: 20, host: "fd53::1" });
    for (const script of ["kernel-multipath.sh", "kernel-resilient.sh", "nftables-director.sh"]) {
      for (const numbers of [["10", "11"], ["10", "11", "12"], ["11", "12"]]) {
        await network.router.run([join(ROOT, "examples/many", script), ...numbers]);
        await untouched(clients);
        await untouched(others);
      }
    }
  }, LIMIT_MS);
});
