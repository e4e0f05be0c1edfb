import { availableParallelism } from "node:os";
import { describe, expect } from "bun:test";
import { Namespace } from "../support/namespace.ts";
import { testRequiring } from "../support/requirements.ts";
import { NEEDS, runEchoClients, startService } from "./service.ts";

const MASK = "/sys/class/net/berth0/queues/rx-0/rps_cpus";
const LOAD = { connections: 64, atOnce: 16, least: 16 * 1024 ** 2, most: 16 * 1024 ** 2 };

describe("a persistent device", () => {
  // 1 GiB is echoed on 16 connections: packets pile up, RPS moves work to other processors, and its
  // setting is restored when the service ends. Every byte is compared.
  testRequiring(
    [...NEEDS, "root"],
    "has the kernel's work for a busy service done by other processors",
    async () => {
      await using namespace = await Namespace.open();
      await namespace.shell("ip tuntap add berth0 mode tun");
      const mask = () => namespace.shell(`cat ${MASK}`);
      const before = await mask();
      const service = await startService(namespace);
      const masks = new Set<string>();
      let isOver = false;
      const load = runEchoClients(namespace, LOAD, 55_000).finally(() => isOver = true);
      while (!isOver) masks.add(await mask());
      expect(await load).toBe("64 equal\n");
      service.signal("SIGTERM");
      await service.finish(10_000);
      expect(masks.size > 1).toBe(availableParallelism() > 1);
      expect(await mask()).toBe(before);
    },
    60_000,
  );
});
