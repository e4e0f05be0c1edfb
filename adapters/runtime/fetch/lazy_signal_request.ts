/**
 * A Request whose AbortSignal is created on first use.
 *
 * Most applications never use `signal`, and on Deno creating one costs as much as the rest of the
 * Request. Fetch gives no way to leave it out: `new Request(request)` and `clone()` read the private
 * signal of the original. Deno reads it from a symbol property, which is replaced by an accessor here;
 * Bun reads the public accessor `signal`, except in `clone()`.
 *
 * @module
 */
import { appendFields, byteStreamOf } from "../../../plugins/shared/http/http_request.ts";

/** The symbol property in which Deno keeps the signal of a Request. */
const SIGNAL_SLOT: symbol | undefined = Object.getOwnPropertySymbols(Request.prototype)
  .find((name) => Reflect.get(new Request("http://host/"), name) instanceof AbortSignal);

/** As `HttpRequest`, with a lazy signal. */
export class LazySignalRequest extends Request {
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

  /** See `HttpRequest`. */
  override get body(): ReadableStream<Uint8Array<ArrayBuffer>> | null {
    if (!this.#isWhole) return super.body as ReadableStream<Uint8Array<ArrayBuffer>> | null;
    return this.#stream ??= byteStreamOf(() => super.body!);
  }

  /** A copy, which is aborted with the original. */
  override clone(): Request {
    const copy = super.clone();
    return SIGNAL_SLOT === undefined ? new Request(copy, { signal: this.signal }) : copy;
  }

  /** Creates a request; see `FetchPlatform.createRequest`. */
  static of(
    url: string,
    init: RequestInit | undefined,
    fields: readonly string[],
  ): LazySignalRequest {
    const request = new LazySignalRequest(url, init);
    request.#isWhole = init?.body instanceof Uint8Array;
    appendFields(request.headers, fields);
    return request;
  }

  /** Aborts the signal; see `FetchPlatform.abortRequest`. */
  static abort(request: LazySignalRequest, reason: unknown): void {
    if (request.#gone) return;
    request.#gone = { reason };
    request.#controller?.abort(reason);
  }
}

/** Makes the platform read the signal of `type` through `signalOf` where it does not read the accessor `signal`. */
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

exposeSignal(LazySignalRequest, (request) => request.signal);

/** Whether copies that the platform makes are aborted with the original. */
export const HAS_LAZY_SIGNAL: boolean = isFollowed();

function isFollowed(): boolean {
  try {
    return [
      (request: Request) => new Request(request),
      (request: Request) => request.clone(),
    ].every((copy) => {
      const request = LazySignalRequest.of("http://host/", undefined, []);
      const { signal } = copy(request);
      LazySignalRequest.abort(request, new Error("gone"));
      return signal.aborted;
    });
  } catch {
    return false;
  }
}
