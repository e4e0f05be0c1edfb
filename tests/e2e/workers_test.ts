import { describe, expect } from "bun:test";
import { Namespace } from "../support/namespace.ts";
import type { Program } from "../support/program.ts";
import { testRequiring } from "../support/requirements.ts";
import { TemporaryFolder } from "../support/temporary_folder.ts";
import {
  NEEDS,
  programCommand,
  runEchoClients,
  serviceCommand,
  startService,
  TWO_WORKERS,
  V4,
  V6,
} from "./service.ts";
import { expectRefusal, RunningTransfers } from "./transfers.ts";

const WORKERS = [...TWO_WORKERS, "--log-level", "info"] as const;

/** Gets the counters of a running service once its connections have ended. */
async function countersOf(service: Program): Promise<Map<string, number>> {
  for (;;) {
    const before = service.log.match(/info {2}stats /g)?.length ?? 0;
    service.signal("SIGUSR2");
    const next = new RegExp(`(?:[^]*?info {2}stats ){${before + 1}}(.*)\\n`);
    const [, line = ""] = await service.printed(next, "log");
    const pairs = line.split(" ").map((pair) => pair.split("="));
    const counters = new Map(pairs.map(([name = "", value]) => [name, Number(value)]));
    if (counters.get("connections") === 0) return counters;
  }
}

function connectionLines(service: Program): RegExpMatchArray[] {
  return [...service.log.matchAll(/connection port=(\d+) .* in=(\d+) out=(\d+) .* end=(\w+)/g)];
}

describe("--workers", () => {
  // 300 connections, 40 at a time, to both families: every byte is echoed, and the two shards
  // together count each connection once.
  testRequiring(
    [...NEEDS, "program:curl"],
    "serves every connection once and adds up",
    async () => {
      await using namespace = await Namespace.open();
      const service = await startService(namespace, ...WORKERS);
      expect(service.out).toContain("device berth0 with 2 workers");
      for (const host of [V4, V6]) {
        const options = { host, connections: 150, atOnce: 40, least: 1, most: 50_000 };
        expect(await runEchoClients(namespace, options, 30_000)).toBe("150 equal\n");
      }
      const url = `http://${V4}/bytes/1000`;
      const codes = ["-s", "-o", "/dev/null", "-w", "%{http_code} "];
      const separate = ["-H", "Connection: close"];
      const curl = ["curl", ...codes, ...separate, ...new Array<string>(20).fill(url)];
      expect(
        await namespace.run(curl.flatMap((each) => each === url ? [url, "-o", "/dev/null"] : each)),
      )
        .toBe("200 ".repeat(20));
      service.signal("SIGTERM");
      expect((await service.finish(15_000)).exit).toBe(0);
      const lines = connectionLines(service);
      expect(lines.length).toBe(320);
      for (const [, port, received, sent, end] of lines) {
        expect(end).toBe("closed");
        if (port === "7") expect(sent).toBe(received!);
      }
    },
    60_000,
  );

  // Both workers get the new plugins and the port, or, if one of them cannot, neither.
  testRequiring(NEEDS, "reload together", async () => {
    await using namespace = await Namespace.open();
    using folder = new TemporaryFolder();
    const write = (listen: unknown) => folder.write("berth.json", JSON.stringify({ listen }));
    const service = await startService(
      namespace,
      ...WORKERS,
      "--config",
      write({ "9": "discard" }),
    );
    write({ "9": "echo", "10": "echo" });
    service.signal("SIGHUP");
    await service.printed(/ info {2}reloaded reason=SIGHUP added=10 changed=9 running=0\n/, "log");
    for (const port of [9, 10]) {
      const options = { port, connections: 40, atOnce: 10, least: 1, most: 1000 };
      expect(await runEchoClients(namespace, options, 30_000)).toBe("40 equal\n");
    }
    write({ "9": "ecko" });
    service.signal("SIGHUP");
    await service.printed(/ error cannot reload, .*did you mean echo/, "log");
    const options = { port: 10, connections: 40, atOnce: 10, least: 1, most: 1000 };
    expect(await runEchoClients(namespace, options, 30_000)).toBe("40 equal\n");
    service.signal("SIGTERM");
    expect((await service.finish(15_000)).exit).toBe(0);
  }, 60_000);

  // Both workers load the new code, with what it imports; if it is faulty, both go on with the old.
  testRequiring([...NEEDS, "program:curl"], "reload code together", async () => {
    await using namespace = await Namespace.open();
    using folder = new TemporaryFolder();
    const write = (text: string) =>
      folder.write("text.ts", `export const text: string = "${text}";\n`);
    write("old ");
    const app =
      'import { text } from "./text.ts";\nexport default { fetch: () => new Response(text) };\n';
    folder.write("app.ts", app);
    const config = { listen: { "9": "http:./app.ts" } };
    const path = folder.write("berth.json", JSON.stringify(config));
    const service = await startService(namespace, ...WORKERS, "--config", path);
    const url = `http://${V4}:9/`;
    const get = () =>
      namespace.run(["curl", "-s", "-H", "Connection: close", ...new Array<string>(20).fill(url)]);
    expect(await get()).toBe("old ".repeat(20));
    write("new ");
    service.signal("SIGHUP");
    await service.printed(/ info {2}reloaded reason=SIGHUP changed=9 running=0\n/, "log");
    expect(await get()).toBe("new ".repeat(20));
    folder.write("text.ts", 'throw new Error("faulty");\n');
    service.signal("SIGHUP");
    await service.printed(/ error cannot reload, /, "log");
    expect(await get()).toBe("new ".repeat(20));
    service.signal("SIGTERM");
    expect((await service.finish(15_000)).exit).toBe(0);
  }, 60_000);

  // The metrics of both shards are added: each connection once, and the memory of the process once.
  testRequiring([...NEEDS, "program:curl"], "add up their metrics", async () => {
    await using namespace = await Namespace.open();
    using folder = new TemporaryFolder();
    const socket = folder.file("admin");
    const admin = ["--admin", `unix:${socket}`, "--metrics", "on"];
    const service = await startService(namespace, ...WORKERS, ...admin);
    await runEchoClients(namespace, { connections: 50, atOnce: 10, least: 100, most: 100 }, 30_000);
    const url = "http://localhost/metrics";
    const text = await namespace.run(["curl", "-s", "--unix-socket", socket, url]);
    const valueOf = (series: string) => Number(text.split(`\n${series} `)[1]?.split("\n")[0]);
    const labels = 'listen="7",plugin="echo"';
    expect(valueOf(`berth_binding_connections_total{${labels}}`)).toBe(50);
    const direction = 'network_io_direction="receive"';
    expect(valueOf(`berth_binding_io_bytes_total{${labels},${direction}}`)).toBe(5000);
    expect(valueOf(`berth_binding_handler_duration_seconds_count{${labels}}`)).toBe(50);
    expect(valueOf("process_memory_usage_bytes")).toBeLessThan(2e9);
    service.signal("SIGTERM");
    expect((await service.finish(15_000)).exit).toBe(0);
  }, 60_000);

  // The lines of all threads are in the one log and in the events, and a level that the admin API
  // sets is that of all threads.
  testRequiring([...NEEDS, "program:curl"], "write one log", async () => {
    await using namespace = await Namespace.open();
    using folder = new TemporaryFolder();
    const socket = folder.file("admin");
    const service = await startService(namespace, ...WORKERS, "--admin", `unix:${socket}`);
    const ask = (...rest: string[]) => ["curl", "-sN", "--unix-socket", socket, ...rest];
    const events = namespace.start(...ask("http://localhost/events"));
    await events.printed(/: the log from now on/);
    for (const level of ["debug", "error"]) {
      const body = ["-X", "PUT", "-d", `{"level":"${level}"}`, "http://localhost/log-level"];
      expect(await namespace.run(ask(...body))).toBe(`{"level":"${level}"}`);
      await runEchoClients(
        namespace,
        { connections: 40, atOnce: 10, least: 1, most: 100 },
        30_000,
      );
    }
    const opened = service.log.match(/debug connection opened .*worker=\d/g) ?? [];
    expect(opened.length).toBe(40);
    const workersIn = (text: string) => new Set(text.match(/worker"?[=:]\d/g)).size;
    expect(workersIn(opened.join("\n"))).toBe(2);
    // The followers of the events get the lines of both runs.
    await events.printed(/(?:"message":"connection"[\s\S]*?){80}/);
    expect(workersIn(events.out)).toBe(2);
    service.signal("SIGTERM");
    expect((await service.finish(15_000)).exit).toBe(0);
    events.signal("SIGTERM");
  }, 60_000);

  // Eight connections of both shards are one list. Its pages have each connection once, in order; rows, connections
  // and live updates come from the thread that has them.
  testRequiring([...NEEDS, "program:curl"], "list their connections as one", async () => {
    await using namespace = await Namespace.open();
    using folder = new TemporaryFolder();
    const socket = folder.file("admin");
    const service = await startService(namespace, ...WORKERS, "--admin", `unix:${socket}`);
    const transfers = await RunningTransfers.start(namespace);
    const get = (path: string) =>
      namespace.run(["curl", "-s", "--unix-socket", socket, `http://localhost${path}`]);
    const page = async (query: string) => JSON.parse(await get(`/connections?${query}`));
    const all = await page("filter=echo&sort=remote");
    expect(all.total).toBe(8);
    const ids = all.connections.map(({ id }: { id: string }) => id);
    const pages = [
      await page("filter=echo&sort=remote&limit=3"),
      await page("filter=echo&sort=remote&offset=3"),
    ];
    expect(pages.flatMap(({ connections }) => connections.map(({ id }: { id: string }) => id)))
      .toEqual(ids);
    expect(await page("filter=echo&limit=0")).toEqual({ total: 8, connections: [] });
    for (const id of ids) {
      expect(JSON.parse(await get(`/connections/${encodeURIComponent(id)}`)).id).toBe(id);
    }
    const live = namespace.start(
      ...["curl", "-sN", "--unix-socket", socket],
      `http://localhost/live?filter=echo&limit=5&everyMs=100&watch=${encodeURIComponent(ids[0])}`,
    );
    const [, update] = await live.printed(/data: (.*)\n\n/);
    const { total, connections, watched } = JSON.parse(update!);
    expect([total, connections.length, watched.id]).toEqual([8, 5, ids[0]]);
    live.signal("SIGTERM");
    await transfers.finish();
    service.signal("SIGTERM");
    expect((await service.finish(15_000)).exit).toBe(0);
  }, 60_000);

  // SIGUSR2 logs the counters of all shards.
  testRequiring(NEEDS, "shows the sums of all counters", async () => {
    await using namespace = await Namespace.open();
    const service = await startService(namespace, ...WORKERS);
    await runEchoClients(namespace, { connections: 50, atOnce: 10, least: 100, most: 100 }, 30_000);
    const counters = await countersOf(service);
    expect(counters.get("connectionsAccepted")).toBe(50);
    expect(counters.get("connectionsEnded")).toBe(50);
    expect(counters.get("bytesIn")).toBeGreaterThan(50 * 100);
    service.signal("SIGTERM");
    expect((await service.finish(15_000)).exit).toBe(0);
  }, 60_000);

  // The kernel puts every segment and datagram of both families into the queue of its worker. Only fragments, of which
  // most have no ports, all go to the first worker, which forwards the datagrams of the second.
  testRequiring([...NEEDS, "root"], "forward nothing but fragments", async () => {
    await using namespace = await Namespace.open();
    const service = await startService(namespace, ...WORKERS, "--listen", "udp/7=echo");
    expect(service.log).toContain(`steering by="own program"`);
    const sendDatagrams = async (host: string, size: number) => {
      const clients = Array.from({ length: 8 }, () => {
        const options = { host, port: 7, sizes: [size], times: 5 };
        return namespace.run(programCommand("udp_client.ts", JSON.stringify(options)));
      });
      for (const out of await Promise.all(clients)) expect(out).toContain("5 equal");
    };
    for (const host of [V4, V6]) {
      const options = { host, connections: 60, atOnce: 20, least: 1, most: 50_000 };
      expect(await runEchoClients(namespace, options, 30_000)).toBe("60 equal\n");
      await sendDatagrams(host, 1400);
    }
    const counters = await countersOf(service);
    expect(counters.get("connectionsAccepted")).toBe(120);
    expect(counters.get("datagramsIn")).toBe(80);
    expect(counters.get("forwardedToShard")).toBe(0);
    // Eight flows are all in the first worker with a probability of 2^-8 for each family.
    for (const host of [V4, V6]) await sendDatagrams(host, 5000);
    const forwarded = (await countersOf(service)).get("forwardedToShard")!;
    expect(forwarded).toBeGreaterThan(0);
    expect(forwarded).toBeLessThanOrEqual(80);
    service.signal("SIGTERM");
    expect((await service.finish(15_000)).exit).toBe(0);
  }, 60_000);

  // Without CAP_BPF the kernel distributes packets by its own hash, and the shards forward those of
  // others.
  testRequiring([...NEEDS, "program:setpriv"], "needs no privilege to steer", async () => {
    await using namespace = await Namespace.open();
    const fewer = "-bpf,-sys_admin";
    const drop = ["setpriv", "--bounding-set", fewer, "--inh-caps", fewer];
    const service = namespace.start(...drop, ...serviceCommand(...WORKERS));
    await service.printed(/Ctrl\+C/);
    expect(service.log).toContain(`steering by="the kernel's hash`);
    for (const host of [V4, V6]) {
      const options = { host, connections: 60, atOnce: 20, least: 1, most: 50_000 };
      expect(await runEchoClients(namespace, options, 30_000)).toBe("60 equal\n");
    }
    expect((await countersOf(service)).get("forwardedToShard")).toBeGreaterThan(0);
    service.signal("SIGTERM");
    expect((await service.finish(15_000)).exit).toBe(0);
  }, 60_000);

  // Twelve sockets of the kernel, datagrams whole and in fragments, to ports of both kinds.
  testRequiring(NEEDS, "serve UDP flows", async () => {
    await using namespace = await Namespace.open();
    const places = ["--listen", "udp/7=echo", "--listen", "udp/50000-50003=echo"];
    const service = await startService(namespace, ...WORKERS, ...places);
    const runs = Array.from({ length: 12 }, (_, i) => {
      const [host, port] = [i % 2 === 0 ? V4 : V6, i % 3 === 0 ? 7 : 50_000 + i % 4];
      const options = { host, port, sizes: [10, 1400, 5000], times: 20 };
      return namespace.run(programCommand("udp_client.ts", JSON.stringify(options)));
    });
    for (const out of await Promise.all(runs)) expect(out).toContain("60 equal");
    const counters = await countersOf(service);
    expect(counters.get("datagramsIn")).toBeGreaterThanOrEqual(12 * 60);
    expect(counters.get("flowsOpened")).toBe(12);
    service.signal("SIGTERM");
    expect((await service.finish(15_000)).exit).toBe(0);
  }, 60_000);

  // Answers to a shard's own port reach that shard.
  testRequiring([...NEEDS, "program:nc"], "can connect through the device", async () => {
    await using namespace = await Namespace.open();
    const publish = ["--publish", "4000=10.90.0.1:4001"];
    const service = await startService(namespace, ...WORKERS, ...publish);
    for (let i = 0; i < 8; i++) {
      const server = namespace.start("nc", "-N", "-l", "10.90.0.1", "4001");
      await namespace.shell("until ss -tln | grep -q :4001; do sleep 0.02; done");
      const client = namespace.start("nc", "-N", "127.0.0.1", "4000");
      client.say(`ahoy ${i}\n`);
      await server.printed(new RegExp(`ahoy ${i}`));
      server.say("aye\n");
      await client.printed(/aye/);
      client.hush();
      server.hush();
      await server.finish(10_000);
      await client.finish(10_000);
    }
    service.signal("SIGTERM");
    expect((await service.finish(15_000)).exit).toBe(0);
  }, 60_000);

  // Eight connections in mid-transfer and a download, in both shards: all of them finish, and new
  // ones are refused by either shard.
  testRequiring(
    [...NEEDS, "program:curl", "program:nc"],
    "lets running transfers finish at SIGTERM",
    async () => {
      await using namespace = await Namespace.open();
      const flags = [...TWO_WORKERS, "--log-level", "debug"];
      const service = await startService(namespace, ...flags);
      const transfers = await RunningTransfers.start(namespace);
      service.signal("SIGTERM");
      await service.printed(/refusing new[^]*refusing new/, "log");
      for (let i = 0; i < 6; i++) await expectRefusal(namespace, V4, 7);
      await transfers.finish();
      expect((await service.finish(15_000)).exit).toBe(0);
      expect(await namespace.run(["ip", "-brief", "link"])).not.toContain("berth0");
    },
    60_000,
  );
});

describe("more workers than processors", () => {
  // The process may use one processor: two workers would take turns on it.
  testRequiring([...NEEDS, "program:taskset"], "are refused with one line", async () => {
    await using namespace = await Namespace.open();
    const command = ["taskset", "-c", "0", ...serviceCommand("--workers", "2")];
    const { exit, log } = await namespace.start(...command).finish(15_000);
    expect(log).toMatch(
      /^berth: --workers 2: this process may use 1 processor \(its affinity, .*\), .*: omit --workers, or let .*\n$/,
    );
    expect(exit).toBe(2);
  }, 60_000);
});

describe("a worker that dies", () => {
  // A plugin terminates its thread: the service cannot continue with half of its connections.
  testRequiring([...NEEDS, "program:nc"], "ends the service with one line", async () => {
    await using namespace = await Namespace.open();
    const plugin = "9=./tests/e2e/programs/deadly_plugin.ts";
    const service = await startService(namespace, ...TWO_WORKERS, "--listen", plugin);
    namespace.start("sh", "-c", `echo die | nc -w 10 ${V4} 9`);
    const { exit, log } = await service.finish(15_000);
    expect(log).toMatch(/^berth: Worker [01] ended unexpectedly: exit code 3\n$/);
    expect(exit).toBe(1);
  }, 60_000);

  // The device is removed: this is reported once.
  testRequiring(NEEDS, "because its device was removed is reported once", async () => {
    await using namespace = await Namespace.open();
    const service = await startService(namespace, ...TWO_WORKERS);
    await namespace.run(["ip", "link", "delete", "berth0"]);
    const { exit, log } = await service.finish(15_000);
    expect(log).toBe("berth: berth0 was removed: restart to create it again\n");
    expect(exit).toBe(1);
  }, 60_000);

  // A plugin that cannot be loaded is a usage error, in a worker too.
  testRequiring(NEEDS, "at the start reports what is wrong with its flags", async () => {
    await using namespace = await Namespace.open();
    const service = namespace.start(...serviceCommand(...TWO_WORKERS, "--listen", "9=gone"));
    const { exit, log } = await service.finish(15_000);
    expect(log).toMatch(/^berth: --listen 9: there is no plugin gone: .*\n$/);
    expect(exit).toBe(2);
  }, 60_000);
});
