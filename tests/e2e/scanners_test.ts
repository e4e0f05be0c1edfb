import { describe, expect } from "bun:test";
import { Namespace } from "../support/namespace.ts";
import { type Program, runtimeCommand } from "../support/program.ts";
import { testRequiring } from "../support/requirements.ts";
import { NEEDS, startService, V4, V6 } from "./service.ts";

/** Ports of the service: echo on both transports, HTTP. */
const PORTS = ["--listen", "udp/7=echo"];
const FAST = ["nmap", "-n", "-Pn", "-T5", "--max-retries", "1"];

/** Expects that the service still works, keeps no state of the attack, and has logged no warnings. */
async function expectUnharmed(namespace: Namespace, service: Program): Promise<void> {
  expect(await namespace.run(["curl", "-s", `http://${V4}/number/5`])).toBe("5\n");
  // A connection that has just ended may not have been removed yet.
  for (let asked = 1, isIdle = false; !isIdle; asked++) {
    service.signal("SIGUSR2");
    const lines = new RegExp(`(?:[^]*?info {2}stats ){${asked}}([^\\n]*)\\n`);
    const [, stats = ""] = await service.printed(lines, "log");
    isIdle = / connections=0 flows=0 /.test(stats);
  }
  expect(service.log.replace(/^.* info .*\n/gm, "")).toBe("");
  service.signal("SIGTERM");
  expect((await service.finish(15_000)).exit).toBe(0);
}

describe("nmap", () => {
  // SYN, connect(), ACK, window, Maimon, NULL, FIN and Xmas scans find the same ports, where they can
  // tell at all.
  testRequiring(
    [...NEEDS, "root", "program:nmap", "program:curl"],
    "scans in every way",
    async () => {
      await using namespace = await Namespace.open();
      const service = await startService(namespace, ...PORTS, "--log-level", "info");
      const scan = async (...flags: string[]) => {
        const out = await namespace.run([...FAST, ...flags], 60_000);
        return [...out.matchAll(/^(\d+(?:\/\w+)?) +(open\S*)/gm)].map(([, port, state]) =>
          `${port} ${state}`
        );
      };
      const tcp = ["-p", "1-200", V4];
      for (const way of ["-sS", "-sT"]) {
        expect(await scan(way, ...tcp)).toEqual(["7/tcp open", "80/tcp open"]);
      }
      for (const way of ["-sA", "-sW", "-sM"]) expect(await scan(way, ...tcp)).toEqual([]);
      for (const way of ["-sN", "-sF", "-sX"]) {
        expect(await scan(way, ...tcp)).toEqual(["7/tcp open|filtered", "80/tcp open|filtered"]);
      }
      expect(await scan("-6", "-sS", "-p", "1-200", V6)).toEqual(["7/tcp open", "80/tcp open"]);
      expect(await scan("-sU", "-p", "1-20", V4)).toEqual(["7/udp open"]);
      expect(await scan("-sO", V4)).toEqual(["1 open", "6 open", "17 open"]);
      const found = await scan("-sV", "--version-intensity", "2", "-O", "-p", "7,80,81", V4);
      expect(found).toEqual(["7/tcp open", "80/tcp open"]);
      await expectUnharmed(namespace, service);
    },
    180_000,
  );
});

describe("thc-ipv6", () => {
  // implementation6: 57 packets with odd headers, fragments and options, some of which are answered. Each
  // waits for an answer, so some run at once; they need a device with link-layer addresses.
  testRequiring(
    [...NEEDS, "root", "program:atk6-implementation6", "program:curl"],
    "does no harm with implementation6",
    async () => {
      await using namespace = await Namespace.open();
      const device = ["--link", "tap:berth0", "--address", `${V4}/24`, "--address", `${V6}/64`];
      const ports = ["--listen", "7=echo", "--listen", "80=http:./tests/e2e/programs/app.ts"];
      const service = namespace.start(
        ...runtimeCommand("main.ts", ...device, ...ports, "--log-level", "info"),
      );
      await service.printed(/Ctrl\+C/);
      const tests = `for i in $(seq 57); do
        timeout 20 atk6-implementation6 berth0 ${V6} $i &
        [ $((i % 10)) = 0 ] && wait
      done; wait`;
      // Which of them are answered depends on the others, since errors are rate-limited.
      const out = await namespace.run(["sh", "-c", tests], 85_000);
      expect(out).toContain("PASSED - we got a reply");
      await expectUnharmed(namespace, service);
    },
    120_000,
  );
});
