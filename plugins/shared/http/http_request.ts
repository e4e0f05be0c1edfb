/**
 * The Request that an application gets.
 *
 * @module
 */

/**
 * Where Deno keeps the signal of a Request: `new Request(request)` and `clone()` look there. Bun asks
 * `signal` itself, except in `clone()`.
 */
const SIGNAL_SLOT: symbol | undefined = Object.getOwnPropertySymbols(Request.prototype)
  .find((name) => Reflect.get(new Request("http://host/"), name) instanceof AbortSignal);

/**
 * A Request whose `signal` is made when somebody asks for it: most applications never do, and on
 * Deno one costs as much as the rest of the Request.
 */
export class HttpRequest extends Request {
  #controller: AbortController | undefined;
  #gone: { reason: unknown } | undefined;
  #isWhole = false;
  #stream: ReadableStream<Uint8Array<ArrayBuffer>> | undefined;

  /** Aborted when the client goes away before it has the whole response. */
  override get signal(): AbortSignal {
    if (!this.#controller) {
      this.#controller = new AbortController();
      if (this.#gone) this.#controller.abort(this.#gone.reason);
    }
    return this.#controller.signal;
  }

  /**
   * A byte stream, as that of a body which has not come yet; the platform's own is not where the
   * Request was made of bytes.
   */
  override get body(): ReadableStream<Uint8Array<ArrayBuffer>> | null {
    if (!this.#isWhole) return super.body as ReadableStream<Uint8Array<ArrayBuffer>> | null;
    return this.#stream ??= byteStreamOf(() => super.body!);
  }

  /** A copy, which is aborted with the original. */
  override clone(): Request {
    const copy = super.clone();
    return SIGNAL_SLOT === undefined ? new Request(copy, { signal: this.signal }) : copy;
  }

  /** Makes one with header fields, names and values in turn; throws what Fetch has no Request for. */
  static of(url: string, init: RequestInit | undefined, fields: readonly string[]): HttpRequest {
    const request = new HttpRequest(url, init);
    request.#isWhole = init?.body instanceof Uint8Array;
    const { headers } = request;
    let cookie: string | undefined;
    for (let i = 0; i < fields.length; i += 2) {
      const name = fields[i]!;
      if (name.length !== 6 || name.toLowerCase() !== "cookie") {
        headers.append(name, fields[i + 1]!);
      } else {
        // RFC 6265 5.4, RFC 9113 8.2.3: one list, whose separator is not Fetch's comma.
        cookie = cookie === undefined ? fields[i + 1]! : `${cookie}; ${fields[i + 1]!}`;
        headers.set(name, cookie);
      }
    }
    return request;
  }

  /** Says that the client of `request` has gone away. */
  static abort(request: HttpRequest, reason: unknown): void {
    if (request.#gone) return;
    request.#gone = { reason };
    request.#controller?.abort(reason);
  }
}

/** Has `request` aborted with what `signalOf` gives where the platform does not ask `signal`. */
export function exposeSignal<T extends object>(
  type: { prototype: T },
  signalOf: (request: T) => AbortSignal,
): void {
  if (SIGNAL_SLOT === undefined) return;
  Object.defineProperty(type.prototype, SIGNAL_SLOT, {
    get(this: T): AbortSignal {
      return signalOf(this);
    },
    configurable: true,
  });
}

exposeSignal(HttpRequest, (request) => request.signal);

/** `bodyOf` is asked, and what it gives locked, when the first byte is. */
function byteStreamOf(
  bodyOf: () => ReadableStream<Uint8Array>,
): ReadableStream<Uint8Array<ArrayBuffer>> {
  let reader: ReadableStreamDefaultReader<Uint8Array> | undefined;
  return new ReadableStream({
    type: "bytes",
    async pull(controller) {
      const { done, value } = await (reader ??= bodyOf().getReader()).read();
      if (!done) return controller.enqueue(value as Uint8Array<ArrayBuffer>);
      controller.close();
      controller.byobRequest?.respond(0);
    },
    cancel: (reason) => reader ? reader.cancel(reason) : bodyOf().cancel(reason),
  }, { highWaterMark: 0 });
}
