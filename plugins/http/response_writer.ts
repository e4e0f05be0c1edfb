/**
 * Sends Responses (RFC 9112 6 and 7.1). A small one is sent in one write; a stream is read only as fast as
 * the connection accepts it.
 *
 * @module
 */
import { discardResponse } from "../shared/http/application_response.ts";
import { isShortAscii } from "../shared/http/characters.ts";
import { isDecodedContent } from "../shared/http/content_coding.ts";
import { takeWholeBody } from "../shared/http/fetch_platform.ts";
import {
  type ContentSource,
  discardPrepared,
  isPrepared,
  lengthOf,
  type Prepared,
  SOURCE_BYTES,
  takePrepared,
} from "../shared/http/prepared_response.ts";
import { PIECE_BYTES, ResponseContent } from "../shared/http/response_content.ts";
import { neverHasContent } from "../shared/http/status.ts";
import type { DirectWriter } from "../../core/api/tcp/direct_writer.ts";
import { writeHeadAnd, writeJoined } from "./joined_write.ts";
import { preparedHead } from "./prepared_head.ts";
import {
  preparedFields,
  type ResponseFields,
  responseFields,
  type ResponseFraming,
  responseHead,
  withImpliedType,
  withoutEncoding,
} from "./response_head.ts";

/** How a response is to be sent. */
export interface ResponsePlan {
  /** The request was HEAD: no content is sent (RFC 9110 9.3.2). */
  readonly headOnly: boolean;
  /** The client supports chunked. */
  readonly http11: boolean;
  /** Keep the connection, unless the application sets `Connection: close`. */
  readonly keepAlive: boolean;
  /** The value of Date. */
  readonly date: string;
}

/**
 * Whether the connection can carry another request after this response. Not a promise if the
 * response was written at once, as small ones are.
 */
export type Reusable = boolean | Promise<boolean>;

/** Sends the responses of one connection, one after the other. */
export class ResponseWriter {
  readonly #write: (bytes: Uint8Array) => Promise<void> | undefined;
  readonly #onLarge: (length: number) => void;
  readonly #direct: DirectWriter | undefined;
  #content: ResponseContent | undefined;
  #gone: { reason: unknown } | undefined;

  /**
   * `write` resolves when there is room for more, or returns `undefined` if there is room already.
   * `onLarge` is called with the length of content that is sent in several pieces. With `direct`, files are
   * read straight into the send buffer.
   */
  constructor(
    write: (bytes: Uint8Array) => Promise<void> | undefined,
    onLarge: (length: number) => void,
    direct?: DirectWriter,
  ) {
    this.#write = write;
    this.#onLarge = onLarge;
    this.#direct = direct;
  }

  /** Bytes of content of the current response that have been passed on. */
  contentBytes = 0;

  /** Whether part of the current response has been written. */
  started = false;

  /**
   * Sends `response`. If it fails while {@link started} is false, another response can be sent; otherwise
   * the connection has to be aborted, so that the client notices.
   *
   * @throws {TypeError} A stream is shorter or longer than its Content-Length, or was read before.
   * @throws What the source of the body throws, or `write`.
   */
  send(given: Response, plan: ResponsePlan): Reusable {
    this.started = false;
    this.contentBytes = 0;
    const response = takePrepared(given);
    if (isPrepared(response)) return this.#sendPrepared(response, plan);
    const fields = responseFields(response.headers);
    if (neverHasContent(response.status)) {
      discardResponse(response);
      return this.#sendHead(response, fields, plan, "none");
    }
    const whole = fields.contentEncoding === undefined ? takeWholeBody(response) : undefined;
    if (whole !== undefined) {
      if (whole.length > PIECE_BYTES) this.#onLarge(whole.length);
      if (typeof whole === "string" || whole instanceof Uint8Array) {
        return this.#sendWhole(response, fields, plan, contentOf(whole));
      }
      return whole.take().then((bytes) => this.#sendWhole(response, fields, plan, bytes));
    }
    if (response.bodyUsed) throw new TypeError("The response body has been read already");
    const { body } = response;
    if (!body) return this.#sendEmpty(response, fields, plan);
    return this.#sendBody(response, fields, plan, body);
  }

  /** Sends the head of a 101, after which another protocol is used (RFC 9110 7.8). */
  async switchProtocols(response: Response, date: string): Promise<void> {
    const added = { date, framing: "none", connection: "Upgrade" } as const;
    const head = responseHead(response, responseFields(response.headers), added);
    await this.#writePiece(head, NOTHING, "");
  }

  /**
   * The client is gone: cancels a body that has not ended, and all later ones; `send` rejects.
   */
  cancel(reason: unknown): void {
    this.#gone ??= { reason };
    this.#content?.cancel(reason);
  }

  #sendPrepared(prepared: Prepared, plan: ResponsePlan): Reusable {
    const { status, content } = prepared;
    const length = lengthOf(prepared);
    const added = serverFields(plan, plan.keepAlive, length);
    const isWhole = content instanceof Uint8Array && length <= PIECE_BYTES;
    if (isWhole && status === 200 && !plan.headOnly) {
      this.started = true;
      this.contentBytes = length;
      const head = preparedHead(prepared.fields, added);
      return after(writeHeadAnd(this.#write, head, content), plan.keepAlive);
    }
    const fields = preparedFields(prepared.fields);
    const head = responseHead({ status, statusText: "" }, fields, added);
    if (plan.headOnly) {
      discardPrepared(prepared);
      return after(this.#writePiece(head, NOTHING, ""), plan.keepAlive);
    }
    if (!(content instanceof Uint8Array)) {
      return this.#sendSource(head, content).then(() => plan.keepAlive);
    }
    this.contentBytes = length;
    if (isWhole) return after(this.#writePiece(head, content, ""), plan.keepAlive);
    this.#onLarge(length);
    return after(this.#writePieces(head, content), plan.keepAlive);
  }

  async #sendSource(head: string, source: ContentSource): Promise<void> {
    try {
      const waiting = this.#writePiece(head, NOTHING, "");
      if (waiting !== undefined) await waiting;
      if (this.#direct === undefined) await this.#copySource(source);
      else await this.#fillFrom(source, this.#direct);
    } finally {
      source.close();
    }
  }

  /** Reads straight into the send buffer. */
  async #fillFrom(source: ContentSource, direct: DirectWriter): Promise<void> {
    const read = (room: Uint8Array<ArrayBuffer>) => source.read(room);
    while (source.left > 0) {
      const least = Math.min(source.left, LEAST_READ_BYTES);
      if (direct.room < least) await direct.whenRoom(least);
      if (this.#gone) throw this.#gone.reason;
      const count = direct.tryFill(Math.min(source.left, SOURCE_BYTES), read);
      this.#onLarge(count);
      this.contentBytes += count;
      // Rejects if nothing can be written any more.
      if (count === 0) await direct.whenRoom(least);
    }
  }

  /** Reads as much as there is room for. */
  async #copySource(source: ContentSource): Promise<void> {
    const buffer = sourceBuffer ?? new Uint8Array(SOURCE_BYTES);
    sourceBuffer = undefined;
    while (source.left > 0) {
      if (this.#gone) throw this.#gone.reason;
      const count = source.read(buffer);
      this.#onLarge(count);
      this.contentBytes += count;
      const waiting = this.#write(count < buffer.length ? buffer.subarray(0, count) : buffer);
      if (waiting !== undefined) await waiting;
    }
    sourceBuffer = buffer;
  }

  #sendHead(
    response: Response,
    fields: ResponseFields,
    plan: ResponsePlan,
    framing: ResponseFraming,
  ): Reusable {
    const persistent = plan.keepAlive && !fields.close;
    const head = responseHead(response, fields, serverFields(plan, persistent, framing));
    return after(this.#writePiece(head, NOTHING, ""), persistent);
  }

  /** The response to HEAD may have the Content-Length of the response to GET (RFC 9110 8.6). */
  #sendEmpty(
    response: Response,
    fields: ResponseFields,
    plan: ResponsePlan,
  ): Reusable {
    if (!plan.headOnly) return this.#sendHead(response, fields, plan, 0);
    const actual = actualFields(response, fields, NOTHING);
    return this.#sendHead(response, actual, plan, actual.contentLength ?? "none");
  }

  /** Sends ASCII text or bytes; a Content-Length of the application is ignored. */
  #sendWhole(
    response: Response,
    given: ResponseFields,
    plan: ResponsePlan,
    data: string | Uint8Array,
  ): Reusable {
    const fields = withImpliedType(given, data);
    const { length } = data;
    if (plan.headOnly) return this.#sendHead(response, fields, plan, length);
    this.contentBytes = length;
    const persistent = plan.keepAlive && !fields.close;
    const head = responseHead(response, fields, serverFields(plan, persistent, length));
    if (typeof data === "string") {
      return after(this.#writePiece(head, NOTHING, data), persistent);
    }
    if (length <= PIECE_BYTES) return after(this.#writePiece(head, data, ""), persistent);
    return after(this.#writePieces(head, data), persistent);
  }

  async #writePieces(head: string, data: Uint8Array): Promise<void> {
    await this.#writePiece(head, data.subarray(0, PIECE_BYTES), "");
    for (let at = PIECE_BYTES; at < data.length; at += PIECE_BYTES) {
      await this.#write(data.subarray(at, at + PIECE_BYTES));
    }
  }

  /** Sends a body that is a stream, or was read as one. */
  async #sendBody(
    response: Response,
    fields: ResponseFields,
    plan: ResponsePlan,
    body: ReadableStream<unknown>,
  ): Promise<boolean> {
    const content = new ResponseContent(body);
    try {
      await content.gather(false);
      if (!content.ended) {
        if (this.#gone) {
          content.cancel(this.#gone.reason);
          throw this.#gone.reason;
        }
        this.#content = content;
        const isWaiting = fields.contentEncoding !== undefined && content.data.length === 0;
        if (isWaiting) await content.gather(true);
      }
      const actual = actualFields(response, fields, content.data);
      if (content.ended) return await this.#sendWhole(response, actual, plan, content.data);
      return await this.#sendStream(response, actual, plan, content);
    } finally {
      this.#content = undefined;
      if (!content.ended || plan.headOnly) content.cancel();
    }
  }

  /** Sends a body that has not ended yet. */
  async #sendStream(
    response: Response,
    given: ResponseFields,
    plan: ResponsePlan,
    content: ResponseContent,
  ): Promise<boolean> {
    const fields = content.data.length >= PIECE_BYTES
      ? withImpliedType(given, content.data)
      : given;
    const framing = streamFraming(fields, plan);
    if (plan.headOnly) {
      return await this.#sendHead(response, fields, plan, framing === "close" ? "none" : framing);
    }
    const persistent = plan.keepAlive && !fields.close && framing !== "close";
    const head = responseHead(response, fields, serverFields(plan, persistent, framing));
    await this.#sendContent(head, framing, content);
    return persistent;
  }

  async #sendContent(
    head: string,
    framing: ResponseFraming,
    content: ResponseContent,
  ): Promise<void> {
    let prefix = head;
    let sent = 0;
    while (true) {
      const { length } = content.data;
      if (length > PIECE_BYTES) this.#onLarge(length);
      const end = sent + length;
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
    if (content.data.length === 0 && framing === "chunked") {
      await this.#writePiece("", NOTHING, LAST_CHUNK);
    }
  }

  #writeContent(
    prefix: string,
    piece: Uint8Array,
    framing: ResponseFraming,
    last: boolean,
  ): Promise<void> | undefined {
    this.contentBytes += piece.length;
    if (framing !== "chunked") return this.#writePiece(prefix, piece, "");
    const size = piece.length.toString(16);
    return this.#writePiece(`${prefix}${size}\r\n`, piece, last ? `\r\n${LAST_CHUNK}` : "\r\n");
  }

  #writePiece(prefix: string, data: Uint8Array, suffix: string): Promise<void> | undefined {
    this.started = true;
    return writeJoined(this.#write, prefix, data, suffix);
  }
}

/** `value`, after `waiting` if that is a promise. */
function after<T>(waiting: Promise<void> | undefined, value: T): T | Promise<T> {
  return waiting === undefined ? value : waiting.then(() => value);
}

/** A file is not read until there is room for this many bytes: a slow client would cause many small reads. */
const LEAST_READ_BYTES = 16_384;

/** The buffer of {@link ResponseWriter} for reads, while it is not in use. */
let sourceBuffer: Uint8Array<ArrayBuffer> | undefined;

const encoder = new TextEncoder();

function contentOf(body: string | Uint8Array): string | Uint8Array {
  return typeof body !== "string" || isShortAscii(body) ? body : encoder.encode(body);
}

const NOTHING = new Uint8Array(0);
const LAST_CHUNK = "0\r\n\r\n";

/** `fields` without a Content-Encoding that does not apply to content that starts with `data`. */
function actualFields(
  response: Response,
  fields: ResponseFields,
  data: Uint8Array,
): ResponseFields {
  return isDecodedContent(response, fields.contentEncoding, data)
    ? withoutEncoding(fields)
    : fields;
}

function streamFraming({ contentLength }: ResponseFields, plan: ResponsePlan): ResponseFraming {
  if (contentLength !== undefined) return contentLength;
  // RFC 9112 6.1: no chunked to an HTTP/1.0 client.
  return plan.http11 ? "chunked" : "close";
}

function serverFields(plan: ResponsePlan, persistent: boolean, framing: ResponseFraming) {
  // RFC 9112 9.3: persistence is the default in HTTP/1.1, not in HTTP/1.0.
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
