/**
 * `berth trace`: the event log of a live connection, in a readable form.
 *
 * @module
 */
import type { TcpEvent } from "../../../../core/tcp/event_log/events.ts";
import type { ConnectionPage } from "../../admin/connections.ts";
import { UsageError } from "../../errors.ts";
import type { AdminClient } from "./admin_client.ts";
import { EventLines } from "./event_lines.ts";
import { linesOf } from "./lines.ts";
import type { Tool } from "./tool.ts";

/** The command. */
export const TRACE: Tool = {
  help: "the event log of a connection: CONNECTION (an ID, or text in one row) [-v] [--json]",
  usage: "CONNECTION [-v] [--json]",
  flags: {
    verbose: { short: "v", help: "timers, and every change of the metrics" },
    json: { help: "print the events as they are, one per line" },
  },
  check({ words }) {
    if (words.length === 1) return;
    throw new UsageError(
      "trace: expected one connection, such as 10.7.0.2:80-10.0.0.9:52114 of berth connections",
    );
  },
  async run({ flags, words, service, out, signal }) {
    const id = await findConnection(service, words[0]!);
    const stream = await service.open(
      `/connections/${encodeURIComponent(id)}/events?format=ndjson`,
    );
    const stop = () => stream.close();
    signal.addEventListener("abort", stop);
    let lines: EventLines | undefined;
    for await (const line of linesOf(stream)) {
      const value = JSON.parse(line);
      lines ??= new EventLines({
        clockStarted: startOf(value),
        verbose: flags["verbose"] === true,
      });
      const text = flags["json"]
        ? line
        : "name" in value
        ? lines.format(value as TcpEvent)
        : undefined;
      if (text !== undefined && !await out.write(`${text}\n`)) break;
    }
    signal.removeEventListener("abort", stop);
    stop();
  },
};

/** @throws {UsageError} The text does not name one connection. */
async function findConnection(service: AdminClient, text: string): Promise<string> {
  const query = new URLSearchParams({ filter: text, limit: "5" });
  const { total, connections } = await service.ask<ConnectionPage>("GET", `/connections?${query}`);
  const exact = connections.find(({ id }) => id === text);
  if (exact !== undefined) return exact.id;
  if (total === 1) return connections[0]!.id;
  throw new UsageError(
    total === 0
      ? `trace: no connection has "${text}" in a field: see berth connections`
      : `trace: ${total} connections have "${text}" in a field, such as ` +
        connections.slice(0, 2).map(({ id }) => id).join(" and "),
  );
}

/** The time of day of the log's time 0. */
function startOf(header: unknown): number {
  const { trace } = Object(header);
  return Date.parse(trace?.common_fields?.reference_time?.wall_clock_time ?? "") || 0;
}
