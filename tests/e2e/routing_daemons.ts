/**
 * The routing daemons of `examples/many`, on the machines and the router of {@link ManyMachines}.
 *
 * @module
 */
import { chmodSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Program } from "../support/program.ts";
import { ROOT } from "../support/source_files.ts";
import type { TemporaryFolder } from "../support/temporary_folder.ts";
import type { Machine, ManyMachines } from "./many_machines.ts";

const EXAMPLES = join(ROOT, "examples/many");
const CHECK = "http://10.53.0.1:8081/";

/** A daemon on the machines. */
export type Daemon = "bird" | "frr" | "exabgp";

/** Adapts a file of the examples to another machine, and writes it to that machine's folder. */
function writeFor(folder: TemporaryFolder, { number }: Machine, name: string): string {
  const text = readFileSync(join(EXAMPLES, name), "utf8")
    .replaceAll("10.2.0.10", `10.2.0.${10 + number}`)
    .replaceAll("fd02::10", `fd02::${10 + number}`)
    .replaceAll("/etc/exabgp/exabgp-service", folder.file(`${number}-exabgp-service`))
    .replaceAll('"$(dirname "$0")/announce"', join(EXAMPLES, "announce"));
  const path = folder.write(`${number}-${name}`, text);
  chmodSync(path, 0o755);
  return path;
}

/** Starts bird on the router. */
export function startRouter(network: ManyMachines, folder: TemporaryFolder): Program {
  const socket = folder.file("router.ctl");
  return network.router.start("bird", "-f", "-c", join(EXAMPLES, "bird-router.conf"), "-s", socket);
}

/** Starts a daemon and the health check on a machine. */
export async function startDaemon(
  daemon: Daemon,
  machine: Machine,
  folder: TemporaryFolder,
): Promise<void> {
  const { namespace, number } = machine;
  await namespace.run([join(EXAMPLES, "deliver.sh")]);
  const conf = writeFor(folder, machine, `${daemon}-machine.conf`);
  const announce = (up: string, down: string) =>
    void namespace.start(join(EXAMPLES, "announce"), CHECK, up, down);
  if (daemon === "bird") {
    const socket = folder.file(`${number}.ctl`);
    namespace.start("bird", "-f", "-c", conf, "-s", socket);
    const birdc = (does: string) =>
      ["service4", "service6"].map((name) => `birdc -s ${socket} ${does} ${name}`).join("; ");
    announce(birdc("enable"), birdc("disable"));
  } else if (daemon === "exabgp") {
    writeFor(folder, machine, "exabgp-service");
    const env = ["exabgp.daemon.drop=false", "exabgp.api.ack=false", "exabgp.daemon.user=root"];
    namespace.start("env", ...env, "exabgp", conf);
  } else {
    await namespace.shell(
      "mount -t tmpfs tmpfs /run && mkdir -p /run/frr && chown frr:frr /run/frr",
    );
    for (const name of ["zebra", "bgpd"]) {
      namespace.start(`/usr/lib/frr/${name}`, "-f", "/dev/null", "-A", "127.0.0.1");
      await namespace.shell(`until [ -e /run/frr/${name}.vty ]; do sleep 0.05; done`);
    }
    await namespace.shell(`vtysh -f ${conf}`);
    const [up, down] = ["frr-up.conf", "frr-down.conf"].map((name) =>
      writeFor(folder, machine, name)
    );
    announce(`vtysh -f ${up}`, `vtysh -f ${down}`);
  }
}

/** Waits until the router sends to these machines, of both families, and no others. */
export async function untilRouted(
  network: ManyMachines,
  numbers: readonly number[],
): Promise<void> {
  const list = "ip route show 10.53.0.1; ip -6 route show fd53::1";
  for (;;) {
    const text = await network.router.shell(list);
    const found = [...text.matchAll(/via (?:10\.2\.0\.|fd02::)(\d+)/g)].map(([, it]) => it);
    const wanted = numbers.flatMap((number) => [`${10 + number}`, `${10 + number}`]);
    if (found.sort().join() === wanted.sort().join()) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
