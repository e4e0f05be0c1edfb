import { describe } from "bun:test";
import { runtimeCommand } from "../support/program.ts";
import { testRequiring } from "../support/requirements.ts";
import { TemporaryFolder } from "../support/temporary_folder.ts";
import { until } from "../support/until.ts";
import { ManyMachines, PEERS_PORT, SECRET, SERVICE } from "./many_machines.ts";
import { NEEDS } from "./service.ts";

const LIMIT_MS = 120_000;

describe("two machines with the same number", () => {
  // The third machine has the configuration of the second one, with its own address for messages.
  testRequiring([...NEEDS, "program:curl"], "are noticed by the others", async () => {
    await using network = await ManyMachines.open({ machines: 3, profile: "internet" });
    using folder = new TemporaryFolder();
    const [first, second, third] = network.machines;
    const members = [first!, second!];
    await network.start(members);
    for (const machine of members) await network.ready(machine);
    folder.write("secret", SECRET);
    const config = folder.write(
      "berth.json",
      JSON.stringify({
        tun: "berth0",
        addresses: [`${SERVICE}/32`],
        hostAddresses: ["10.99.0.1/32"],
        listen: { "7": "echo" },
        peers: {
          self: second!.number,
          secretFile: "secret",
          listen: `${third!.address}:${PEERS_PORT}`,
          members: Object.fromEntries(
            members.map(({ number, address }) => [number, `${address}:${PEERS_PORT}`]),
          ),
        },
      }),
    );
    third!.namespace.start(...runtimeCommand("main.ts", "--config", config));
    const line =
      'error two machines use the number of one instance number=1 hint="give each machine';
    await until(() => first!.service!.log.includes(line));
  }, LIMIT_MS);
});
