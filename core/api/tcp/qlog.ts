/**
 * Event logs as qlog files (draft-ietf-quic-qlog-main-schema): a header, then one event per line.
 *
 * @module
 */
import type { TcpEvent } from "../../tcp/event_log/events.ts";
import type { TcpEventLog } from "../types.ts";

/** Names the events in qlog headers; `tcp-events.schema.json` describes them. */
const EVENT_SCHEMA = "urn:berth:qlog:events:tcp";
/** Lines in one chunk of a stream. */
const MAX_LINES = 256;

/** Options of {@link qlogHeader} and {@link qlogStream}. */
export interface QlogOptions {
  /**
   * `"json-seq"` (RFC 7464), the default: each line begins with a record separator; `"ndjson"`: without,
   * for tools that read a JSON text from each line.
   */
  format?: "json-seq" | "ndjson";
  /** Shown by tools, such as the addresses of the connection. */
  title?: string;
  /** The side that recorded the log. Default for {@link qlogStream}: that of the snapshot. */
  vantagePoint?: "client" | "server";
  /** The time of day at which the stack's clock was 0. */
  clockStarted?: Date;
}

/**
 * The header of a qlog file, as one line.
 *
 * @example
 * ```ts
 * import { qlogHeader } from "@berth/berth";
 *
 * const header = JSON.parse(qlogHeader({ format: "ndjson", title: "10.0.0.2:50000 to port 7" }));
 * if (header.serialization_format !== "application/x-ndjson") throw new Error("another format");
 * ```
 */
export function qlogHeader(options: QlogOptions = {}): string {
  const { format, title, vantagePoint = "unknown", clockStarted } = options;
  const header = {
    file_schema: "urn:ietf:params:qlog:file:sequential",
    serialization_format: format === "ndjson"
      ? "application/x-ndjson"
      : "application/qlog+json-seq",
    ...title !== undefined && { title },
    trace: {
      common_fields: {
        time_format: "relative_to_epoch",
        reference_time: {
          clock_type: "monotonic",
          epoch: "unknown",
          ...clockStarted !== undefined && { wall_clock_time: clockStarted.toISOString() },
        },
      },
      vantage_point: { type: vantagePoint },
      event_schemas: [EVENT_SCHEMA],
    },
  };
  return lineOf(header, options);
}

/**
 * An event as one line.
 *
 * @example
 * ```ts
 * import { createStack, qlogHeader, qlogLine } from "@berth/berth";
 * import { linkPair } from "@berth/berth/links";
 * import { echo } from "@berth/berth/plugins";
 *
 * const [here, there] = linkPair();
 * await using server = createStack({ link: here, addresses: ["10.0.0.1/24"] });
 * server.use(7, echo());
 * await using client = createStack({ link: there, addresses: ["10.0.0.2/24"] });
 * const socket = client.connect("10.0.0.1:7");
 * const log = socket.eventLog();
 * await socket.opened;
 * await socket.close();
 *
 * const format = "ndjson";
 * let file = qlogHeader({ format });
 * for (const event of log.take()) file += qlogLine(event, { format });
 * console.log(file);
 * ```
 */
export function qlogLine(event: TcpEvent, options: Pick<QlogOptions, "format"> = {}): string {
  return lineOf(event, options);
}

function headerFor(first: TcpEvent, options: QlogOptions): string {
  return qlogHeader(
    first.name === "tcp:snapshot" ? { vantagePoint: first.data.role, ...options } : options,
  );
}

function lineOf(value: object, { format }: Pick<QlogOptions, "format">): string {
  return `${format === "ndjson" ? "" : "\x1e"}${JSON.stringify(value)}\n`;
}

/**
 * A log as a qlog file. It may be read slowly, since the log is bounded. Cancelling the stream closes
 * the log.
 *
 * @example
 * ```ts
 * import { createStack, qlogStream } from "@berth/berth";
 * import { linkPair } from "@berth/berth/links";
 * import { echo } from "@berth/berth/plugins";
 *
 * const [here, there] = linkPair();
 * await using server = createStack({ link: here, addresses: ["10.0.0.1/24"] });
 * server.use(7, echo());
 * await using client = createStack({ link: there, addresses: ["10.0.0.2/24"] });
 * const socket = client.connect("10.0.0.1:7");
 * const file = qlogStream(socket.eventLog(), { title: "a short connection" });
 * await socket.write(new TextEncoder().encode("ahoy"));
 * await socket.read(new Uint8Array(4));
 * await socket.close();
 * console.log(await new Response(file).text());
 * ```
 */
export function qlogStream(
  log: TcpEventLog,
  options: QlogOptions = {},
): ReadableStream<Uint8Array<ArrayBuffer>> {
  const encoder = new TextEncoder();
  const events = log[Symbol.asyncIterator]();
  let text = "";
  let hasBegun = false;
  let waiting: TcpEvent[] = [];
  return new ReadableStream({
    async pull(controller) {
      while (text === "") {
        if (waiting.length === 0) {
          const { done, value } = await events.next();
          if (done) return controller.close();
          waiting = [value, ...log.take()];
        }
        if (!hasBegun) controller.enqueue(encoder.encode(headerFor(waiting[0]!, options)));
        hasBegun = true;
        text = waiting.splice(0, MAX_LINES).map((event) => qlogLine(event, options)).join("");
      }
      controller.enqueue(encoder.encode(text));
      text = "";
    },
    cancel: () => log.close(),
  }, { highWaterMark: 0 });
}
