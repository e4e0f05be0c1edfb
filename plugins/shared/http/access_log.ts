/**
 * Lines of an access log, in the formats that log analysers read.
 *
 * @module
 */
import { z } from "zod";
import { parseHostPort } from "../../../core/api/host_port.ts";
import type { Context } from "../../../core/api/types.ts";
import type { RequestHead } from "./request_head.ts";

/**
 * `"common"`: client, time, request line, status and bytes, as NCSA httpd wrote them; `"combined"`: with
 * `Referer` and `User-Agent`.
 */
export type AccessLogFormat = "common" | "combined";

/** The schema of the option. */
export const accessLogSchema: z.ZodOptional<z.ZodEnum<{ common: "common"; combined: "combined" }>> =
  z.enum(["common", "combined"], {
    error: ({ input }) => `expected "common" or "combined", got ${JSON.stringify(input)}`,
  }).optional();

/** The message of a line; its field `line` is the text. */
export const ACCESS_MESSAGE = "access";

type LoggedHead = Pick<RequestHead, "method" | "target"> & Partial<Pick<RequestHead, "fields">>;

/** A request whose response has ended. */
export interface ServedRequest {
  /** Absent: there was no valid head. A request that was refused may have no fields. */
  readonly head: LoggedHead | undefined;
  readonly status: number;
  /** Bytes of content, as they were sent. */
  readonly bytes: number;
  /** Such as `"HTTP/1.1"`. */
  readonly protocol: string;
}

/** The line of a request of `c`, at level `info` of its log. */
export function logAccess(c: Context, format: AccessLogFormat, request: ServedRequest): void {
  c.log.info(ACCESS_MESSAGE, { line: accessLine(clientOf(c), format, request, new Date()) });
}

/** The client's address, from the PROXY header if there was one. */
function clientOf(c: Context): string {
  const behind = c.get<string>("client");
  const client = behind === undefined ? undefined : parseHostPort(behind)?.hostname;
  return client ?? c.socket.remoteAddr.hostname;
}

/** A line without a newline. Text that the client has chosen is escaped as in nginx. */
export function accessLine(
  client: string,
  format: AccessLogFormat,
  { head, status, bytes, protocol }: ServedRequest,
  at: Date,
): string {
  const request = head === undefined
    ? ""
    : `${escaped(head.method)} ${escaped(head.target)} ${protocol}`;
  const line = `${client} - - [${formatTime(at)}] "${request}" ${status} ${bytes}`;
  if (format === "common") return line;
  return `${line} "${fieldOf(head, "referer")}" "${fieldOf(head, "user-agent")}"`;
}

function fieldOf(head: LoggedHead | undefined, name: string): string {
  const { fields = [] } = head ?? {};
  for (let i = 0; i < fields.length; i += 2) {
    if (fields[i]!.toLowerCase() === name) return escaped(fields[i + 1]!);
  }
  return "-";
}

function escaped(text: string): string {
  return text.replace(/["\\]|[^\x20-\x7e]/g, (character) => {
    const code = character.charCodeAt(0);
    return code < 256
      ? `\\x${code.toString(16).toUpperCase().padStart(2, "0")}`
      : `\\u${code.toString(16).padStart(4, "0")}`;
  });
}

const MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(" ");

function formatTime(at: Date): string {
  const day = String(at.getUTCDate()).padStart(2, "0");
  const time = at.toISOString().slice(11, 19);
  return `${day}/${MONTHS[at.getUTCMonth()]}/${at.getUTCFullYear()}:${time} +0000`;
}
