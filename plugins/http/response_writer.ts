/**
 * Sends a Response (RFC 9112 6 and 7.1). A small one is one write; a streamed one is read only as
 * fast as the connection takes it.
 *
 * @module
 */
import { putText } from "./characters.ts";
import { impliedContentType } from "./content_type.ts";
import { PIECE_BYTES, ResponseContent } from "./response_content.ts";
import {
  type ResponseFields,
  responseFields,
  type ResponseFraming,
  responseHead,
} from "./response_head.ts";
import { neverHasContent } from "./status.ts";

/** What the request asks of its response. */
export interface ResponsePlan {
  /** The request was HEAD: there is no content (RFC 9110 9.3.2). */
  readonly headOnly: boolean;
  /** The client knows chunked. */
  readonly http11: boolean;
  /** The connection is to be used again; the application can still ask for its end. */
  readonly keepAlive: boolean;
  /** The value of Date. */
  readonly date: string;
}

/** Sends the responses of one connection, one after the other. */
export class ResponseWriter {
  readonly #write: (bytes: Uint8Array) => Promise<void>;
  #content: ResponseContent | undefined;

  /** Makes a writer; `write` resolves when there is room for more. */
  constructor(write: (bytes: Uint8Array) => Promise<void>) {
    this.#write = write;
  }

  /** True once something of the response in hand has been written. */
  started = false;

  /**
   * Sends `response`; resolves with true when the connection can carry another one.
   *
   * Rejects with what the body's source throws, with a TypeError when the content is not as long as
   * its Content-Length, or with what `write` rejects with. Where `started` is false then, another
   * response can be sent; where it is true only an abort tells the client that this one is broken.
   */
  async send(response: Response, plan: ResponsePlan): Promise<boolean> {
    this.started = false;
    let fields = responseFields(response.headers);
    const { body, status } = response;
    if (neverHasContent(status)) {
      if (body && !body.locked) body.cancel().catch(() => {});
      return await this.#sendHead(response, fields, plan, "none");
    }
    if (!body) return await this.#sendHead(response, fields, plan, emptyFraming(fields, plan));
    const content = this.#content = new ResponseContent(body);
    try {
      await content.gather(false);
      if (!fields.contentType) fields = withImpliedType(fields, content);
      const framing = framingOf(content, fields, plan);
      if (!plan.headOnly) return await this.#sendContent(response, fields, plan, framing, content);
      return await this.#sendHead(response, fields, plan, framing === "close" ? "none" : framing);
    } finally {
      this.#content = undefined;
      if (!content.ended || plan.headOnly) content.cancel();
    }
  }

  /** Sends the head of a 101; what follows is another protocol (RFC 9110 7.8). */
  async switchProtocols(response: Response, date: string): Promise<void> {
    const added = { date, framing: "none", connection: "Upgrade" } as const;
    const head = responseHead(response, responseFields(response.headers), added);
    await this.#writePiece(head, NOTHING, "");
  }

  /** The client is gone: the body's source is told, and `send` rejects. */
  cancel(reason: unknown): void {
    this.#content?.cancel(reason);
  }

  async #sendHead(
    response: Response,
    fields: ResponseFields,
    plan: ResponsePlan,
    framing: ResponseFraming,
  ): Promise<boolean> {
    const persistent = plan.keepAlive && !fields.close;
    const head = responseHead(response, fields, serverFields(plan, persistent, framing));
    await this.#writePiece(head, NOTHING, "");
    return persistent;
  }

  async #sendContent(
    response: Response,
    fields: ResponseFields,
    plan: ResponsePlan,
    framing: ResponseFraming,
    content: ResponseContent,
  ): Promise<boolean> {
    const persistent = plan.keepAlive && !fields.close && framing !== "close";
    let prefix = responseHead(response, fields, serverFields(plan, persistent, framing));
    let sent = 0;
    while (true) {
      const end = sent + content.data.length;
      for (const piece of piecesOf(content.data)) {
        sent += piece.length;
        if (typeof framing === "number" && sent > framing) throw wrongLength(framing);
        await this.#writeContent(prefix, piece, framing, content.ended && sent === end);
        prefix = "";
      }
      if (content.ended) break;
      if (prefix !== "") await this.#writePiece(prefix, NOTHING, "");
      prefix = "";
      await content.gather(true);
    }
    if (typeof framing === "number" && sent !== framing) throw wrongLength(framing);
    if (content.data.length === 0) {
      const suffix = framing === "chunked" ? LAST_CHUNK : "";
      if (prefix !== "" || suffix !== "") await this.#writePiece(prefix, NOTHING, suffix);
    }
    return persistent;
  }

  #writeContent(
    prefix: string,
    piece: Uint8Array,
    framing: ResponseFraming,
    last: boolean,
  ): Promise<void> {
    if (framing !== "chunked") return this.#writePiece(prefix, piece, "");
    const size = piece.length.toString(16);
    return this.#writePiece(`${prefix}${size}\r\n`, piece, last ? `\r\n${LAST_CHUNK}` : "\r\n");
  }

  #writePiece(prefix: string, data: Uint8Array, suffix: string): Promise<void> {
    this.started = true;
    if (prefix === "" && suffix === "") return this.#write(data);
    const bytes = new Uint8Array(prefix.length + data.length + suffix.length);
    const at = putText(bytes, 0, prefix);
    bytes.set(data, at);
    putText(bytes, at + data.length, suffix);
    return this.#write(bytes);
  }
}

const NOTHING = new Uint8Array(0);
const LAST_CHUNK = "0\r\n\r\n";

/** Bodies that show less than a piece, and not their end, are streams. */
function withImpliedType(fields: ResponseFields, content: ResponseContent): ResponseFields {
  const { data, ended } = content;
  const type = ended || data.length >= PIECE_BYTES ? impliedContentType(data) : "";
  return type === "" ? fields : { ...fields, lines: `${fields.lines}content-type: ${type}\r\n` };
}

function emptyFraming(fields: ResponseFields, plan: ResponsePlan): ResponseFraming {
  if (plan.headOnly) return fields.contentLength ?? "none";
  if (fields.contentLength) throw wrongLength(fields.contentLength);
  return 0;
}

function framingOf(
  content: ResponseContent,
  fields: ResponseFields,
  plan: ResponsePlan,
): ResponseFraming {
  const { contentLength } = fields;
  if (content.ended) {
    const { length } = content.data;
    if (contentLength !== undefined && contentLength !== length) throw wrongLength(contentLength);
    return length;
  }
  if (contentLength !== undefined) return contentLength;
  // RFC 9112 6.1: nothing chunked to a client of HTTP/1.0.
  return plan.http11 ? "chunked" : "close";
}

function serverFields(plan: ResponsePlan, persistent: boolean, framing: ResponseFraming) {
  // RFC 9112 9.3: the default of HTTP/1.1 is to persist, that of HTTP/1.0 is not to.
  const connection = !persistent ? "close" : plan.http11 ? "" : "keep-alive";
  return { date: plan.date, framing, connection };
}

function* piecesOf(data: Uint8Array): Generator<Uint8Array> {
  if (data.length > 0 && data.length <= PIECE_BYTES) return yield data;
  for (let at = 0; at < data.length; at += PIECE_BYTES) {
    yield data.subarray(at, at + PIECE_BYTES);
  }
}

function wrongLength(promised: number): TypeError {
  return new TypeError(`The response body does not have its content-length of ${promised} bytes`);
}
