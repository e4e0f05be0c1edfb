import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect } from "bun:test";
import { Namespace } from "../support/namespace.ts";
import { runtimeCommand } from "../support/program.ts";
import { testRequiring } from "../support/requirements.ts";
import { NEEDS, programCommand, V4 } from "./service.ts";

const CONFIG = {
  tun: "berth0",
  addresses: [`${V4}/24`],
  listen: { "7": "echo" },
  keepAliveMs: 200,
};

/** Resolves when the stack has sent ten more packets. */
const TEN_PROBES = `
  sent() { sed -n 's/^ *berth0: *[0-9]* *\\([0-9]*\\).*/\\1/p' /proc/net/dev; }
  enough=$(( $(sent) + 10 ))
  until [ "$(sent)" -ge $enough ]; do sleep 0.05; done
`;

describe("the service's keep-alive", () => {
  // The kernel answers every probe until its address is removed.
  testRequiring(NEEDS, "keeps a live connection and ends a dead one", async () => {
    const folder = mkdtempSync(join(tmpdir(), "berth-config-"));
    const path = join(folder, "berth.json");
    writeFileSync(path, JSON.stringify(CONFIG));
    try {
      await using namespace = await Namespace.open();
      const service = namespace.start(...runtimeCommand("main.ts", "--config", path));
      await service.printed(/Ctrl\+C/);
      const clients = namespace.start(...programCommand("held_transfers.ts", V4, "7", "1"));
      await clients.printed(/running/);
      await namespace.shell(TEN_PROBES);
      expect(service.log).not.toContain("end=");
      await namespace.shell("ip address flush dev berth0");
      const [, end] = await service.printed(/port=7 .*end=(\w+)/, "log");
      expect(end).toBe("TIMED_OUT");
    } finally {
      rmSync(folder, { recursive: true });
    }
  }, 20_000);
});
