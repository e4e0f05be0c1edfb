/**
 * The smallest response.
 *
 * @module
 */

/** Answers everything with "hello". */
export default { fetch: (): Response => new Response("hello") };
