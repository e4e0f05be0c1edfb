/**
 * `fetch` over the connections of a stack.
 *
 * @module
 */
import { z } from "zod";
import { messageOf } from "../core/api/error_text.ts";
import { bytes } from "../core/api/numbers.ts";
import { checkOptions } from "../core/api/options.ts";
import type { Stack, TcpSocket } from "../core/api/types.ts";
import { ipVersionOf } from "../core/api/addresses.ts";
import { ByteSource, headTooLong } from "./fetch/connection.ts";
import { isRedirect, redirected } from "./fetch/redirect.ts";
import { contentOf, type OutgoingRequest, requestHead, sendContent } from "./fetch/request.ts";
import { responseBody } from "./fetch/response_body.ts";
import {
  bodyLength,
  isNullBodyStatus,
  parseResponseHead,
  type ResponseHead,
} from "./fetch/response_head.ts";

/** Options of {@link createFetch}. */
export interface FetchOptions {
  /**
   * The addresses of a host name, in the order in which to try them. Default: names are refused, and
   * only IP addresses can be used.
   */
  resolve?: ((hostname: string) => Addresses | Promise<Addresses>) | undefined;
  /** Longest head of a response, in bytes. Default 65,536. */
  maxHeadBytes?: number | undefined;
}

/** One IP address or several, as text. */
export type Addresses = string | readonly string[];

const optionsSchema = z.strictObject({
  resolve: z.custom<NonNullable<FetchOptions["resolve"]>>(
    (value) => typeof value === "function",
    "expected a function such as (hostname) => addresses",
  ).optional(),
  maxHeadBytes: bytes(64).default(64 * 1024),
});

/** What {@link createFetch} returns: the signature of the global `fetch`. */
export type FetchFunction = (
  input: string | URL | Request,
  init?: RequestInit,
) => Promise<Response>;

/** The limit of the Fetch standard. */
const MAX_REDIRECTS = 20;
/** Maximum number of addresses of a name that are tried. */
const MAX_ADDRESSES = 4;

/**
 * Returns a `fetch` that connects through a stack: HTTP/1.1, one connection for each request.
 *
 * It streams bodies in both directions, follows redirects, and rejects with a `TypeError` whose `cause` is the
 * reason, or with the reason of an aborted signal, as the global `fetch` does. Unlike the global one, it
 * accepts only `http:` URLs, does not decompress (it asks for `identity`), has neither cookies nor a cache, and
 * returns the response itself with `redirect: "manual"`. Read or cancel the body of each response: until then its
 * connection is open.
 *
 * @throws {TypeError} An option is not valid.
 *
 * @example
 * ```ts
 * import { createFetch, createStack } from "@berth/berth";
 * import { linkPair } from "@berth/berth/links";
 * import { http } from "@berth/berth/plugins";
 *
 * const [here, there] = linkPair();
 * await using server = createStack({ link: here, addresses: ["10.0.0.1/24"] });
 * server.use(80, http({ fetch: (request) => new Response(`ahoy ${new URL(request.url).pathname}`) }));
 *
 * await using client = createStack({ link: there, addresses: ["10.0.0.2/24"] });
 * const fetch = createFetch(client, { resolve: () => "10.0.0.1" });
 * const response = await fetch("http://server.test/harbour");
 * console.log(response.status, await response.text()); // 200 ahoy /harbour
 * ```
 */
export function createFetch(
  stack: Pick<Stack, "connect">,
  options: FetchOptions = {},
): FetchFunction {
  const client = new Client(stack, checkOptions("createFetch", optionsSchema, options));
  return async (input, init = {}) => await client.fetch(input, init);
}

class Client {
  readonly #stack: Pick<Stack, "connect">;
  readonly #options: z.output<typeof optionsSchema>;

  constructor(stack: Pick<Stack, "connect">, options: z.output<typeof optionsSchema>) {
    this.#stack = stack;
    this.#options = options;
  }

  async fetch(input: string | URL | Request, init: RequestInit): Promise<Response> {
    const isStream = init.body instanceof ReadableStream ||
      init.body === undefined && input instanceof Request;
    const request = new Request(
      input,
      isStream ? { ...init, duplex: "half" } as RequestInit : init,
    );
    const { signal, redirect } = request;
    signal.throwIfAborted();
    const headers = new Headers(request.headers);
    // The Fetch standard requires it; Bun does not set it.
    if (typeof init.body === "string" && !headers.has("content-type")) {
      headers.set("content-type", "text/plain;charset=UTF-8");
    }
    let outgoing: OutgoingRequest = {
      method: request.method,
      url: new URL(request.url),
      headers,
      content: await contentOf(request, isStream),
    };
    try {
      for (let count = 0;; count++) {
        requireHttp(outgoing.url);
        const exchange = new Exchange(await this.#connect(outgoing.url, signal), signal);
        const head = await exchange.send(outgoing, this.#options.maxHeadBytes);
        if (redirect === "manual" || !isRedirect(head)) {
          return exchange.respond(outgoing, head, count > 0);
        }
        exchange.end();
        if (redirect === "error") {
          throw new TypeError('the server redirects, and the option redirect is "error"');
        }
        if (count === MAX_REDIRECTS) throw new TypeError(`more than ${MAX_REDIRECTS} redirects`);
        outgoing = redirected(outgoing, head);
      }
    } catch (error) {
      throw fetchError(outgoing, signal, error);
    }
  }

  /** Tries the addresses of the host in turn. */
  async #connect({ hostname, port }: URL, signal: AbortSignal): Promise<TcpSocket> {
    let failure: unknown;
    for (const address of await this.#addressesOf(hostname)) {
      const target = { hostname: address, port: port === "" ? 80 : Number(port) };
      try {
        const socket = this.#stack.connect(target, { signal, allowHalfOpen: true });
        // If the connection breaks, reading or writing reports it.
        socket.closed.catch(() => {});
        await socket.opened;
        return socket;
      } catch (error) {
        signal.throwIfAborted();
        failure = error;
      }
    }
    throw failure;
  }

  async #addressesOf(hostname: string): Promise<readonly string[]> {
    const literal = hostname.replace(/^\[(.*)\]$/, "$1");
    if (ipVersionOf(literal) !== undefined) return [literal];
    const { resolve } = this.#options;
    if (resolve === undefined) {
      throw new TypeError(
        `${hostname} is not an IP address, and createFetch has no option resolve`,
      );
    }
    const found = await resolve(hostname);
    const addresses = typeof found === "string" ? [found] : found;
    if (addresses.length === 0) throw new TypeError(`${hostname} has no address`);
    return addresses.slice(0, MAX_ADDRESSES);
  }
}

/** One request and its response. */
class Exchange {
  readonly #socket: TcpSocket;
  readonly #signal: AbortSignal;
  readonly #source: ByteSource;
  #isSent = false;
  /** The error of the stream of the request body. */
  #failure: unknown;

  constructor(socket: TcpSocket, signal: AbortSignal) {
    this.#socket = socket;
    this.#signal = signal;
    this.#source = new ByteSource(socket);
  }

  /** Sends the request and returns the head of the final response. */
  async send(request: OutgoingRequest, maxHeadBytes: number): Promise<ResponseHead> {
    try {
      await this.#socket.write(requestHead(request)).catch(() => {});
      void sendContent(this.#socket, request.content).then(() => this.#isSent = true, (error) => {
        this.#failure = error;
        this.#socket.abort(error);
      });
      return await this.#head(maxHeadBytes);
    } catch (error) {
      this.#socket.abort(error);
      throw this.#failure ?? error;
    }
  }

  /** Skips interim responses (RFC 9110 15.2). */
  async #head(maxHeadBytes: number): Promise<ResponseHead> {
    for (let left = maxHeadBytes; left > 0;) {
      const text = await this.#source.takeHead(left, maxHeadBytes);
      const head = parseResponseHead(text);
      if (head.status === 101) {
        throw new TypeError("the server switches protocols without a request for it");
      }
      if (head.status >= 200) return head;
      left -= text.length + 4;
    }
    throw headTooLong(maxHeadBytes);
  }

  /** Makes the response; the connection ends with its body. */
  respond(request: OutgoingRequest, head: ResponseHead, redirected: boolean): Response {
    try {
      const length = bodyLength(head, request.method);
      const isEmpty = length === 0;
      if (isEmpty) this.end();
      const body = isEmpty
        ? isNullBodyStatus(head.status) || request.method === "HEAD" ? null : new Uint8Array(0)
        : responseBody(
          this.#source,
          length,
          (error) => fetchError(request, this.#signal, this.#failure ?? error),
          (error) => this.end(error),
        );
      const response = new Response(body, head);
      const url = new URL(request.url);
      url.hash = "";
      return Object.defineProperties(response, {
        url: { value: url.href },
        redirected: { value: redirected },
      });
    } catch (error) {
      this.#socket.abort(error);
      throw error;
    }
  }

  /** Stops reading. A request that is still being sent is abandoned. */
  end(error?: unknown): void {
    if (error !== undefined || !this.#isSent) this.#socket.abort(error);
    else this.#socket.close().catch(() => {});
  }
}

/** @throws {TypeError} This client cannot fetch the URL. */
function requireHttp({ protocol, username, password }: URL): void {
  if (protocol !== "http:") {
    throw new TypeError(`only http: URLs can be fetched through a stack, not ${protocol}`);
  }
  if (username !== "" || password !== "") {
    throw new TypeError("the URL has credentials; use the field Authorization");
  }
}

/** The error that `fetch` rejects with: the reason of the signal, or a `TypeError` with the cause. */
function fetchError(
  { method, url }: OutgoingRequest,
  signal: AbortSignal,
  cause: unknown,
): unknown {
  if (signal.aborted) return signal.reason;
  return new TypeError(`${method} ${url.href}: ${messageOf(cause)}`, { cause });
}
