import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { describe, expect } from "bun:test";
import { Namespace } from "../support/namespace.ts";
import { runtimeCommand } from "../support/program.ts";
import { testRequiring } from "../support/requirements.ts";
import { ROOT } from "../support/source_files.ts";
import { TemporaryFolder } from "../support/temporary_folder.ts";
import { NEEDS, programCommand } from "./service.ts";

/** An external address. */
const WORLD = "198.51.100.7";
const WORLD_V6 = "2001:db8::7";

/** The documented commands: to start the service, and to create the namespace. */
function documented(): { start: string; setUp: string } {
  const text = readFileSync(join(ROOT, "docs/egress.md"), "utf8");
  const [start = "", setUp = ""] = [...text.matchAll(/```sh\n(.*?)```/gs)].map(([, it]) => it!);
  const runtime = runtimeCommand("main.ts").map((word) => `'${word}'`).join(" ");
  return { start: `exec ${start.trim().replace("deno run -A main.ts", runtime)}`, setUp };
}

/** A repository with a megabyte in it, as a plain web server can serve it. */
function makeRepository(folder: TemporaryFolder): void {
  const script = `
    git init -q work && cd work && git config user.name x && git config user.email x@x.test
    head -c 1000000 /dev/urandom > cargo && git add cargo && git commit -q -m cargo
    git clone -q --bare . ../www/cargo.git && cd ../www/cargo.git && git update-server-info
  `;
  const env = { ...process.env, GIT_CONFIG_GLOBAL: "/dev/null" };
  const made = spawnSync("sh", ["-ec", script], { cwd: folder.path, env });
  if (made.status !== 0) throw new Error(String(made.stderr));
}

function nginxConfig({ path }: TemporaryFolder): string {
  return `
    daemon off; master_process off; pid ${path}/nginx.pid; error_log stderr warn; user root;
    events { worker_connections 64; }
    http {
      access_log off;
      client_body_temp_path ${path}/a; proxy_temp_path ${path}/b; fastcgi_temp_path ${path}/c;
      uwsgi_temp_path ${path}/d; scgi_temp_path ${path}/e;
      server { listen ${WORLD}:80; listen [${WORLD_V6}]:80; root ${path}/www; }
    }
  `;
}

/** The external network: a web server with a repository, and a name server. */
async function startWorld(namespace: Namespace, folder: TemporaryFolder): Promise<void> {
  makeRepository(folder);
  await namespace.shell(
    `ip address add ${WORLD}/32 dev lo && ip address add ${WORLD_V6}/128 dev lo nodad`,
  );
  const config = folder.write("nginx.conf", nginxConfig(folder));
  namespace.start("nginx", "-p", folder.path, "-e", "stderr", "-c", config);
  await namespace.shell(`until curl -s -o /dev/null ${WORLD}; do sleep 0.05; done`);
  const resolver = namespace.start(...programCommand("resolver.ts", WORLD, "53", WORLD));
  await resolver.printed(/ready/);
}

/** Starts the service and the namespace as documented, then runs `script` in it. */
async function inBoat(namespace: Namespace, folder: TemporaryFolder, script: string) {
  const { start, setUp } = documented();
  const service = namespace.start("sh", "-c", start);
  await service.printed(/Ctrl\+C/);
  const resolv = folder.write("resolv.conf", `nameserver ${WORLD}\n`);
  const inside = folder.write("inside.sh", script);
  // Names of namespaces and the resolver configuration are unique to this test. The device goes
  // with its namespace, which stays until the service has ended.
  const boat = namespace.start(
    ...["unshare", "-m", "sh", "-ec"],
    `mount -t tmpfs none /run && mkdir /run/netns
     ${setUp}
     mount --bind ${resolv} /etc/resolv.conf
     cd ${folder.path} && ip netns exec boat sh -e ${inside}
     echo finished && cat`,
  );
  const [, output = ""] = await boat.printed(/^(.*)finished\n/s);
  service.signal("SIGTERM");
  expect((await service.finish(10_000)).exit).toBe(0);
  boat.hush();
  await boat.ended;
  return output;
}

describe("egress to an address that the host routes into the device", () => {
  // The first SYN is refused, because otherwise each SYN would cause another one.
  testRequiring(
    [...NEEDS, "program:socat"],
    "refuses the first attempt",
    async () => {
      await using namespace = await Namespace.open();
      const service = namespace.start(
        ...runtimeCommand("main.ts"),
        ...["--tun", "berthf0", "--host-address", "10.90.0.1/24", "--address", "10.90.0.0/24"],
        ...["--address", "203.0.113.0/24", "--listen", "*=egress", "--listen", "udp/*=egress"],
      );
      await service.printed(/Ctrl\+C/);
      await namespace.shell("ip route replace 203.0.113.9/32 dev berthf0");
      for (const target of ["10.90.0.7:80", "203.0.113.9:80"]) {
        await namespace.shell(`socat - TCP4:${target} < /dev/null 2>&1 | grep -q refused`);
        await namespace.shell(
          `(echo x; sleep 1) | socat - UDP4:${target} > /dev/null 2>&1 || true`,
        );
      }
      service.signal("SIGUSR2");
      const [counts] = await service.printed(/ stats .*/, "log");
      expect(counts).toMatch(/ connectionsOpened=2 .* flowsOpened=2 /);
      service.signal("SIGTERM");
      expect((await service.finish(10_000)).exit).toBe(0);
    },
    60_000,
  );
});

describe("the gateway of a network namespace in docs/egress.md", () => {
  testRequiring(
    [
      ...NEEDS,
      "program:curl",
      "program:git",
      "program:mount",
      "program:nginx",
      "program:socat",
      "program:unshare",
    ],
    "carries git clone, name resolution and errors through the host",
    async () => {
      using folder = new TemporaryFolder();
      await using namespace = await Namespace.open();
      await startWorld(namespace, folder);
      const status = (url: string) =>
        `curl -s -g -m 5 -o /dev/null -w '%{http_code}\\n' '${url}' || echo "curl $?"`;
      const told = (to: string) =>
        `(echo x; sleep 2) | socat - UDP4:${to} 2>&1 | grep -o 'No route to host'`;
      const output = await inBoat(
        namespace,
        folder,
        `
          git clone -q http://ship.test/cargo.git cloned
          cmp work/cargo cloned/cargo && echo cloned
          ${status(`http://${WORLD}/cargo.git/HEAD`)}
          ${status(`http://[${WORLD_V6}]/cargo.git/HEAD`)}
          ${status(`http://${WORLD}:81/`)}
          ${status("http://169.254.169.254/")}
          ${told("169.254.169.254:53")}
          ${told("192.0.2.1:53,ip-recverr=1")}
        `,
      );
      // 7: the connection was refused. One datagram is denied, and there is no route for the other.
      expect(output.trim().split("\n")).toEqual([
        "cloned",
        "200",
        "200",
        "000",
        "curl 7",
        "000",
        "curl 7",
        "No route to host",
        "No route to host",
      ]);
    },
    60_000,
  );
});
