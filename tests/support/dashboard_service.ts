/**
 * The service as a process, with a dashboard, an impaired link and clients.
 *
 * @module
 */
import type { HostConnection } from "../../adapters/host/connection.ts";
import { dialHost } from "../../adapters/host/dial.ts";
import { type Run, start } from "./service_run.ts";
import { TemporaryFolder } from "./temporary_folder.ts";

const LOSSY = { seed: 4, delayMs: 12, loss: 0.004, bitsPerSecond: 8_000_000, queueBytes: 50_000 };

/** A running service; its processes are ended by `endRuns`. */
export interface DashboardService extends Disposable {
  readonly run: Run;
  /** A URL that signs in. */
  url(): Promise<string>;
}

/** Starts it: three downloads over a lossy link, 20 echo clients, and an upstream that is down. */
export async function startDashboardService(): Promise<DashboardService> {
  const folder = new TemporaryFolder();
  const clients: HostConnection[] = [];
  const config = folder.write(
    "berth.json",
    JSON.stringify({
      listen: {
        "19": "chargen",
        "7": "echo",
        "udp/7": "echo",
        "10.7.0.2:8000-8099": "forward:127.0.0.1:9",
      },
      publish: ["0=10.7.0.2:19", "0=10.7.0.2:7"],
      profile: "internet",
      impair: { ...LOSSY, incoming: { delayMs: 12 } },
      admin: "unix:admin.sock",
      logLevel: "warn",
    }),
  );
  const run = start("--config", config);
  const [, chargen, echo] = await run.printed(
    /127\.0\.0\.1:(\d+) for[^\n]*chargen\n[^\n]*127\.0\.0\.1:(\d+) for[\s\S]*Ctrl\+C/,
  );
  const dial = async (port: string) => {
    const client = await dialHost({ hostname: "127.0.0.1", port: Number(port) });
    clients.push(client);
    return client;
  };
  for (let i = 0; i < 3; i++) void readAll(await dial(chargen!));
  for (let i = 0; i < 20; i++) {
    const client = await dial(echo!);
    void readAll(client);
    void writeAgain(client, 100 * (i + 1), 80 + 30 * i);
  }
  const command = start("dashboard", "--config", config);
  const [, url] = await command.printed(/open (\S+)/);
  return {
    run,
    url: () => Promise.resolve(url!),
    [Symbol.dispose]() {
      for (const client of clients) client.abort();
      folder[Symbol.dispose]();
    },
  };
}

async function readAll(client: HostConnection): Promise<void> {
  const buffer = new Uint8Array(65_536);
  while (await client.read(buffer).catch(() => null) !== null);
}

async function writeAgain(client: HostConnection, size: number, everyMs: number): Promise<void> {
  while (await client.write(new Uint8Array(size)).then(() => true, () => false)) {
    await new Promise((resolve) => setTimeout(resolve, everyMs));
  }
}
