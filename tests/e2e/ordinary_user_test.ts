import process from "node:process";
import { describe, expect } from "bun:test";
import { IFF_NO_PI, IFF_TAP, IFF_TUN, IFF_VNET_HDR } from "../../adapters/links/tun/linux.ts";
import { Namespace } from "../support/namespace.ts";
import { Program, runtimeCommand } from "../support/program.ts";
import { testRequiring } from "../support/requirements.ts";
import { ROOT } from "../support/source_files.ts";
import { NEEDS, programCommand } from "./service.ts";

const APP = "http:./tests/e2e/programs/app.ts";

/**
 * A shell command that runs a service without capabilities on descriptor 3, a device with these
 * flags.
 */
function inherited(flags: number, ...more: readonly string[]): string {
  const attach = programCommand("attach_tun.ts", "3", "berth0", String(flags)).join(" ");
  const service = runtimeCommand(
    ...["main.ts", "--address", "10.90.0.2/24", "--listen", `80=${APP}`, "--log-level", "warn"],
    ...more,
  ).join(" ");
  const drop = "setpriv --bounding-set=-all --inh-caps=-all";
  const up = "ip address add 10.90.0.1/24 dev berth0 && ip link set berth0 up";
  return `exec 3<>/dev/net/tun; ${attach} && ${up} && exec ${drop} ${service}`;
}

describe("--link fd:3", () => {
  // The parent has the privilege; the service has the descriptor.
  testRequiring(
    [...NEEDS, "program:curl", "program:ping", "program:setpriv"],
    "serves a device that the parent opened, without a capability",
    async () => {
      for (const flags of [IFF_TUN | IFF_NO_PI, IFF_TUN | IFF_NO_PI | IFF_VNET_HDR]) {
        await using namespace = await Namespace.open();
        const service = namespace.start("sh", "-c", inherited(flags, "--link", "fd:3"));
        await service.printed(/Ctrl\+C/);
        await namespace.run(["ping", "-c", "1", "-W", "5", "10.90.0.2"]);
        const length = await namespace.shell("curl -s http://10.90.0.2/bytes/3000000 | wc -c");
        expect(length).toBe("3000000\n");
        service.signal("SIGTERM");
        expect(await service.finish(15_000)).toMatchObject({ exit: 0, log: "" });
      }
    },
    60_000,
  );

  // One line says what the parent has to do.
  testRequiring(
    [...NEEDS, "program:setpriv"],
    "refuses a descriptor that is not such a device",
    async () => {
      await using namespace = await Namespace.open();
      const refused = async (line: string) => {
        const { exit, log } = await namespace.start("sh", "-c", line).finish(30_000);
        expect(exit).toBe(1);
        return log;
      };
      const service = (...more: string[]) =>
        runtimeCommand("main.ts", "--address", "10.90.0.2/24", ...more).join(" ");
      expect(await refused(service("--link", "fd:77"))).toBe(
        "berth: descriptor 77 is not open: start this process with it, as in 3<>/dev/net/tun\n",
      );
      expect(await refused(`exec 3</dev/null; ${service("--link", "fd:3")}`)).toContain(
        "berth: descriptor 3 is not a TUN device: ",
      );
      expect(await refused(inherited(IFF_TAP | IFF_NO_PI, "--link", "fd:3"))).toContain(
        "create it with IFF_TUN",
      );
    },
    60_000,
  );
});

/**
 * A shell command run by an ordinary user in a namespace of its own; `$RUNTIME` is this runtime. If
 * root runs the tests, the user gets a device file of its own if only root may open `/dev/net/tun`,
 * and copies of the runtime and the project, which may be in a private home directory.
 */
function asOrdinaryUser(line: string): string[] {
  const unshare = ["unshare", "-Urn", "sh", "-c", line];
  const runtime = ["env", `RUNTIME=${process.execPath}`];
  if (process.getuid?.() !== 0) return [...runtime, ...unshare];
  const script = `set -e
    mount -t tmpfs none /dev/net
    mknod -m 666 /dev/net/tun c 10 200
    mount -t tmpfs -o mode=1777 none /mnt
    umask 022
    mkdir /mnt/project
    find . -mindepth 1 -maxdepth 1 ! -name .git \
      -exec cp -R --no-preserve=mode,ownership -t /mnt/project {} +
    cp "$RUNTIME" /mnt/runtime
    chmod 755 /mnt/runtime
    cd /mnt/project
    export HOME=/mnt DENO_DIR=/mnt RUNTIME=/mnt/runtime
    exec setpriv --reuid=65534 --regid=65534 --clear-groups --inh-caps=-all "$@"`;
  return [...runtime, "unshare", "--mount", "sh", "-c", script, "sh", ...unshare];
}

describe("unshare -Urn", () => {
  // Without root, capabilities or preparation: everything runs in a user namespace.
  testRequiring(
    [...NEEDS, "program:curl", "program:mount", "program:ping", "program:setpriv"],
    "is all that an ordinary user needs for --tun",
    async () => {
      const [, ...service] = runtimeCommand(
        ...["main.ts", "--tun", "berth0", "--address", "10.90.0.2/24", "--listen", `80=${APP}`],
        ...["--log-level", "warn"],
      );
      const args = service.join(" ").replace(" -A ", " -A --node-modules-dir=manual ");
      const line = `"$RUNTIME" ${args} > /dev/null & server=$!; ` +
        "until ping -c 1 -W 1 10.90.0.2 > /dev/null 2>&1; do " +
        "kill -0 $server || exit 1; sleep 0.05; done; " +
        'cat /proc/$server/status | grep "^Uid" | tr "\\t" " "; cat /proc/self/uid_map; ' +
        "curl -s http://10.90.0.2/bytes/100000 | wc -c; kill -TERM $server; wait $server";
      const program = new Program(asOrdinaryUser(line), ROOT);
      const { exit, out, log } = await program.finish(30_000);
      expect(log).toBe("");
      const [uid, map, length] = out.trim().split("\n");
      expect(uid).toBe("Uid: 0 0 0 0");
      expect(Number(map!.trim().split(/\s+/)[1])).toBeGreaterThan(0);
      expect(length).toBe("100000");
      expect(exit).toBe(0);
    },
    60_000,
  );
});
