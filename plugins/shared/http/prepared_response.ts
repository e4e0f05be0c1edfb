/**
 * Responses that hand their fields and content to the HTTP servers directly. Making a `Response` with a
 * body, reading its `Headers`, and reading the body as a stream cost several times as much as sending a
 * small file.
 *
 * @module
 */

/** Content that is read synchronously, piece by piece. */
export interface ContentSource {
  /** Number of bytes that have not been read. */
  readonly left: number;
  /**
   * Reads the next bytes into `target`, and returns their number: at least one, unless none is left.
   *
   * @throws {Error} They cannot be read.
   */
  read(target: Uint8Array<ArrayBuffer>): number;
  /** Releases it. Called once, whether or not everything was read. */
  close(): void;
}

/** A response that is ready to be sent. */
export interface Prepared {
  readonly status: number;
  /** Alternating names in lower case and values, with Content-Length, without Date. */
  readonly fields: readonly string[];
  /** The whole content. Bytes are never changed. */
  readonly content: Uint8Array<ArrayBuffer> | ContentSource;
}

/** Key in the env of a request: the server accepts responses of {@link respondPrepared}. */
export const TAKES_PREPARED: unique symbol = Symbol("takes prepared responses");

/**
 * Makes a response for a server that sets {@link TAKES_PREPARED}. It behaves like any other
 * `Response`.
 */
export function respondPrepared(prepared: Prepared): Response {
  return new PreparedResponse(prepared) as unknown as Response;
}

/**
 * The {@link Prepared} behind `response` if nothing has read it; otherwise an ordinary Response.
 * The caller sends or closes the content.
 */
export function takePrepared(response: Response): Prepared | Response {
  return PreparedResponse.take(response);
}

/** Whether this is a {@link Prepared}. */
export function isPrepared(response: Prepared | Response): response is Prepared {
  return !(response instanceof Response);
}

/** The number of bytes of a {@link Prepared}. */
export function lengthOf({ content }: Prepared): number {
  return content instanceof Uint8Array ? content.length : content.left;
}

/** Releases the content of a response that is not sent. */
export function discardPrepared({ content }: Prepared): void {
  if (!(content instanceof Uint8Array)) content.close();
}

/** Bytes per read: large enough that the cost of a call does not matter, and small for the CPU's caches. */
export const SOURCE_BYTES = 65_536;
/** The same for a stream, whose chunks cost more. */
const CHUNK_BYTES = 4 * SOURCE_BYTES;

/** The content as a stream, which reads on demand. */
export function streamOf(source: ContentSource): ReadableStream<Uint8Array<ArrayBuffer>> {
  return new ReadableStream<Uint8Array<ArrayBuffer>>({
    pull(controller) {
      try {
        if (source.left > 0) {
          const chunk = new Uint8Array(Math.min(CHUNK_BYTES, source.left));
          const count = source.read(chunk);
          controller.enqueue(count < chunk.length ? chunk.subarray(0, count) : chunk);
        }
        if (source.left > 0) return;
        source.close();
        controller.close();
      } catch (error) {
        source.close();
        controller.error(error);
      }
    },
    cancel: () => source.close(),
  }, { highWaterMark: 0 });
}

/** The ordinary Response with the same content. */
export function responseOfPrepared({ status, fields, content }: Prepared): Response {
  const headers = new Headers();
  for (let at = 0; at < fields.length; at += 2) headers.append(fields[at]!, fields[at + 1]!);
  const body = content instanceof Uint8Array ? content : streamOf(content);
  return new Response(body, { status, headers });
}

/**
 * An instance of `Response` by its prototype. All properties except the status come from an ordinary Response, which is
 * made on first use.
 */
class PreparedResponse {
  readonly status: number;
  #prepared: Prepared | undefined;
  #response: Response | undefined;

  constructor(prepared: Prepared) {
    this.status = prepared.status;
    this.#prepared = prepared;
  }

  static take(response: object): Prepared | Response {
    if (!(#prepared in response)) return response as Response;
    const prepared = response.#prepared;
    if (prepared === undefined) return response.#response!;
    response.#prepared = undefined;
    return prepared;
  }

  static responseOf(response: PreparedResponse): Response {
    const prepared = response.#prepared;
    if (prepared !== undefined) {
      response.#prepared = undefined;
      response.#response = responseOfPrepared(prepared);
    }
    return response.#response ??= new Response(null, { status: response.status });
  }
}

/** A method of the platform's class, whatever its parameters. */
type Method = (...values: unknown[]) => unknown;

const INHERITED = Object.getOwnPropertyDescriptors(Response.prototype);
for (const [name, { value, get }] of Object.entries(INHERITED)) {
  if (name === "constructor" || name === "status") continue;
  const realOf = PreparedResponse.responseOf;
  Object.defineProperty(
    PreparedResponse.prototype,
    name,
    get === undefined
      ? {
        value(this: PreparedResponse, ...values: unknown[]): unknown {
          return (value as Method).apply(realOf(this), values);
        },
      }
      : {
        get(this: PreparedResponse): unknown {
          return Reflect.get(realOf(this), name);
        },
      },
  );
}
Object.setPrototypeOf(PreparedResponse.prototype, Response.prototype);
