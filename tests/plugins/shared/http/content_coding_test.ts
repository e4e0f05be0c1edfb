import { createServer, type Server } from "node:http";
import { brotliCompressSync, deflateSync, gzipSync, inflateSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { isDecoded } from "../../../../plugins/shared/http/content_coding.ts";
import { settle } from "../../../support/fake_socket.ts";
import { exchange, latin1, serve, statuses } from "../../http/support.ts";

const GET = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";
const CLOSE = "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
const SMALL = "hello world ".repeat(100);
const LARGE = "hello world ".repeat(30_000);
const CODERS = { gzip: gzipSync, br: brotliCompressSync, deflate: deflateSync };

let upstream: Server;
let origin = "";

beforeAll(async () => {
  upstream = createServer(({ url, method }, response) => {
    const [, coding, size] = url!.split("/");
    const content = size === "large" ? LARGE : SMALL;
    const coded = CODERS[coding as keyof typeof CODERS](content);
    response.writeHead(200, { "content-encoding": coding!, "content-length": coded.length });
    response.end(method === "HEAD" ? undefined : coded);
  });
  await new Promise<void>((resolve) => upstream.listen(0, "127.0.0.1", resolve));
  origin = `http://127.0.0.1:${(upstream.address() as { port: number }).port}`;
});

afterAll(async () => {
  upstream.closeAllConnections();
  await new Promise((resolve) => upstream.close(resolve));
});

/** The header section and the content that a client receives. */
interface Answer {
  readonly head: string;
  readonly content: Uint8Array;
}

/** Sends the request on a persistent connection, so the end of the response has to be found. */
async function answered(app: () => Promise<Response>, request = GET): Promise<Answer> {
  const { send, pending, client } = serve(app);
  await send(request);
  let answer: Answer | undefined;
  while ((answer = answerIn(pending(), request.startsWith("HEAD"))) === undefined) {
    await new Promise((resolve) => setImmediate(resolve));
  }
  client.abort();
  await settle();
  return answer;
}

/** The response in `text`; `undefined` while it is not complete. */
function answerIn(text: string, isHead: boolean): Answer | undefined {
  if (text.endsWith("<reset>")) throw new Error("the response broke");
  const end = text.indexOf("\r\n\r\n");
  if (end < 0) return undefined;
  const head = text.slice(0, end + 2);
  const rest = text.slice(end + 4);
  const [, length] = /^content-length: (\d+)\r$/m.exec(head) ?? [];
  if (isHead) return { head, content: new Uint8Array() };
  if (length !== undefined) {
    return rest.length < Number(length) ? undefined : { head, content: latin1(rest) };
  }
  if (!rest.endsWith("\r\n0\r\n\r\n")) return undefined;
  let content = "";
  for (let at = 0; at < rest.length;) {
    const sizeEnd = rest.indexOf("\r\n", at);
    const size = parseInt(rest.slice(at, sizeEnd), 16);
    content += rest.slice(sizeEnd + 2, sizeEnd + 2 + size);
    at = sizeEnd + 2 + size + 2;
  }
  return { head, content: latin1(content) };
}

/** Decoded as a client does it: Deno's fetch does not decode `deflate`. */
function decoded({ head, content }: Answer): string {
  const [, coding] = /^content-encoding: (\w+)\r$/m.exec(head) ?? [];
  if (coding === undefined) return new TextDecoder().decode(content);
  expect(coding).toBe("deflate");
  return inflateSync(content).toString();
}

describe("a response of fetch()", () => {
  for (const coding of Object.keys(CODERS)) {
    for (const [size, content] of [["small", SMALL], ["large", LARGE]] as const) {
      // `fetch: () => fetch(upstream)`: the runtime has decoded the body, but the fields are those of the encoded
      // message.
      test(`coded with ${coding} is sent as what it is, ${size}`, async () => {
        const answer = await answered(() => fetch(`${origin}/${coding}/${size}`));
        expect(statuses(answer.head)).toEqual([200]);
        expect(decoded(answer)).toBe(content);
      });
    }
  }

  // The usual way to change a field: the new Response has no URL to show that it was fetched, so
  // the bytes decide.
  test("rebuilt with new Response() is sent with matching fields", async () => {
    const answer = await answered(async () => {
      const response = await fetch(`${origin}/gzip/large`);
      return new Response(response.body, response);
    });
    expect(answer.head).not.toContain("content-encoding");
    expect(decoded(answer)).toBe(LARGE);
  });

  // HEAD gets the same fields as GET.
  test("gives HEAD neither Content-Encoding nor Content-Length", async () => {
    const { head } = await answered(
      () => fetch(`${origin}/gzip/small`, { method: "HEAD" }),
      GET.replace("GET", "HEAD"),
    );
    expect(statuses(head)).toEqual([200]);
    expect(head).not.toContain("content-");
  });
});

describe("a response with Content-Encoding", () => {
  // A body compressed by the application or by Hono's compress() stays as it is.
  test.each(Object.keys(CODERS))("%s whose content is coded keeps it", async (coding) => {
    const coded = CODERS[coding as keyof typeof CODERS](SMALL);
    const app = () =>
      new Response(new Uint8Array(coded), { headers: { "content-encoding": coding } });
    const text = await exchange(app, CLOSE);
    expect(text).toContain(`content-encoding: ${coding}\r\n`);
    expect(text).toContain(`content-length: ${coded.length}\r\n`);
  });

  // The bytes arrive late, after an empty chunk.
  test("that streams keeps it", async () => {
    const coded = new Uint8Array(gzipSync(SMALL));
    const body = new ReadableStream({
      async pull(controller) {
        await settle();
        controller.enqueue(coded);
        controller.close();
      },
    }, { highWaterMark: 0 });
    const { send, client, finished, received } = serve(() =>
      new Response(body, { headers: { "content-encoding": "gzip" } })
    );
    await send(CLOSE);
    await settle();
    await client.closeWrite();
    await finished;
    expect(received()).toContain("content-encoding: gzip\r\n");
  });
});

// Decided by the first bytes and by whether the response was fetched.
test("isDecoded tells decoded content from coded content", () => {
  const bytes = new TextEncoder().encode("hello");
  const gzip = new Uint8Array(gzipSync("hello"));
  expect(isDecoded("gzip", bytes, false)).toBe(true);
  expect(isDecoded("GZIP", gzip, true)).toBe(false);
  expect(isDecoded("br, x-gzip", gzip, true)).toBe(false);
  expect(isDecoded("zstd", bytes, false)).toBe(true);
  expect(isDecoded("br", bytes, false)).toBe(false);
  expect(isDecoded("br", bytes, true)).toBe(true);
  expect(isDecoded("deflate", new Uint8Array(deflateSync("hello")), true)).toBe(false);
  expect(isDecoded("deflate", bytes, true)).toBe(true);
  expect(isDecoded("identity", bytes, true)).toBe(false);
  expect(isDecoded("gzip", new Uint8Array(), true)).toBe(true);
  expect(isDecoded("gzip", new Uint8Array(), false)).toBe(false);
});
