import { describe, expect } from "bun:test";
import { Namespace } from "../support/namespace.ts";
import type { Program } from "../support/program.ts";
import { testRequiring } from "../support/requirements.ts";
import {
  NEEDS,
  programCommand,
  serviceCommand,
  startService,
  V4,
  V6,
  withService,
} from "./service.ts";
import { expectRefusal, RunningTransfers } from "./transfers.ts";

/** Expects the service to fail with one readable line, no stack trace, and a failure exit code. */
async function expectFailure(service: Program, message: string): Promise<void> {
  const { exit, log } = await service.finish(20_000);
  expect(log).toContain(`berth: ${message}`);
  expect(log.trimEnd().split("\n").length).toBe(1);
  expect(exit).toBe(1);
}

function devices(namespace: Namespace): Promise<string> {
  return namespace.run(["ip", "-brief", "link"]);
}

describe("SIGTERM", () => {
  // Eight echo connections in mid-transfer and a download: all of them finish, and new connections
  // are refused.
  testRequiring(
    [...NEEDS, "program:curl", "program:nc"],
    "lets running transfers finish, then removes the device",
    async () => {
      await using namespace = await Namespace.open();
      const service = await startService(namespace, "--log-level", "info");
      const transfers = await RunningTransfers.start(namespace);
      service.signal("SIGTERM");
      await service.printed(/stopping/, "log");
      await expectRefusal(namespace, V4, 7);
      await transfers.finish();
      expect((await service.finish(15_000)).exit).toBe(0);
      expect(await devices(namespace)).not.toContain("berth0");
    },
    60_000,
  );
});

describe("the device", () => {
  // It is removed during a connection: the service reports it and ends.
  testRequiring(
    NEEDS,
    "is reported as removed while in use",
    async () => {
      await using namespace = await Namespace.open();
      const service = await startService(namespace);
      const clients = namespace.start(...programCommand("held_transfers.ts", V4, "7", "2"));
      await clients.printed(/running/);
      await namespace.run(["ip", "link", "delete", "berth0"]);
      await expectFailure(service, "berth0");
    },
  );

  // The device is removed while it is idle.
  testRequiring(NEEDS, "is reported as removed while idle", async () => {
    await using namespace = await Namespace.open();
    const service = await startService(namespace);
    await namespace.run(["ip", "link", "delete", "berth0"]);
    await expectFailure(service, "berth0");
  });

  // Two services use the same name; the first one continues.
  testRequiring(
    NEEDS,
    "can be used by only one service",
    () =>
      withService(async (namespace) => {
        const second = namespace.start(...serviceCommand());
        await expectFailure(second, "Another program uses berth0");
        expect(await devices(namespace)).toContain("berth0");
      }),
  );

  // The name belongs to a device of another kind.
  testRequiring(NEEDS, "cannot have the name of a device of another kind", async () => {
    await using namespace = await Namespace.open();
    await expectFailure(namespace.start(...serviceCommand("--tun", "lo")), "lo ");
  });

  // No CAP_NET_ADMIN: neither root nor in a user namespace.
  testRequiring(
    [...NEEDS, "program:setpriv"],
    "needs a privilege, and the message says which",
    async () => {
      await using namespace = await Namespace.open();
      const drop = ["setpriv", "--bounding-set", "-net_admin", "--inh-caps", "-net_admin"];
      const service = namespace.start(...drop, ...serviceCommand());
      await expectFailure(service, "Not allowed to create or attach berth0: run as root");
    },
  );

  // An existing configuration is used without changes.
  testRequiring(
    [...NEEDS, "program:setpriv", "program:curl"],
    "needs no privilege if it exists, is configured and belongs to this user",
    async () => {
      await using namespace = await Namespace.open();
      const ip = (command: string) => namespace.run(["ip", ...command.split(" ")]);
      await ip("tuntap add dev berth0 mode tun user root");
      await ip("address add 10.90.0.1/24 dev berth0");
      await ip("address add fd90::1/64 dev berth0 nodad");
      await ip("link set berth0 mtu 1400 up");
      const drop = ["setpriv", "--bounding-set", "-net_admin", "--inh-caps", "-net_admin"];
      const start = (...flags: string[]) =>
        namespace.start(...drop, ...serviceCommand("--mtu", ...flags));
      const other = ["1400", "--host-address", "10.90.0.9/24", "--host-address", "fd90::1/64"];
      await expectFailure(start("1500"), "Not allowed to set the MTU 1500 of berth0");
      await expectFailure(start(...other), "Not allowed to set the address 10.90.0.9/24 of berth0");
      const service = start("1400");
      await service.printed(/Ctrl\+C/);
      for (const host of [V4, `[${V6}]`]) {
        await namespace.run(["curl", "-sSg", "-o", "/dev/null", `http://${host}/`]);
      }
      service.signal("SIGTERM");
      expect((await service.finish(15_000)).exit).toBe(0);
    },
    60_000,
  );

  // A container without the device file.
  testRequiring(
    [...NEEDS, "program:mount"],
    "needs /dev/net/tun, and the message says how to get it",
    async () => {
      await using namespace = await Namespace.open();
      const hidden = 'mount -t tmpfs none /dev/net && exec "$@"';
      const service = namespace.start(
        ...["unshare", "--mount", "sh", "-c", hidden, "sh"],
        ...serviceCommand(),
      );
      await expectFailure(service, "There is no /dev/net/tun: run ");
    },
  );
});
