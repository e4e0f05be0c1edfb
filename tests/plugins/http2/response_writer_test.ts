import { describe, expect, test } from "bun:test";
import { ResponseWriter } from "../../../plugins/http2/response_writer.ts";
import { Http2Stream } from "../../../plugins/http2/stream.ts";
import { type Prepared, respondPrepared } from "../../../plugins/shared/http/prepared_response.ts";
import { settle } from "../../support/fake_socket.ts";

/** A writer whose connection records what is sent; if `isBlocked`, its windows are closed. */
function responseWriter(isHead = false, isBlocked = false) {
  const sent: string[] = [];
  const watched: number[] = [];
  const end = (endsStream: boolean) => endsStream ? " END_STREAM" : "";
  const writer = new ResponseWriter(
    {
      writeTimeoutMs: 1000,
      date: () => "today",
      now: () => 5,
      watch: (at) => void watched.push(at),
      spend: (bytes) => void sent.push(`spend ${bytes}`),
      sendHead: (_stream, status, fields, endsStream) =>
        void sent.push(`${status} ${fields.join(" ")}${end(endsStream)}`),
      sendData(_stream, data, endsStream) {
        sent.push(`${data.length} bytes${end(endsStream)}`);
        return !isBlocked;
      },
      trySendData: (_stream, data) => isBlocked ? 0 : data.length,
      sendText(_stream, text, endsStream) {
        sent.push(`"${text}"${end(endsStream)}`);
        return !isBlocked;
      },
    },
    new Http2Stream(1, 65_535, 65_535, true, 0),
    isHead,
  );
  return { writer, sent, watched };
}

const PLAIN = { headers: { "content-type": "text/plain" } };

describe("ResponseWriter", () => {
  // A complete body has a length.
  test("sends the head, then the content", async () => {
    const { writer, sent } = responseWriter();
    expect(writer.started).toBe(false);
    await writer.send(new Response(new Uint8Array(4), PLAIN));
    expect(writer.started).toBe(true);
    expect(sent).toEqual([
      "200 content-type text/plain date today content-length 4",
      "4 bytes END_STREAM",
    ]);
  });

  // The head of a response to HEAD has the length, and ends the stream.
  test("sends no content in response to HEAD (RFC 9110 9.3.2)", async () => {
    const { writer, sent } = responseWriter(true);
    await writer.send(new Response("ahoy", PLAIN));
    expect(sent).toEqual(["200 content-type text/plain date today content-length 4 END_STREAM"]);
  });

  // No Headers and no body are created; what is read from the source is framed at once.
  test("sends prepared responses with their fields", async () => {
    const fields = ["content-type", "text/plain", "content-length", "4"];
    const respond = (content: Prepared["content"]) =>
      respondPrepared({ status: 206, fields, content });
    const whole = responseWriter();
    await whole.writer.send(respond(new Uint8Array(4)));
    const head = "206 content-type text/plain content-length 4 date today";
    expect(whole.sent).toEqual([head, "4 bytes END_STREAM"]);
    let left = 4;
    let closed = 0;
    const source = {
      get left() {
        return left;
      },
      read: () => (left -= 2, 2),
      close: () => void closed++,
    };
    const read = responseWriter();
    await read.writer.send(respond(source));
    expect(read.sent).toEqual([head, "2 bytes", "2 bytes END_STREAM"]);
    left = 4;
    const withoutContent = responseWriter(true);
    await withoutContent.writer.send(respond(source));
    expect(withoutContent.sent).toEqual([`${head} END_STREAM`]);
    expect(closed).toBe(2);
  });

  // The windows are closed: there is a deadline until everything has been framed.
  test("waits until its data is framed", async () => {
    const { writer, watched } = responseWriter(false, true);
    let isSent = false;
    const sending = writer.send(new Response("ahoy", PLAIN))?.then(() => isSent = true);
    await settle();
    expect([writer.deadline, watched]).toEqual([1005, [1005]]);
    expect(isSent).toBe(false);
    writer.drained();
    await sending;
    expect(writer.deadline).toBe(Infinity);
  });

  // A stream of two pieces: the first waits when the stream is reset, so the second is not read.
  test("stops reading a body when the stream is closed", async () => {
    const { writer, sent } = responseWriter(false, true);
    const cancelled: unknown[] = [];
    const body = new ReadableStream<Uint8Array<ArrayBuffer>>({
      pull: (controller) => controller.enqueue(new Uint8Array(3)),
      cancel: (reason) => void cancelled.push(reason),
    }, { highWaterMark: 0 });
    const sending = writer.send(new Response(body, PLAIN));
    await settle();
    writer.stop("reset");
    await sending;
    expect(cancelled).toEqual(["reset"]);
    expect(sent.filter((line) => line.includes("bytes")).length).toBe(1);
  });

  // The answer to an extended CONNECT.
  test("answers 101 with 200 (RFC 8441 5)", () => {
    const { writer, sent } = responseWriter();
    writer.switchProtocols(new Response(null, { status: 101, headers: { upgrade: "websocket" } }));
    expect(sent).toEqual(["200 date today"]);
  });
});
