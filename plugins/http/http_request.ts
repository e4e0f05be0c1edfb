/**
 * The Request that an application gets.
 *
 * @module
 */

/**
 * A Request whose `signal` is made when somebody asks for it: most applications never do, and on
 * Deno one costs as much as the rest of the Request.
 */
export class HttpRequest extends Request {
  #controller: AbortController | undefined;
  #gone: { reason: unknown } | undefined;

  /** Aborted when the client goes away before it has the whole response. */
  override get signal(): AbortSignal {
    if (!this.#controller) {
      this.#controller = new AbortController();
      if (this.#gone) this.#controller.abort(this.#gone.reason);
    }
    return this.#controller.signal;
  }

  /** Makes one with header fields, names and values in turn; throws what Fetch has no Request for. */
  static of(url: string, init: RequestInit | undefined, fields: readonly string[]): HttpRequest {
    const request = new HttpRequest(url, init);
    const { headers } = request;
    for (let i = 0; i < fields.length; i += 2) headers.append(fields[i]!, fields[i + 1]!);
    return request;
  }

  /** Says that the client of `request` has gone away. */
  static abort(request: HttpRequest, reason: unknown): void {
    request.#gone = { reason };
    request.#controller?.abort(reason);
  }
}
