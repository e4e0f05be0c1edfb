import { createHash } from "node:crypto";
import { describe, expect } from "bun:test";
import { Namespace } from "../support/namespace.ts";
import { type Program, runtimeCommand } from "../support/program.ts";
import { testRequiring } from "../support/requirements.ts";

const V4 = "10.90.0.2";
const V6 = "fd90::2";
const SIZE = 5_000_000;
const TOOLS = ["program:ip", "program:nsenter", "program:ping", "program:curl"] as const;

/** Starts the service on a link; resolves when it is ready. */
async function startOn(namespace: Namespace, link: string, ...flags: string[]): Promise<Program> {
  const addresses = ["--address", `${V4}/24`, "--address", `${V6}/64`];
  const listen = ["--listen", "80=http:./tests/e2e/programs/app.ts", "--log-level", "warn"];
  const command = runtimeCommand("main.ts", "--link", link, ...addresses, ...listen, ...flags);
  const service = namespace.start(...command);
  await service.printed(/Ctrl\+C/);
  return service;
}

/** The kernel pings both addresses and transfers some megabytes in each direction. */
async function isUsed(namespace: Namespace, largestPing: number, enter = ""): Promise<void> {
  const start = enter.split(" ").filter((word) => word !== "");
  for (const host of [V4, V6]) {
    const size = String(largestPing - (host === V4 ? 28 : 48));
    const ping = ["ping", "-n", "-M", "do", "-c", "3", "-i", "0.05", "-W", "5", "-s", size, host];
    expect(await namespace.run([...start, ...ping])).toContain(
      "3 packets transmitted, 3 received, 0%",
    );
    const url = `http://${host === V4 ? V4 : `[${V6}]`}/bytes/${SIZE}`;
    const curl = ["curl", "-sS", "--max-time", "20", "-o", "/dev/null", "-w", "%{size_download}"];
    expect(await namespace.run([...start, ...curl, url])).toBe(String(SIZE));
    const upload = `head -c ${SIZE} /dev/zero | ${enter} curl -sS --max-time 20 -T - `;
    const digest = createHash("sha256").update(new Uint8Array(SIZE)).digest("hex");
    expect(await namespace.shell(upload + url.replace(/bytes.*/, "digest"))).toBe(digest);
  }
}

/**
 * Creates a second network in which 192.0.2.2 is connected to the namespace's 192.0.2.1; resolves
 * with the command prefix to run in it.
 */
async function joinNetwork(namespace: Namespace): Promise<string> {
  const holder = namespace.start("unshare", "-n", "sh", "-c", "echo $$ held; cat");
  const [, pid] = await holder.printed(/^(\d+) held\n/);
  const there = `nsenter --target ${pid} --net --`;
  await namespace.shell(`
    set -e
    ip link add v1 type veth peer name v2
    ip link set v2 netns ${pid}
    ip addr add 192.0.2.1/24 dev v1 && ip link set v1 up
    ${there} ip addr add 192.0.2.2/24 dev v2 && ${there} ip link set v2 up
  `);
  return there;
}

async function endsWell(service: Program): Promise<void> {
  service.signal("SIGTERM");
  const { exit, log } = await service.finish(10_000);
  if (exit !== 0 || log !== "") throw new Error(`the service ended with ${exit}: ${log}`);
}

describe("the service on a TAP device", () => {
  // The kernel resolves the service's addresses by ARP and by neighbor discovery.
  testRequiring(["tun", ...TOOLS], "answers the kernel", async () => {
    await using namespace = await Namespace.open();
    const service = await startOn(namespace, "tap:berth0,mac=02:00:00:00:00:42");
    await isUsed(namespace, 1500);
    const neighbors = await namespace.run(["ip", "neigh", "show", "dev", "berth0"]);
    expect(neighbors.match(/lladdr 02:00:00:00:00:42/g)).toHaveLength(2);
    await endsWell(service);
  }, 30_000);
});

describe("the service on a stream of frames", () => {
  // QEMU joins the stream with a TAP device: the kernel replaces the guest.
  testRequiring(
    ["tun", "program:qemu-system-x86_64", ...TOOLS],
    "answers through QEMU",
    async () => {
      await using namespace = await Namespace.open();
      await namespace.shell(`
        set -e
        ip tuntap add guest0 mode tap
        ip addr add 10.90.0.1/24 dev guest0
        ip addr add fd90::1/64 dev guest0 nodad
        ip link set guest0 up
      `);
      const service = await startOn(namespace, "stream:listen=127.0.0.1:5555,probe=off");
      const qemu = namespace.start(
        ...["qemu-system-x86_64", "-M", "none", "-nodefaults", "-display", "none"],
        ...["-netdev", "tap,id=t,ifname=guest0,script=no,downscript=no"],
        ...["-netdev", "stream,id=s,addr.type=inet,addr.host=127.0.0.1,addr.port=5555"],
        ...["-netdev", "hubport,id=h1,hubid=0,netdev=s"],
        ...["-netdev", "hubport,id=h2,hubid=0,netdev=t"],
      );
      // QEMU is ready once it forwards a frame.
      await namespace.shell(`until ping -c 1 -W 1 ${V4}; do true; done`, 20_000);
      await isUsed(namespace, 1500);
      await qemu.kill();
      await endsWell(service);
    },
    60_000,
  );
});

describe("the service on a VXLAN tunnel", () => {
  // A packet of 1450 bytes fills one of 1500 in the tunnel; the kernel learns the station's
  // endpoint. On the same host, it sends partial checksums and super-packets.
  testRequiring(["namespace", ...TOOLS], "answers the kernel's device (RFC 7348)", async () => {
    await using namespace = await Namespace.open();
    const there = await joinNetwork(namespace);
    await namespace.shell(`
      set -e
      ${there} ip link add x type vxlan id 42 remote 192.0.2.1 dstport 4789 dev v2
      ${there} ip addr add 10.90.0.1/24 dev x
      ${there} ip addr add fd90::1/64 dev x nodad
      ${there} ip link set x up
    `);
    const service = await startOn(
      namespace,
      "vxlan:42,remote=192.0.2.2,local=192.0.2.1,offload=on,probe=off",
    );
    await isUsed(namespace, 1450, there);
    expect(await namespace.shell(`${there} ip link show x`)).toContain("mtu 1450");
    await endsWell(service);
  }, 30_000);
});
