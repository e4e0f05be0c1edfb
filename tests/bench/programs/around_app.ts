/**
 * "hello", and a body of 1 GiB on `/bulk`.
 *
 * @module
 */

const CHUNK = new Uint8Array(65_536).fill(120);
const CHUNKS = 2 ** 30 / CHUNK.length;

function bulk(): Response {
  let left = CHUNKS;
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      if (left-- > 0) controller.enqueue(CHUNK);
      else controller.close();
    },
  });
  return new Response(body, { headers: { "content-length": String(2 ** 30) } });
}

/** The application. */
export default {
  fetch: (request: Request): Response =>
    request.url.endsWith("/bulk") ? bulk() : new Response("hello"),
};
