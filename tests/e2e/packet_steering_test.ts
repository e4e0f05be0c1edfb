import { availableParallelism } from "node:os";
import { describe, expect } from "bun:test";
import { Namespace } from "../support/namespace.ts";
import type { Program } from "../support/program.ts";
import { testRequiring } from "../support/requirements.ts";
import { NEEDS, runEchoClients, startService } from "./service.ts";

const MASK = "/sys/class/net/berth0/queues/rx-0/rps_cpus";
const LOAD = { connections: 64, atOnce: 16, least: 16 * 1024 ** 2, most: 16 * 1024 ** 2 };

/** The masks that the device has while 1 GiB is echoed on 16 connections; every byte is compared. */
async function masksUnderLoad(namespace: Namespace): Promise<Set<string>> {
  const masks = new Set<string>();
  let isOver = false;
  const load = runEchoClients(namespace, LOAD, 55_000).finally(() => isOver = true);
  while (!isOver) masks.add(await namespace.shell(`cat ${MASK}`));
  expect(await load).toBe("64 equal\n");
  return masks;
}

/** Ends the service as a crash does. */
async function crash(service: Program): Promise<void> {
  service.signal("SIGKILL");
  await service.finish(10_000);
}

describe("Receive Packet Steering", () => {
  // Under load, other processors take over work. The log announces RPS at the start; the device and its setting
  // disappear with the process, however it ends.
  testRequiring(
    [...NEEDS, "root"],
    "moves the kernel's work for a busy service to other processors",
    async () => {
      await using namespace = await Namespace.open();
      const service = await startService(namespace, "--log-level", "info");
      const masks = await masksUnderLoad(namespace);
      const { log } = service;
      await crash(service);
      expect(masks.size > 1).toBe(availableParallelism() > 1);
      expect(log.includes(MASK)).toBe(availableParallelism() > 1);
      expect(await namespace.shell("ip -brief link")).not.toContain("berth0");
    },
    60_000,
  );

  // A persistent device would keep the setting of a service that was killed.
  testRequiring(
    [...NEEDS, "root"],
    "does not change a device that outlives the service",
    async () => {
      await using namespace = await Namespace.open();
      await namespace.shell("ip tuntap add berth0 mode tun");
      const before = await namespace.shell(`cat ${MASK}`);
      const service = await startService(namespace, "--log-level", "info");
      expect([...await masksUnderLoad(namespace)]).toEqual([before]);
      expect(service.log).not.toContain(MASK);
      await crash(service);
      expect(await namespace.shell(`cat ${MASK}`)).toBe(before);
    },
    60_000,
  );
});
