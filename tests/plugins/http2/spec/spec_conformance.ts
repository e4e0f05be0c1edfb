/**
 * Runs the rows of a section of RFC 9113 or RFC 7541: a sentence, and a conversation that tests it.
 *
 * @module
 */
import { expect, test } from "bun:test";
import { play, type ServeOptions } from "../support.ts";

/** The number of a section, what happens, and the frames. */
export type Row = readonly [section: string, sentence: string, script: string];

/** Each row is a test. */
export function rows(all: readonly Row[], options: ServeOptions = {}): void {
  for (const [section, sentence, script] of all) {
    test(`${sentence} (RFC ${section})`, async () => {
      const { played, expected } = await play(script, specApp, options);
      expect(played).toEqual(expected);
    });
  }
}

/** The application that the rows send requests to. */
export async function specApp(request: Request): Promise<Response> {
  const { pathname, searchParams } = new URL(request.url);
  switch (pathname) {
    case "/wait":
      return await new Promise(() => {});
    case "/echo":
      return new Response(`${request.method} ${await request.text()}`);
    case "/bytes":
      return new Response("x".repeat(Number(searchParams.get("n"))));
    case "/host":
      return new Response(request.url);
    default:
      return new Response("ahoy");
  }
}

/** The answer to `GET /` on stream 1, in the notation of the scripts. */
export const AHOY = `< HEADERS 1 :status=200 content-type=text/plain;charset=UTF-8 content-length=4
< DATA 1 END_STREAM "ahoy"`;
