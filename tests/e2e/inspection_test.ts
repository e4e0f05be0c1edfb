import { describe, expect } from "bun:test";
import { Namespace } from "../support/namespace.ts";
import { runtimeCommand } from "../support/program.ts";
import { testRequiring } from "../support/requirements.ts";
import { TemporaryFolder } from "../support/temporary_folder.ts";
import { NEEDS, startService, TWO_WORKERS, V4, V6 } from "./service.ts";

const PROGRAMS = [...NEEDS, "program:curl", "program:nc", "program:tshark"] as const;

/** A service on a TUN device, and what is needed to look into it. */
async function openService(...flags: string[]) {
  const namespace = await Namespace.open();
  const folder = new TemporaryFolder();
  const admin = ["--admin", `unix:${folder.file("s")}`];
  const service = await startService(namespace, ...admin, ...flags);
  const tool = (...args: string[]) =>
    namespace.start(...runtimeCommand("main.ts", ...args, ...admin));
  const api = async (...args: string[]) => {
    const path = args.pop()!;
    const url = `http://localhost${path}`;
    return await namespace.run(["curl", "-sS", "--unix-socket", folder.file("s"), ...args, url]);
  };
  return {
    namespace,
    folder,
    tool,
    api,
    async [Symbol.asyncDispose]() {
      service.signal("SIGTERM");
      await service.finish(15_000);
      await namespace.close();
      folder[Symbol.dispose]();
    },
  };
}

const FLAGS: readonly (readonly [string, readonly string[]])[] = [
  ["one thread", []],
  ["two workers", TWO_WORKERS],
];

for (const [where, flags] of FLAGS) {
  describe(`looking into a service with ${where}`, () => {
    // Many connections, so that each worker has some: the capture has all of them.
    testRequiring(PROGRAMS, "captures the packets of every worker", async () => {
      await using open = await openService(...flags);
      const { namespace, folder, tool } = open;
      const file = folder.file("a.pcapng");
      const capture = tool("capture", "tcp port 80 and host", V4, "-w", file);
      await namespace.shell(
        `until [ -s ${file} ]; do curl -s -o /dev/null http://${V4}/bytes/10; done`,
      );
      const urls = Array.from({ length: 20 }, () => `http://${V4}/bytes/1000`);
      for (const url of urls) await namespace.run(["curl", "-s", "-o", "/dev/null", url]);
      await namespace.run(["curl", "-s", "-o", "/dev/null", `http://[${V6}]/bytes/1000`]);
      await namespace.shell(`(echo hello; sleep 0.2) | nc -q 1 ${V4} 7`);
      capture.signal("SIGINT");
      expect((await capture.finish(15_000)).exit).toBe(0);
      expect(capture.log).toMatch(/^[1-9]\d* packets captured, 0 dropped$/m);
      const fields = ["-T", "fields", "-e", "frame.interface_id", "-e", "tcp.port"];
      const fin = ["-Y", "tcp.flags.syn==1 && tcp.flags.ack==0", ...fields];
      const rows = (await namespace.run(["tshark", "-r", file, ...fin])).trimEnd().split("\n");
      expect(rows.length).toBeGreaterThanOrEqual(20);
      expect(rows.every((row) => /[\t,]80\b/.test(row))).toBe(true);
      const interfaces = new Set(rows.map((row) => row.split("\t")[0]));
      expect(interfaces.size).toBe(flags.length === 0 ? 1 : 2);
    }, 60_000);

    // The log of a connection, whichever worker has it.
    testRequiring(PROGRAMS, "traces a connection and lists it", async () => {
      await using open = await openService(...flags);
      const { namespace, tool } = open;
      for (let i = 0; i < 2; i++) {
        const client = namespace.start("nc", "-q", "0", V4, "7");
        client.say("one\n");
        await client.printed(/one/);
        const ss = tool("ss", "-ti", "state", "established", "sport", ":7");
        expect((await ss.finish(15_000)).out).toMatch(
          /ESTAB +0 +0 +10\.90\.0\.2:7 .* echo\n\t rto:/,
        );
        const trace = tool("trace", `${V4}:7-`);
        await trace.printed(/ESTABLISHED, /);
        client.hush(); // ends its input, and so the connection
        expect((await trace.finish(15_000)).out).toMatch(/> CLOSED/);
        await client.finish(15_000);
      }
    }, 60_000);

    // 100 ms in each direction from now on, and none after that.
    testRequiring(PROGRAMS, "impairs the link, and stops", async () => {
      await using open = await openService(...flags);
      const { namespace, api } = open;
      const seconds = async () =>
        Number(
          await namespace.run([
            ...["curl", "-s", "-o", "/dev/null", "-w", "%{time_total}"],
            `http://${V4}/bytes/100000`,
          ]),
        );
      await seconds();
      expect(JSON.parse(await api("/impair"))).toEqual({});
      const body = '{"delayMs":100,"incoming":{"delayMs":100}}';
      expect(JSON.parse(await api("-X", "PUT", "-d", body, "/impair"))).toEqual(JSON.parse(body));
      expect(await seconds()).toBeGreaterThan(0.39);
      expect(await api("-X", "PUT", "-d", '{"los":1}', "/impair")).toContain(
        "los is not an impairment",
      );
      expect(await api("-X", "PUT", "-d", '{"loss":7}', "/impair")).toContain(
        "loss must be from 0 to 1",
      );
      expect(JSON.parse(await api("/impair"))).toEqual(JSON.parse(body));
      expect(JSON.parse(await api("-X", "DELETE", "/impair"))).toEqual({});
      await seconds();
      expect(JSON.parse(await api("/stats"))["link.impair.lost"]).toBe(0);
    }, 60_000);
  });
}
