/**
 * A request as it is sent (RFC 9112 3).
 *
 * @module
 */
import type { TcpSocket } from "../../core/api/types.ts";
import { bytesOf } from "../shared/http/characters.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** A body: known in full, which can be sent again after a redirect, or a stream. */
export type RequestContent = Bytes | ReadableStream<Uint8Array> | undefined;

/** A request to one server. */
export interface OutgoingRequest {
  readonly method: string;
  readonly url: URL;
  readonly headers: Headers;
  readonly content: RequestContent;
}

/** Fields of the connection, which this client sets itself (RFC 9110 7.6.1). */
const OWN_FIELDS = [
  "connection",
  "content-length",
  "expect",
  "keep-alive",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
];

/** Methods whose requests state the length of an empty body (RFC 9110 8.6). */
const WITH_BODY = ["POST", "PUT", "PATCH"];

/** The head. Each connection carries one request. */
export function requestHead({ method, url, headers, content }: OutgoingRequest): Bytes {
  const fields = new Headers(headers);
  for (const name of OWN_FIELDS) fields.delete(name);
  const host = fields.get("host") ?? url.host;
  fields.delete("host");
  if (!fields.has("accept")) fields.set("accept", "*/*");
  if (!fields.has("accept-encoding")) fields.set("accept-encoding", "identity");
  if (!fields.has("user-agent")) fields.set("user-agent", "berth");
  fields.set("connection", "close");
  if (content instanceof ReadableStream) fields.set("transfer-encoding", "chunked");
  else if (content !== undefined || WITH_BODY.includes(method)) {
    fields.set("content-length", String(content?.length ?? 0));
  }
  const lines = [...fields].map(([name, value]) => `${name}: ${value}\r\n`).join("");
  return bytesOf(
    `${method} ${url.pathname}${url.search} HTTP/1.1\r\nhost: ${host}\r\n${lines}\r\n`,
  );
}

/**
 * Sends the body. Stops without an error when the connection accepts no more bytes: the server may answer before it has
 * read the whole body.
 *
 * @throws What the stream of the body throws.
 */
export async function sendContent(socket: TcpSocket, content: RequestContent): Promise<void> {
  if (content === undefined) return;
  if (!(content instanceof ReadableStream)) return await ignoringEnd(socket.write(content));
  const reader = content.getReader();
  let ended = false;
  void socket.closed.catch(() => {}).then(() => {
    ended = true;
    // Ends a pending read; fails without effect if everything has been sent.
    reader.cancel(new TypeError("the connection has ended")).catch(() => {});
  });
  const write = async (bytes: Bytes): Promise<void> => {
    await socket.write(bytes).catch(() => ended = true);
  };
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      if (!(value instanceof Uint8Array)) {
        throw new TypeError("a chunk of the request body is not a Uint8Array");
      }
      if (value.length > 0) await write(chunk(value));
      if (ended) return;
    }
    await write(bytesOf("0\r\n\r\n"));
  } finally {
    if (ended) reader.cancel(new TypeError("the connection has ended")).catch(() => {});
    else reader.releaseLock();
  }
}

/** A chunk with `data` (RFC 9112 7.1). */
function chunk(data: Uint8Array): Bytes {
  const size = bytesOf(`${data.length.toString(16)}\r\n`);
  const framed = new Uint8Array(size.length + data.length + 2);
  framed.set(size);
  framed.set(data, size.length);
  framed.set([0x0d, 0x0a], size.length + data.length);
  return framed;
}

function ignoringEnd(writing: Promise<unknown>): Promise<void> {
  return writing.then(() => {}, () => {});
}

/**
 * The body of `init`, or of `request` if `init` has none. Text, bytes, blobs and forms are read into
 * memory; `request` has their Content-Type.
 */
export async function contentOf(request: Request, isStream: boolean): Promise<RequestContent> {
  if (request.body === null) return undefined;
  return isStream ? request.body : new Uint8Array(await request.arrayBuffer());
}
