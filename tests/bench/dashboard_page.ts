/**
 * Measures how long a person waits for a service with many connections: `dashboard_page.ts [CONNECTIONS] [RUNS]`.
 * Prints a line of JSON with medians in milliseconds: from the navigation to the first page of the dashboard in
 * Chromium (25 rows, signed in), until `ss` has printed every connection, the same for `--help` as the cost of
 * starting, and for a refresh of `top`. The connections are fakes, so that the figures are those of the admin API,
 * the page and the commands.
 *
 * @module
 */
import process from "node:process";
import { AdminClient } from "../../adapters/service/cli/tools/admin_client.ts";
import { Sampler } from "../../adapters/service/cli/tools/top/sampler.ts";
import { Chromium } from "../support/chromium.ts";
import { DASHBOARD_TOKEN, TestDashboard } from "../support/dashboard.ts";
import { fakeConnection } from "../support/fake_connection.ts";
import { Program, runtimeCommand } from "../support/program.ts";
import { ROOT } from "../support/source_files.ts";
import { TemporaryFolder } from "../support/temporary_folder.ts";
import { median, report } from "./report.ts";

const LIMIT_MS = 120_000;
/** Resolves with the milliseconds since the navigation once the table is full. */
const FULL = `new Promise((resolve) => {
  const look = () => document.querySelectorAll("section .scroll tbody tr").length === 25
    ? resolve(performance.now())
    : requestAnimationFrame(look);
  look();
})`;

async function main(): Promise<void> {
  const count = Number(process.argv[2] ?? 100_000);
  const runs = Number(process.argv[3] ?? 5);
  const connections = Array.from({ length: count }, (_, index) => ({
    ...fakeConnection({
      port: index % 65_536,
      plugin: index % 3 === 0 ? "echo" : "http",
      ageSeconds: index % 5000,
      stats: { bytesIn: index * 100, bytesOut: index, srttMs: 20 + index % 9 },
    }),
    localAddr: { transport: "tcp" as const, hostname: `10.0.${index >> 16}.1`, port: 80 },
  }));
  const packets = { packetsIn: 1, packetsOut: 1, bytesIn: 1, bytesOut: 1 };
  await using dashboard = await TestDashboard.open({
    connections: () => connections,
    stats: () => ({ ...packets, connections: count }),
  });
  const pageMs = await pages(dashboard, runs);
  using folder = new TemporaryFolder();
  const { host, hostname, port } = new URL(dashboard.origin);
  const admin = { listen: host, token: DASHBOARD_TOKEN };
  const config = folder.write("berth.json", JSON.stringify({ admin }));
  const ssMs = await commandTimes(["ss", "--config", config], runs);
  const helpMs = await commandTimes(["--help"], runs);
  const topMs = await refreshes(
    new AdminClient({ ...admin, listen: { hostname, port: Number(port) } }),
    runs,
  );
  report("many connections, seen by a person", {
    connections: count,
    pageMs: Math.round(median(pageMs)),
    slowestPageMs: Math.round(Math.max(...pageMs)),
    ssMs: Math.round(median(ssMs)),
    helpMs: Math.round(median(helpMs)),
    topRefreshMs: Math.round(median(topMs)),
  });
}

/** Opens the page in a new tab `runs` times. */
async function pages(dashboard: TestDashboard, runs: number): Promise<readonly number[]> {
  await using browser = await Chromium.open();
  const times: number[] = [];
  for (let run = 0; run < runs; run++) {
    const tab = await browser.visit(await dashboard.url());
    times.push(await tab.evaluate(FULL) as number);
    await tab.evaluate("location.replace('about:blank')");
  }
  return times;
}

/** Runs a command `runs` times. */
async function commandTimes(args: readonly string[], runs: number): Promise<readonly number[]> {
  const times: number[] = [];
  for (let run = 0; run < runs; run++) {
    const began = performance.now();
    const program = new Program(runtimeCommand("main.ts", ...args), ROOT);
    program.hush();
    const { exit, out, log } = await program.finish(LIMIT_MS);
    if (exit !== 0 || out === "") throw new Error(`${args[0]} ended with ${exit}: ${log}`);
    times.push(performance.now() - began);
  }
  return times;
}

/** Takes `runs` samples as `top` does. */
async function refreshes(service: AdminClient, runs: number): Promise<readonly number[]> {
  const sampler = new Sampler(service, () => performance.now());
  const query = { filter: "", sort: "outRate", descending: true, offset: 0, limit: 40 };
  const times: number[] = [];
  for (let run = 0; run < runs; run++) {
    const began = performance.now();
    await sampler.take(query);
    times.push(performance.now() - began);
  }
  return times;
}

await main();
process.exit();
