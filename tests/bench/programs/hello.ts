/**
 * The smallest response.
 *
 * @module
 */

/** Answers every request with "hello". */
export default { fetch: (): Response => new Response("hello") };
