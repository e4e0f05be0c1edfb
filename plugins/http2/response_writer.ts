/**
 * Sends Responses over a stream. A small one is framed at once; a stream is read only as fast as the
 * client accepts it.
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
import {
  addImpliedType,
  dropEncoding,
  type ResponseFields,
  responseFields,
} from "./response_fields.ts";
import type { Http2Stream } from "./stream.ts";

/** The part of a connection that sending a response uses. */
export interface ResponseHost {
  /** Timeout for sending a piece of a response. */
  readonly writeTimeoutMs: number;
  /** The value of Date. */
  date(): string;
  /** The time in milliseconds. */
  now(): number;
  /** Requests a call of `expire` at `at`. */
  watch(at: number): void;
  /** Reports a large body that exists as a whole. */
  spend(bytes: number): void;
  /** Sends the head of a response. */
  sendHead(
    stream: Http2Stream,
    status: number,
    fields: readonly string[],
    endsStream: boolean,
  ): void;
  /** Sends data; false if some of it has to wait, until `drained`. */
  sendData(stream: Http2Stream, data: Uint8Array, endsStream: boolean): boolean;
  /** Frames as much of `data` as fits into one frame now, and returns the number of bytes. */
  trySendData(stream: Http2Stream, data: Uint8Array): number;
  /** {@link sendData} for ASCII text. */
  sendText(stream: Http2Stream, text: string, endsStream: boolean): boolean;
}

/** Sends the response of one stream. */
export class ResponseWriter {
  readonly #host: ResponseHost;
  readonly #stream: Http2Stream;
  readonly #isHead: boolean;
  #content: ResponseContent | undefined;
  #gone: { reason: unknown } | undefined;
  #isStopped = false;
  #whenDrained: (() => void) | undefined;

  /** Bytes of content that have been framed or wait for it. */
  contentBytes = 0;
  /** Whether the head of the response has been sent. */
  started = false;
  /** Time by which the pending piece has to be framed; `Infinity` while none is pending. */
  deadline = Infinity;

  /** `isHead`: the request was HEAD, so no content is sent (RFC 9110 9.3.2). */
  constructor(host: ResponseHost, stream: Http2Stream, isHead: boolean) {
    this.#host = host;
    this.#stream = stream;
    this.#isHead = isHead;
  }

  /**
   * Sends `response`; `undefined` if it was sent synchronously. If it fails while {@link started} is false,
   * another response can be sent.
   *
   * @throws {TypeError} A stream is shorter or longer than its Content-Length, or was read before.
   * @throws What the source of the body throws.
   */
  send(given: Response): Promise<void> | undefined {
    const response = takePrepared(given);
    if (isPrepared(response)) return this.#sendPrepared(response);
    const fields = responseFields(response.headers);
    const { status } = response;
    if (neverHasContent(status)) {
      discardResponse(response);
      return void this.#sendHead(status, fields, undefined, true);
    }
    // Before `response.body` is read: creating the stream costs more than everything else.
    const whole = fields.contentEncoding === undefined ? takeWholeBody(response) : undefined;
    if (whole !== undefined) {
      if (whole.length > PIECE_BYTES) this.#host.spend(whole.length);
      if (typeof whole === "string") {
        const content = isShortAscii(whole) ? whole : encoder.encode(whole);
        return this.#sendWhole(status, fields, content);
      }
      if (whole instanceof Uint8Array) return this.#sendWhole(status, fields, whole);
      return whole.take().then((bytes) => this.#sendWhole(status, fields, bytes));
    }
    if (response.bodyUsed) throw new TypeError("The response body has been read already");
    const { body } = response;
    if (body) return this.#sendBody(response, fields, body);
    if (!this.#isHead) return this.#sendWhole(status, fields, NOTHING);
    // The response to HEAD may have the Content-Length of the response to GET (RFC 9110 8.6).
    if (isDecodedContent(response, fields.contentEncoding, NOTHING)) dropEncoding(fields);
    return void this.#sendHead(status, fields, fields.contentLength, true);
  }

  #sendPrepared(prepared: Prepared): Promise<void> | undefined {
    const { status, fields, content } = prepared;
    const isAll = this.#isHead || lengthOf(prepared) === 0;
    const list = [...fields, "date", this.#host.date()];
    this.started = true;
    this.#host.sendHead(this.#stream, status, list, isAll);
    if (isAll) return void discardPrepared(prepared);
    if (!(content instanceof Uint8Array)) return this.#sendSource(content);
    if (content.length > PIECE_BYTES) this.#host.spend(content.length);
    return this.sendData(content, true);
  }

  /** Reads as much as there is room for. */
  async #sendSource(source: ContentSource): Promise<void> {
    const buffer = new Uint8Array(Math.min(SOURCE_BYTES, source.left));
    try {
      while (source.left > 0 && !this.#isStopped) {
        if (this.#gone) throw this.#gone.reason;
        const count = source.read(buffer);
        const waiting = this.sendData(buffer.subarray(0, count), source.left === 0);
        if (waiting !== undefined) await waiting;
      }
    } finally {
      source.close();
    }
  }

  /** Sends the response to an extended CONNECT: 200 takes the place of 101 (RFC 8441 5). */
  switchProtocols(response: Response): void {
    this.#sendHead(200, responseFields(response.headers), undefined, false);
  }

  /** Sends data of another protocol. `undefined` if all of it was framed at once. */
  sendData(data: Uint8Array, endsStream: boolean): Promise<void> | undefined {
    this.contentBytes += data.length;
    return this.#whenSent(this.#host.sendData(this.#stream, data, endsStream));
  }

  /** Frames as much of `data` as fits into one frame now, and returns the number of bytes. */
  trySendData(data: Uint8Array): number {
    return this.#host.trySendData(this.#stream, data);
  }

  /** All data has been framed. */
  drained(): void {
    this.deadline = Infinity;
    this.#whenDrained?.();
    this.#whenDrained = undefined;
  }

  /** The client is gone: cancels a body that has not ended. */
  cancel(reason: unknown): void {
    this.#gone ??= { reason };
    this.#content?.cancel(reason);
  }

  /** The stream is over: nothing more is sent, and `send` ends. */
  stop(reason: unknown): void {
    this.#isStopped = true;
    this.cancel(reason);
    this.drained();
  }

  #sendHead(
    status: number,
    fields: ResponseFields,
    contentLength: number | undefined,
    endsStream: boolean,
  ): void {
    if (!fields.hasDate) fields.list.push("date", this.#host.date());
    if (contentLength !== undefined) fields.list.push("content-length", String(contentLength));
    this.started = true;
    this.#host.sendHead(this.#stream, status, fields.list, endsStream);
  }

  /** Sends ASCII text or bytes with their actual length. */
  #sendWhole(
    status: number,
    fields: ResponseFields,
    data: string | Uint8Array,
  ): Promise<void> | undefined {
    addImpliedType(fields, data);
    const isAll = this.#isHead || data.length === 0;
    this.#sendHead(status, fields, data.length, isAll);
    if (isAll) return undefined;
    if (typeof data !== "string") return this.sendData(data, true);
    this.contentBytes += data.length;
    return this.#whenSent(this.#host.sendText(this.#stream, data, true));
  }

  /** Sends a body that may be a stream. */
  async #sendBody(
    response: Response,
    fields: ResponseFields,
    body: ReadableStream<unknown>,
  ): Promise<void> {
    const content = new ResponseContent(body);
    try {
      await content.gather(false);
      if (isDecodedContent(response, fields.contentEncoding, content.data)) dropEncoding(fields);
      if (content.ended) {
        return await this.#sendWhole(response.status, fields, content.data);
      }
      if (this.#gone) return content.cancel(this.#gone.reason);
      this.#content = content;
      if (content.data.length >= PIECE_BYTES) addImpliedType(fields, content.data);
      this.#sendHead(response.status, fields, fields.contentLength, this.#isHead);
      if (this.#isHead) return content.cancel();
      await this.#sendStream(content, fields.contentLength);
    } catch (error) {
      content.cancel(error);
      throw error;
    } finally {
      this.#content = undefined;
    }
  }

  async #sendStream(content: ResponseContent, promised: number | undefined): Promise<void> {
    let sent = 0;
    while (true) {
      const { data, ended } = content;
      sent += data.length;
      const fits = promised === undefined || (ended ? sent === promised : sent <= promised);
      // RFC 9113 8.1.1: a mismatch would make the response malformed.
      if (!fits) throw wrongLength(promised);
      for (let at = 0; at < data.length || ended && at === 0; at += PIECE_BYTES) {
        const piece = data.subarray(at, at + PIECE_BYTES);
        await this.sendData(piece, ended && at + PIECE_BYTES >= data.length);
        if (this.#isStopped) return;
      }
      if (ended) return;
      await content.gather(true);
    }
  }

  #whenSent(isAll: boolean): Promise<void> | undefined {
    if (isAll) return undefined;
    this.deadline = this.#host.now() + this.#host.writeTimeoutMs;
    this.#host.watch(this.deadline);
    return new Promise((resolve) => this.#whenDrained = resolve);
  }
}

const NOTHING = new Uint8Array(0);
const encoder = new TextEncoder();

function wrongLength(promised: number): TypeError {
  return new TypeError(`The response body does not have its content-length of ${promised} bytes`);
}
