/**
 * Measures the cost of metrics: `metrics.ts [CONNECTIONS] [ROUNDS]`. Prints two lines of JSON: how long a scrape
 * takes with that many open connections, and how many HTTP requests a stack serves in a second of processor time,
 * with its clients in the same thread, with metrics that are scraped once a second, and without metrics. It measures
 * processor time, because two runs differ by more than the cost of metrics.
 *
 * @module
 */
import process from "node:process";
import { linkPair } from "../../adapters/links/memory.ts";
import { processMetrics } from "../../adapters/service/metrics/process_metrics.ts";
import { exportMetrics } from "../../adapters/service/metrics/service_metrics.ts";
import { createStack } from "../../core/api/stack.ts";
import { systemClock } from "../../core/api/environment.ts";
import type { Stack, TcpSocket } from "../../core/api/types.ts";
import { echo } from "../../plugins/echo.ts";
import { http } from "../../plugins/http.ts";
import { burstClockOf } from "../../plugins/shared/http/burst_clock.ts";
import { RequestObserver } from "../../plugins/shared/http/request_observer.ts";
import { median, report } from "./report.ts";

/** Connections per server port, and that are opened at a time. */
const PER_PORT = 40_000;
const AT_ONCE = 256;
const FIRST_PORT = 1000;
const SCRAPES = 15;
const ROUND_MS = 100;
/** Rounds between two scrapes. */
const SCRAPE_EVERY = 10;
const CLIENTS = 16;
/** Seconds that warm up the compilers. */
const WARM_UP = 2;
const REQUESTS_ALONE = 500_000;
const ROUNDS_ALONE = 9;

async function main(): Promise<void> {
  const connections = Number(process.argv[2] ?? 100_000);
  const rounds = Number(process.argv[3] ?? 90);
  report("scrape", { connections, ...await measureScrapes(connections) });
  report("metrics", await measureThroughput(rounds));
}

function stackPair(): { client: Stack; server: Stack } {
  const [left, right] = linkPair();
  return {
    client: createStack({ link: left, addresses: ["10.0.0.1/24"] }),
    server: createStack({ link: right, addresses: ["10.0.0.2/24"] }),
  };
}

function scraper(server: Stack): () => Promise<string> {
  const metrics = () => Promise.resolve([...server.metrics(), ...processMetrics()]);
  return exportMetrics({ metrics }, () => []);
}

async function measureScrapes(connections: number): Promise<Readonly<Record<string, number>>> {
  const { client, server } = stackPair();
  const sockets: TcpSocket[] = [];
  for (let port = 0; port * PER_PORT < connections; port++) server.use(FIRST_PORT + port, echo());
  while (sockets.length < connections) {
    const count = Math.min(AT_ONCE, connections - sockets.length);
    const opened = Array.from({ length: count }, (_, i) => {
      const number = sockets.length + i;
      return client.connect(`10.0.0.2:${FIRST_PORT + Math.floor(number / PER_PORT)}`, {
        localPort: 10_000 + number % PER_PORT,
      });
    });
    await Promise.all(opened.map((socket) => socket.opened));
    sockets.push(...opened);
  }
  const scrape = scraper(server);
  const times: number[] = [];
  let length = 0;
  for (let i = 0; i < SCRAPES; i++) {
    await new Promise((resolve) => setTimeout(resolve, 100));
    const began = performance.now();
    length = (await scrape()).length;
    times.push(performance.now() - began);
  }
  return {
    scrapeMs: Math.round(median(times) * 10) / 10,
    slowestMs: Math.round(Math.max(...times) * 10) / 10,
    textBytes: length,
  };
}

async function measureThroughput(rounds: number): Promise<Readonly<Record<string, number>>> {
  const plain = await startClients();
  const measured = await startClients();
  const scrape = scraper(measured.server);
  await scrape();
  /** Requests in each second, which has one scrape. */
  const seconds: { off: number; on: number }[] = [];
  for (let second = -WARM_UP; second < rounds / SCRAPE_EVERY; second++) {
    const off = { requests: 0, seconds: 0 };
    const on = { requests: 0, seconds: 0 };
    for (let round = 0; round < SCRAPE_EVERY; round++) {
      const runs = [
        { clients: plain, total: off, scrape: undefined },
        { clients: measured, total: on, scrape: round === 0 ? scrape : undefined },
      ];
      for (const { clients, total, scrape } of round % 2 === 0 ? runs : runs.reverse()) {
        const before = process.cpuUsage();
        total.requests += await clients.run(scrape);
        const { user, system } = process.cpuUsage(before);
        total.seconds += (user + system) / 1e6;
      }
    }
    if (second < 0) continue;
    seconds.push({ off: off.requests / off.seconds, on: on.requests / on.seconds });
  }
  const rateOff = median(seconds.map(({ off }) => off));
  return {
    requestsPerCpuSecondOff: Math.round(rateOff),
    requestsPerCpuSecondOn: Math.round(median(seconds.map(({ on }) => on))),
    costPercent: Math.round(10_000 * median(seconds.map(({ off, on }) => 1 - on / off))) / 100,
    ...await observed(rateOff),
  };
}

/**
 * Measures only what metrics add to a request in turns of {@link CLIENTS}, because on a busy machine the difference
 * between two runs is mostly noise.
 */
async function observed(rate: number): Promise<Readonly<Record<string, number>>> {
  const observer = new RequestObserver(undefined);
  const read = () => observer.metrics;
  read();
  const clock = burstClockOf(systemClock);
  const figures: number[] = [];
  for (let round = 0; round < ROUNDS_ALONE; round++) {
    const before = process.cpuUsage();
    for (let turn = 0; turn < REQUESTS_ALONE / CLIENTS; turn++) {
      for (let i = 0; i < CLIENTS; i++) observer.ended(clock, turn, 200);
      await undefined;
    }
    const { user, system } = process.cpuUsage(before);
    figures.push((user + system) * 1000 / REQUESTS_ALONE);
  }
  const nanoseconds = Math.min(...figures);
  return {
    observedNanoseconds: Math.round(nanoseconds),
    observedPercent: Math.round(nanoseconds * rate / 1e5) / 100,
  };
}

/** A server and its clients, which send requests for one round at a time. */
async function startClients() {
  const { client, server } = stackPair();
  server.use(80, http({ fetch: () => new Response("ahoy") }));
  const request = new TextEncoder().encode("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
  const sockets = Array.from({ length: CLIENTS }, () => client.connect("10.0.0.2:80"));
  await Promise.all(sockets.map((socket) => socket.opened));
  return {
    server,
    /** Returns the number of requests. */
    async run(scrape?: () => Promise<string>): Promise<number> {
      const end = performance.now() + ROUND_MS;
      let count = 0;
      const requests = sockets.map(async (socket) => {
        const buffer = new Uint8Array(4096);
        while (performance.now() < end) {
          await socket.write(request);
          await socket.read(buffer);
          count++;
        }
      });
      if (scrape !== undefined) await scrape();
      await Promise.all(requests);
      return count;
    },
  };
}

await main();
process.exit();
