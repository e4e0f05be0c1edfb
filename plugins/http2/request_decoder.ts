/**
 * Decodes header blocks: heads of requests, and trailers.
 *
 * @module
 */
import { RepeatedHead } from "../shared/http/repeated_head.ts";
import { ERROR } from "./frames.ts";
import { Http2Fault, MalformedRequest } from "./fault.ts";
import { type FieldSink, HpackDecoder } from "./hpack/decoder.ts";
import {
  type HeadLimits,
  type Http2RequestHead,
  NO_FIELDS,
  RefusedHead,
  RequestFields,
  TrailerFields,
} from "./request_fields.ts";

/** Decodes the blocks of one connection, in order. */
export class RequestDecoder<Request> {
  readonly #parse: (head: Http2RequestHead | RefusedHead) => Request;
  readonly #hpack = new HpackDecoder();
  readonly #fields: RequestFields;
  readonly #maxTrailerBytes: number;
  /** The last head, and the state of the dynamic table for which its encoding is valid. */
  readonly #last = new RepeatedHead<Request>();
  #lastInserted = -1;
  #lastTableSize = 0;

  /** Content-Length of the last head; -1 if absent. */
  contentLength = -1;
  /** Whether the last head exceeded a limit of its size. */
  isOversized = false;

  /** `parse` checks a head; it is called once for identical heads that follow each other. */
  constructor(
    limits: HeadLimits & { readonly maxTrailerBytes: number },
    parse: (head: Http2RequestHead | RefusedHead) => Request,
  ) {
    this.#parse = parse;
    this.#fields = new RequestFields(limits);
    this.#maxTrailerBytes = limits.maxTrailerBytes;
  }

  /** The request whose head is the block `bytes[start..end)`. */
  head(bytes: Uint8Array, start: number, end: number): Request | MalformedRequest | Http2Fault {
    this.contentLength = -1;
    this.isOversized = false;
    const { table } = this.#hpack;
    const { inserted, maxSize } = table;
    const isSame = this.#lastInserted === inserted && this.#lastTableSize === maxSize;
    const repeated = isSame ? this.#last.find(bytes, start, end) : undefined;
    if (repeated !== undefined) return repeated;
    const fault = this.#decode(bytes, start, end, this.#fields);
    if (fault) return fault;
    const head = this.#fields.finish();
    if (head instanceof MalformedRequest) return head;
    if (head instanceof RefusedHead) this.isOversized = head.refusal.status === 431;
    else this.contentLength = head.contentLength;
    const request = this.#parse(head);
    // A block that changes the dynamic table would decode differently the next time, and a
    // request with a Content-Length has to be tracked.
    const isRepeatable = inserted === table.inserted && maxSize === table.maxSize;
    if (isRepeatable && this.contentLength < 0) {
      this.#last.keep(bytes, start, end, request);
      this.#lastInserted = inserted;
      this.#lastTableSize = maxSize;
    }
    return request;
  }

  /** Decodes trailers; their `fault` says what is wrong with them. */
  trailers(bytes: Uint8Array, start: number, end: number): TrailerFields | Http2Fault {
    const fields = new TrailerFields(this.#maxTrailerBytes);
    return this.#decode(bytes, start, end, fields) ?? fields;
  }

  /** Decodes a block only to update the dynamic table. */
  skip(bytes: Uint8Array, start: number, end: number): Http2Fault | undefined {
    return this.#decode(bytes, start, end, NO_FIELDS);
  }

  #decode(
    bytes: Uint8Array,
    start: number,
    end: number,
    sink: FieldSink,
  ): Http2Fault | undefined {
    const fault = this.#hpack.decode(bytes, start, end, sink);
    return fault === undefined ? undefined : new Http2Fault(ERROR.compressionError, fault);
  }
}
