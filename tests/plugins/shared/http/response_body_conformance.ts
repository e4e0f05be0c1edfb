/**
 * Tests of the bodies of responses.
 *
 * @module
 */
import { describe, expect, test } from "bun:test";
import { takeWholeBody } from "../../../../plugins/shared/http/fetch_platform.ts";
import { settle } from "../../../support/fake_socket.ts";
import { contentOf, exchange, latin1, serve, statuses, textOf } from "../../http/support.ts";

const GET = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";
const CLOSE = "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";

function streamOf(...parts: string[]): ReadableStream<Uint8Array> {
  return new ReadableStream({
    start(controller) {
      for (const part of parts) controller.enqueue(latin1(part));
      controller.close();
    },
  });
}

const BODIES: Record<string, () => BodyInit> = {
  "text": () => "hello",
  "bytes": () => latin1("hello"),
  "an ArrayBuffer": () => latin1("hello").buffer,
  "a view that does not begin at 0": () => latin1("--hello--").subarray(2, 7),
  "a Blob": () => new Blob(["hel", "lo"]),
  "a stream": () => streamOf("hel", "lo"),
};

/** What is sent for a Response, whatever the platform knows of its body. */
export function responseBodyConformance(): void {
  describe("a response made of", () => {
    for (const [name, make] of Object.entries(BODIES)) {
      // Its bytes arrive with their length.
      test(`${name} is sent whole`, async () => {
        const text = await exchange(() => new Response(make()), GET + CLOSE);
        expect(statuses(text)).toEqual([200, 200]);
        expect(text).toContain("content-length: 5\r\n");
        expect(contentOf(text).slice(0, 5)).toBe("hello");
        expect(text.slice(-9)).toBe("\r\n\r\nhello");
      });

      // An application may inspect or clone the body before it returns the response.
      test(`${name}, cloned, with its body inspected, is sent whole`, async () => {
        const app = () => {
          const response = new Response(make(), { status: 201, headers: { "x-one": "1" } });
          const copy = response.clone();
          void response.body;
          return copy;
        };
        const text = await exchange(app, CLOSE);
        expect(statuses(text)).toEqual([201]);
        expect(text).toContain("\r\nx-one: 1\r\n");
        expect(contentOf(text)).toBe("hello");
      });

      // Nothing is left to send: an error is logged, and the client gets 500.
      test(`${name} that has been read is an error`, async () => {
        const app = async () => {
          const response = new Response(make());
          await response.text();
          return response;
        };
        expect(statuses(await exchange(app, CLOSE))).toEqual([500]);
      });

      // HEAD gets the length and nothing else (RFC 9110 9.3.2).
      test(`${name} has its length in the answer to HEAD`, async () => {
        const text = await exchange(() => new Response(make()), CLOSE.replace("GET", "HEAD"));
        expect(text).toContain("content-length: 5\r\n");
        expect(contentOf(text)).toBe("");
      });

      // With a wrong length the client would take the next response for content, so the server
      // corrects it.
      test.each(["4", "7", "five", "99999999999999999999"])(
        `${name} with the Content-Length %s is sent with the one it has (RFC 9112 6.3)`,
        async (length) => {
          const app = () => new Response(make(), { headers: { "content-length": length } });
          const text = await exchange(app, CLOSE);
          expect(statuses(text)).toEqual([200]);
          expect(text).toContain("content-length: 5\r\n");
          expect(contentOf(text)).toBe("hello");
        },
      );
    }

    // Without content there is a length only for HEAD, which only the application can know.
    test("nothing with a Content-Length has none, except for HEAD (RFC 9110 8.6)", async () => {
      const app = () => new Response(null, { headers: { "content-length": "7" } });
      expect(await exchange(app, CLOSE)).toContain("content-length: 0\r\n");
      expect(await exchange(app, CLOSE.replace("GET", "HEAD"))).toContain("content-length: 7\r\n");
    });

    // Text is UTF-8, and its length is in bytes, including a byte order mark.
    test("text beyond ASCII has the length of its bytes", async () => {
      const text = await exchange(() => new Response("\ufeffä€\ud800"), CLOSE);
      expect(text).toContain("content-length: 11\r\n");
      expect(contentOf(text)).toBe("\xef\xbb\xbf\xc3\xa4\xe2\x82\xac\xef\xbf\xbd");
    });

    // Frameworks create a new response to change headers.
    test("the body of another response is sent whole", async () => {
      const app = () => new Response(new Response("hello").body, { headers: { "x-one": "1" } });
      expect(contentOf(await exchange(app, CLOSE))).toBe("hello");
    });

    // It is written in pieces, as fast as the client reads.
    test("a megabyte of text arrives whole", async () => {
      const content = "0123456789abcdef".repeat(65_536);
      const text = await exchange(() => new Response(content), CLOSE);
      expect(contentOf(text)).toBe(content);
    });
  });

  describe("responses of several connections", () => {
    // Short responses are assembled in a shared buffer, which must not be reused for data that a
    // slow client has not read.
    test("are not mixed up while a client is slow", async () => {
      const app = (request: Request) => new Response(new URL(request.url).pathname.repeat(20));
      const slow = serve(app, { pair: { bufferSize: 20 }, collect: false });
      await slow.send("GET /slow HTTP/1.1\r\nHost: h\r\n\r\n");
      for (const path of ["/a", "/b"]) {
        const text = await exchange(app, CLOSE.replace("/", path));
        expect(contentOf(text)).toBe(path.repeat(20));
      }
      let text = "";
      const buffer = new Uint8Array(64);
      while (!text.endsWith("/slow".repeat(20))) {
        text += textOf(buffer.subarray(0, (await slow.client.read(buffer))!));
      }
      expect(statuses(text)).toEqual([200]);
      expect(contentOf(text)).toBe("/slow".repeat(20));
    });
  });

  describe("a response whose fields are not ASCII", () => {
    // Field characters are bytes (RFC 9110 5.5); lengths around the size of the buffer.
    test("is sent byte for byte, at any length", async () => {
      for (const length of [1, 2, 500, 1900, 2048, 5000]) {
        const value = "é" + "a".repeat(length);
        const app = () => new Response("text", { headers: { "x-one": value } });
        const text = await exchange(app, CLOSE);
        expect(text).toContain(`\r\nx-one: ${value}\r\n`);
        expect(contentOf(text)).toBe("text");
      }
    });
  });

  describe("takeWholeBody", () => {
    // An endless body must not be awaited.
    test("ignores streams and responses without a body", () => {
      expect(takeWholeBody(new Response(streamOf("a")))).toBeUndefined();
      expect(takeWholeBody(new Response(new ReadableStream(), { status: 201 }))).toBeUndefined();
      expect(takeWholeBody(new Response(null))).toBeUndefined();
      expect(takeWholeBody(new Response(new ReadableStream()).clone())).toBeUndefined();
    });

    // The head of a streamed response is sent at once, also after a text response on the same
    // connection.
    test("does not delay a streamed response after a text response", async () => {
      let count = 0;
      const app = () => new Response(count++ === 0 ? "text" : new ReadableStream());
      const { send, received } = serve(app);
      await send(GET);
      expect(received()).toContain("\r\n\r\ntext");
      await send(GET);
      await settle();
      expect(received()).toContain("transfer-encoding: chunked\r\n\r\n");
    });
  });
}
