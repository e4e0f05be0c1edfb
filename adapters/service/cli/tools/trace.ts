/**
 * `berth trace`: the event log of a live connection, or of the next one, in a readable form.
 *
 * @module
 */
import type { TcpEvent } from "../../../../core/tcp/event_log/events.ts";
import type { ConnectionPage } from "../../admin/connections.ts";
import { UsageError } from "../../errors.ts";
import type { AdminClient } from "./admin_client.ts";
import { EventLines } from "./event_lines.ts";
import { linesOf } from "./lines.ts";
import type { Tool, ToolArguments } from "./tool.ts";

/** The command. */
export const TRACE: Tool = {
  help:
    "the event log of a connection: CONNECTION (its ID, or text that only its row has) or --next [-v] [--json]",
  usage: "CONNECTION|--next [--port PORT] [--remote NETWORK] [-v] [--json]",
  flags: {
    next: { help: "the next connection that a peer opens, from its SYN on" },
    port: { value: "PORT", help: "with --next: its local port" },
    remote: {
      value: "NETWORK",
      help: "with --next: the peer's address, or a network that it is in",
    },
    verbose: { short: "v", help: "timers, and every change of the metrics" },
    json: { help: "print the events as they are, one per line" },
  },
  check({ words, flags: { next, port, remote } }) {
    if (next && words.length > 0) throw new UsageError("trace: --next: expected no connection");
    if (!next && (port ?? remote) !== undefined) {
      throw new UsageError("trace: --port and --remote choose the next connection: add --next");
    }
    if (next || words.length === 1) return;
    throw new UsageError(
      "trace: expected one connection, such as 10.7.0.2:80-10.0.0.9:52114 of berth connections",
    );
  },
  async run({ flags, words, service, out, signal }) {
    const stream = await service.open(
      flags["next"]
        ? `/connections/next/events?${nextQuery(flags)}`
        : `/connections/${
          encodeURIComponent(await findConnection(service, words[0]!))
        }/events?format=ndjson`,
      signal,
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

function nextQuery({ port, remote }: ToolArguments["flags"]): URLSearchParams {
  return new URLSearchParams({
    format: "ndjson",
    ...typeof port === "string" && { port },
    ...typeof remote === "string" && { remote },
  });
}

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
