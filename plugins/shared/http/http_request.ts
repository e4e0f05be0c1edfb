/**
 * The Request that an application gets, made only with what Fetch specifies.
 *
 * @module
 */

/** A Request with the fields of the message, whose signal the server can abort. */
export class HttpRequest extends Request {
  readonly #controller: AbortController;
  readonly #isWhole: boolean;
  #stream: ReadableStream<Uint8Array<ArrayBuffer>> | undefined;

  private constructor(url: string, init: RequestInit | undefined, controller: AbortController) {
    super(url, { ...init, signal: controller.signal });
    this.#controller = controller;
    this.#isWhole = init?.body instanceof Uint8Array;
  }

  /** A byte stream on every runtime, even if the Request was made of bytes. */
  override get body(): ReadableStream<Uint8Array<ArrayBuffer>> | null {
    if (!this.#isWhole) return super.body as ReadableStream<Uint8Array<ArrayBuffer>> | null;
    return this.#stream ??= byteStreamOf(() => super.body!);
  }

  /**
   * Creates a Request with header fields, given as alternating names and values.
   *
   * @throws {TypeError} Fetch does not allow this Request.
   */
  static of(url: string, init: RequestInit | undefined, fields: readonly string[]): HttpRequest {
    const request = new HttpRequest(url, init, new AbortController());
    appendFields(request.headers, fields);
    return request;
  }

  /** Aborts the signal: the client of `request` has gone away. */
  static abort(request: HttpRequest, reason: unknown): void {
    request.#controller.abort(reason);
  }
}

/**
 * Appends header fields, given as alternating names and values.
 *
 * @throws {TypeError} A name or value is not valid in Fetch.
 */
export function appendFields(headers: Headers, fields: readonly string[]): void {
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
}

/** A byte stream of another stream, which is requested and locked when the first byte is read. */
export function byteStreamOf(
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
