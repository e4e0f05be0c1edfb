import { describe, expect } from "bun:test";
import { type Program, runtimeCommand } from "../support/program.ts";
import { testRequiring } from "../support/requirements.ts";
import { type Machine, ManyMachines, SERVICE } from "./many_machines.ts";
import { NEEDS } from "./service.ts";

const LIMIT_MS = 90_000;
const COUNT = 16;
/** Each machine has its own namespace, so they can have the same port. */
const MOVES = { peers: undefined, moves: { secretFile: "secret", listen: "0.0.0.0:23947" } };

interface Report {
  readonly fewestBytes: number;
  readonly received: readonly number[];
  readonly longestGapMs: number;
  readonly faults: readonly string[];
}

/** Waits until every client has got this many more bytes, or one has failed. */
async function progress(clients: Program, bytes: number): Promise<Report> {
  const { fewestBytes } = await reportOf(clients);
  for (;;) {
    const report = await reportOf(clients);
    if (report.fewestBytes >= fewestBytes + bytes || report.faults.length > 0) return report;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

async function reportOf(clients: Program): Promise<Report> {
  const seen = clients.out.length;
  clients.say("report\n");
  for (;;) {
    const [, text] = /report (.*)\n/.exec(clients.out.slice(seen)) ?? [];
    if (text !== undefined) return JSON.parse(text);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

async function startClients(network: ManyMachines, count = COUNT): Promise<Program> {
  const clients = network.client.start(
    ...runtimeCommand("tests/e2e/programs/moving_transfers.ts", SERVICE, "7", String(count)),
  );
  await clients.printed(/running/);
  return clients;
}

async function drain(from: Machine, to: string): Promise<Record<string, unknown>> {
  const flags = ["--to", to, "--admin", `unix:${from.admin}`, "--json"];
  return JSON.parse(await from.namespace.run(runtimeCommand("main.ts", "drain", ...flags)));
}

describe("connections with the Linux kernel as the peer", () => {
  // The connections transfer data in both directions while they move to a second and to a third machine. For some
  // time after each move, the router still sends to the previous machine, which passes the packets on.
  for (const profile of ["local", "internet"] as const) {
    testRequiring(NEEDS, `move in mid-transfer, profile ${profile}`, async () => {
      await using network = await ManyMachines.open({ machines: 3, profile, settings: MOVES });
      const { machines } = network;
      await network.start(machines);
      await network.route(machines.slice(0, 1));
      const clients = await startClients(network);
      for (const [from, to] of [[0, 1], [1, 2]] as const) {
        await progress(clients, 500_000);
        const report = await drain(machines[from]!, `${machines[to]!.address}:23947`);
        expect(report).toMatchObject({ connections: 0, moved: COUNT, stayed: 0, lost: 0 });
        expect((await progress(clients, 500_000)).faults).toEqual([]);
        await network.route(machines.slice(to, to + 1));
        expect((await progress(clients, 500_000)).faults).toEqual([]);
        machines[from]!.service!.signal("SIGTERM");
        await machines[from]!.service!.ended;
      }
      clients.say("end\n");
      const { out } = await clients.finish(30_000);
      expect(out.split("\n").at(-2)).toBe(`${COUNT} equal`);
    }, LIMIT_MS);
  }

  // A connection belongs to the sender before the commit and to the receiver after it, never to both, so connections
  // that have not moved continue whenever the receiver dies.
  testRequiring([...NEEDS, "program:curl"], "survive a receiver that dies in a move", async () => {
    const profile = "internet";
    await using network = await ManyMachines.open({ machines: 2, profile, settings: MOVES });
    const [sender, receiver] = network.machines as [Machine, Machine];
    await network.start([sender, receiver]);
    await network.route([sender]);
    const clients = await startClients(network, 100);
    await progress(clients, 100_000);
    const url = `http://localhost/drain?to=${receiver.address}:23947`;
    const draining = sender.namespace.start(
      ...["curl", "-s", "-X", "POST", "--unix-socket", sender.admin, url],
    );
    const stats = `curl -s --unix-socket ${receiver.admin} http://localhost/stats`;
    await receiver.namespace.shell(`until ${stats} | grep -q 'Thawed": *[1-9]'; do :; done`);
    await receiver.service!.kill();
    await draining.ended;
    const { moved, stayed, lost } = JSON.parse(draining.out);
    expect(moved + stayed + lost).toBe(100);
    expect(lost).toBeLessThanOrEqual(8);
    const before = (await reportOf(clients)).received;
    for (let working = 0; working < stayed;) {
      const { received } = await reportOf(clients);
      working = received.filter((bytes, i) => bytes > before[i]! + 200_000).length;
    }
    expect((await reportOf(clients)).faults.length).toBeLessThanOrEqual(moved + lost);
  }, LIMIT_MS);
});
