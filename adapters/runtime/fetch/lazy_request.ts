/**
 * A stand-in for a Request. The real one is created when more than its method, URL and single fields are read.
 *
 * @module
 */
import type { RequestHead } from "../../../plugins/shared/http/request_head.ts";
import { LazyHeaders } from "./lazy_headers.ts";
import { exposeSignal, HAS_LAZY_SIGNAL, LazySignalRequest } from "./lazy_signal_request.ts";
import { impersonate } from "./impersonate.ts";

/** Stands in for the LazySignalRequest of a head without content. */
export class LazyRequest {
  readonly #head: RequestHead;
  readonly #url: string;
  #headers: Headers | LazyHeaders | undefined;
  #real: LazySignalRequest | undefined;
  #gone: { reason: unknown } | undefined;

  /** `url` must be normalized, as `URL` writes it. */
  constructor(head: RequestHead, url: string) {
    this.#head = head;
    this.#url = url;
  }

  /** The real Request. */
  static realOf(request: object): LazySignalRequest {
    const self = request as LazyRequest;
    if (self.#real === undefined) {
      self.#real = self.#make();
      // The platform may change them from now on, bypassing this object.
      if (self.#headers instanceof LazyHeaders) LazyHeaders.realOf(self.#headers);
    }
    return self.#real;
  }

  /**
   * Whether `request` is a LazyRequest. `instanceof` cannot tell, because a LazyRequest passes for the platform's
   * Request.
   */
  static is(request: object): request is LazyRequest {
    return #head in request;
  }

  /** Aborts the signal; see `FetchPlatform.abortRequest`. */
  static abort(request: LazyRequest, reason: unknown): void {
    request.#gone ??= { reason };
    if (request.#real) LazySignalRequest.abort(request.#real, reason);
  }

  /** The method of the request. */
  get method(): string {
    return this.#head.method;
  }

  /** The URL of the request. */
  get url(): string {
    return this.#url;
  }

  /** The header fields; always the same object. */
  get headers(): Headers | LazyHeaders {
    return this.#headers ??= this.#real?.headers ??
      new LazyHeaders(this.#head.fields, () => LazyRequest.realOf(this).headers);
  }

  /** Aborted when the client goes away before it has the whole response. */
  get signal(): AbortSignal {
    return LazyRequest.realOf(this).signal;
  }

  #make(): LazySignalRequest {
    const { method, fields } = this.#head;
    const request = LazySignalRequest.of(
      this.#url,
      method === "GET" ? undefined : { method },
      fields,
    );
    if (this.#gone) LazySignalRequest.abort(request, this.#gone.reason);
    return request;
  }
}

impersonate(LazyRequest, Request, new LazySignalRequest("http://host/"), LazyRequest.realOf);
exposeSignal(LazyRequest, (request) => request.signal);

/** Whether the platform accepts a LazyRequest as a Request, and its headers as Headers. */
export const LAZY_REQUEST_WORKS: boolean = HAS_LAZY_SIGNAL && isAccepted();

function isAccepted(): boolean {
  const known = { host: "host", connection: undefined, contentLength: undefined };
  const head: RequestHead = {
    method: "HEAD",
    target: "/",
    http11: true,
    fields: ["Host", "host", "X-One", "1"],
    known: { ...known, transferEncoding: undefined, expect: undefined },
  };
  const make = () => new LazyRequest(head, "http://host/") as unknown as Request;
  const isSame = ({ method, url, headers }: Request) =>
    method === "HEAD" && url === "http://host/" && headers.get("x-one") === "1";
  try {
    return isSame(new Request(make())) && isSame(make().clone()) &&
      new Headers(make().headers).get("x-one") === "1" && [...make().headers].length === 2;
  } catch {
    return false;
  }
}
