/**
 * One stream of HTTP/2 as a Request and its Response (RFC 9113 8).
 *
 * @module
 */
import type { IncomingHttpHeaders, OutgoingHttpHeaders, ServerHttp2Stream } from "node:http2";
import { constants } from "node:http2";
import { badRequest, RequestBodyError } from "../../../plugins/shared/http/refusal.ts";

/** Header fields that concern one connection only (RFC 9113 8.2.2). */
const CONNECTION_FIELDS = new Set([
  "connection",
  "keep-alive",
  "proxy-connection",
  "transfer-encoding",
  "upgrade",
]);

/**
 * The Request of a stream.
 *
 * @throws {TypeError} Fetch has no such request.
 */
export function requestOf(
  stream: ServerHttp2Stream,
  fields: IncomingHttpHeaders,
  authority: string,
  hasBody: boolean,
): Request {
  const method = String(fields[":method"]);
  const scheme = fields[":scheme"] === "https" ? "https" : "http";
  const host = fields[":authority"] ?? fields.host ?? authority;
  const url = new URL(`${scheme}://${host}${fields[":path"] ?? "/"}`);
  const headers = new Headers();
  for (const [name, value] of Object.entries(fields)) {
    if (name.startsWith(":") || value === undefined) continue;
    // RFC 9113 8.2.3: cookies come in pieces.
    if (Array.isArray(value)) { for (const each of value) headers.append(name, each); }
    else headers.append(name, value);
  }
  if (!headers.has("host")) headers.set("host", String(host));
  const gone = new AbortController();
  stream.once("aborted", () => gone.abort());
  stream.once("close", () => gone.abort());
  const body = hasBody && method !== "GET" && method !== "HEAD" ? bodyOf(stream) : null;
  const init = { method, headers, body, signal: gone.signal, duplex: "half" };
  return new Request(url, init as RequestInit);
}

/** Pulls as its reader does: the stream's window closes while nobody reads. */
function bodyOf(stream: ServerHttp2Stream): ReadableStream<Uint8Array<ArrayBuffer>> {
  const chunks = stream[Symbol.asyncIterator]();
  return new ReadableStream<Uint8Array<ArrayBuffer>>({
    async pull(controller) {
      // What the client did to its stream is no failure of the application that reads: Hono and the
      // plugin know this error, and log none of it.
      const next = await chunks.next().catch((error: Error) => {
        throw brokenBody(error.message);
      });
      if (!next.done) return controller.enqueue(new Uint8Array(next.value));
      if (stream.aborted || stream.rstCode !== constants.NGHTTP2_NO_ERROR) {
        throw brokenBody("the stream was reset");
      }
      controller.close();
    },
    async cancel() {
      await chunks.return?.();
    },
  }, { highWaterMark: 0 });
}

function brokenBody(reason: string): RequestBodyError {
  return new RequestBodyError(badRequest(`the request body broke off: ${reason}`));
}

/** Sends a response; resolves when all of it has been handed to the stream, or the stream is gone. */
export async function respond(
  stream: ServerHttp2Stream,
  response: Response,
  isHead: boolean,
): Promise<void> {
  if (stream.destroyed || stream.headersSent) return await response.body?.cancel();
  const body = isHead ? null : response.body;
  stream.respond(fieldsOf(response), { endStream: body === null });
  if (body === null) return await response.body?.cancel();
  try {
    for await (const chunk of body) {
      if (stream.destroyed) return;
      if (!stream.write(chunk)) await drained(stream);
    }
    stream.end();
  } catch (error) {
    stream.close(constants.NGHTTP2_INTERNAL_ERROR);
    throw error;
  }
}

function fieldsOf({ status, headers }: Response): OutgoingHttpHeaders {
  const fields: OutgoingHttpHeaders = { ":status": status };
  for (const [name, value] of headers) {
    if (!CONNECTION_FIELDS.has(name) && name !== "set-cookie") fields[name] = value;
  }
  const cookies = headers.getSetCookie();
  if (cookies.length > 0) fields["set-cookie"] = cookies;
  return fields;
}

function drained(stream: ServerHttp2Stream): Promise<void> {
  return new Promise((resolve) => {
    const go = () => {
      stream.removeListener("drain", go);
      stream.removeListener("close", go);
      resolve();
    };
    stream.once("drain", go);
    stream.once("close", go);
  });
}
