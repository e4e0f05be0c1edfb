import { describe, expect, test } from "bun:test";
import { http2OptionsSchema } from "../../../plugins/http2/options.ts";
import { Http2Session } from "../../../plugins/http2/session.ts";
import type { Http2Stream } from "../../../plugins/http2/stream.ts";
import { ClientFrames, ServerFrames } from "./support.ts";

/** A session without a connection: events are recorded, and nothing is answered. */
function session(hasPreface = false) {
  const events: string[] = [];
  const made = new Http2Session<string>(http2OptionsSchema.parse({}), {
    parse: (head) => `${head.method} ${head.target}`,
    request(stream: Http2Stream, request) {
      events.push(`${stream.id} ${request}`);
      stream.handler = {
        data: (_bytes, start, end) => void events.push(`${stream.id} data ${end - start}`),
        end: () => void events.push(`${stream.id} end`),
        drained: () => void events.push(`${stream.id} drained`),
        lost: (code, byPeer) => void events.push(`${stream.id} lost ${code} ${byPeer}`),
      };
      return true;
    },
    closed: (stream) => void events.push(`${stream.id} closed`),
  }, hasPreface);
  const frames = new ClientFrames();
  const reader = new ServerFrames();
  return {
    session: made,
    events,
    write: (...lines: string[]) => frames.write(lines),
    sent() {
      reader.read(made.output.bytes.slice(0, made.output.length));
      made.output.length = 0;
      return reader.take();
    },
  };
}

describe("Http2Session", () => {
  // The events are the same whether the bytes arrive all at once or one at a time.
  test("reads frames however they are cut", () => {
    const lines = [
      "PREFACE",
      "SETTINGS",
      "HEADERS 1 -END_HEADERS POST /",
      "CONTINUATION 1 x-one=1",
      'DATA 1 "ahoy"',
      'DATA 1 PADDED=3 "ahoy"',
      "DATA 1 END_STREAM",
      "HEADERS 3 END_STREAM GET /",
      "RST_STREAM 3 CANCEL",
    ];
    const whole = session();
    const bytes = whole.write(...lines);
    expect(whole.session.receive(bytes, 0, bytes.length, 0)).toBe(bytes.length);
    const cut = session();
    let start = 0;
    for (let end = 1; end <= bytes.length; end++) {
      start = cut.session.receive(bytes, start, end, 0);
    }
    expect(start).toBe(bytes.length);
    expect(whole.events).toEqual([
      "1 POST /",
      "1 data 4",
      "1 data 4",
      "1 end",
      "3 GET /",
      "3 closed",
      "3 lost 8 true",
    ]);
    // Data that comes in parts is passed on in parts.
    const together = (events: string[]) =>
      events.join().replace(/(1 data 1,){4}/, "1 data 4,").split(",");
    expect(together(cut.events)).toEqual(whole.events);
    expect(cut.sent()).toEqual(whole.sent());
  });

  // After ALPN the preface has not been checked: the first byte that differs ends the connection.
  test.each(["GET / HTTP/1.1\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nSX"])(
    "refuses another preface: %s (RFC 9113 3.4)",
    (text) => {
      const { session: made, sent } = session();
      const bytes = new TextEncoder().encode(text);
      made.receive(bytes, 0, bytes.length, 0);
      expect(sent().at(-1)).toBe("GOAWAY 0 PROTOCOL_ERROR");
      expect(made.fault?.reason).toContain("preface");
    },
  );

  // A response's head above 16,384 bytes goes out in HEADERS and CONTINUATION (RFC 9113 4.3).
  test("cuts the head of a response into frames", () => {
    const { session: made, write, sent } = session(true);
    const bytes = write("SETTINGS", "HEADERS 1 END_STREAM GET /");
    made.receive(bytes, 0, bytes.length, 0);
    sent();
    const value = "Z".repeat(40_000);
    made.sendHead(made.streams.get(1)!, 200, ["x-one", value], false);
    const { output } = made;
    const types: number[] = [];
    const flags: number[] = [];
    for (let at = 0; at < output.length;) {
      types.push(output.bytes[at + 3]!);
      flags.push(output.bytes[at + 4]!);
      at += 9 + (output.bytes[at]! << 16 | output.bytes[at + 1]! << 8 | output.bytes[at + 2]!);
    }
    expect([types, flags]).toEqual([[1, 9, 9], [0, 0, 4]]);
  });

  // 10 MB for a client with open windows: the output buffers at most 128 KiB at a time.
  test("puts no more into the output than fits", () => {
    const { session: made, write, events } = session(true);
    const bytes = write(
      "SETTINGS INITIAL_WINDOW_SIZE=2147483647",
      "WINDOW_UPDATE 0 2147418112",
      "HEADERS 1 END_STREAM GET /",
    );
    made.receive(bytes, 0, bytes.length, 0);
    const stream = made.streams.get(1)!;
    made.output.length = 0;
    expect(made.sendData(stream, new Uint8Array(10_000_000), true)).toBe(false);
    let rounds = 0;
    while (!events.includes("1 drained")) {
      expect(made.output.length).toBeLessThan(150_000);
      made.output.length = 0;
      made.pump();
      rounds++;
    }
    expect(rounds).toBeGreaterThan(60);
    expect(events.slice(-2)).toEqual(["1 closed", "1 drained"]);
  });

  // 4 bytes are sent, then the window becomes -3: END_STREAM needs no window, and the connection's
  // window does not change.
  test("ends a stream whose window is negative (RFC 9113 6.9.2)", () => {
    const { session: made, write, sent } = session(true);
    const receive = (...lines: string[]) => {
      const bytes = write(...lines);
      made.receive(bytes, 0, bytes.length, 0);
    };
    receive("SETTINGS INITIAL_WINDOW_SIZE=4", "HEADERS 1 END_STREAM GET /");
    const stream = made.streams.get(1)!;
    made.sendHead(stream, 200, [], false);
    expect(made.sendText(stream, "ahoy", false)).toBe(true);
    receive("SETTINGS INITIAL_WINDOW_SIZE=1");
    expect(stream.sendWindow).toBe(-3);
    sent();
    expect(made.sendData(stream, new Uint8Array(0), false)).toBe(true);
    expect(made.sendData(stream, new Uint8Array(0), true)).toBe(true);
    expect(sent()).toEqual(['DATA 1 END_STREAM ""']);
  });

  // Each kind of abuse is counted, whatever its consequence.
  test("counts the frames that are limited", () => {
    const { session: made, write } = session(true);
    const bytes = write(
      "SETTINGS",
      "PING 0102030405060708",
      "PING 0102030405060708",
      "PRIORITY 1",
      "HEADERS 1 POST /",
      "DATA 1",
      "RST_STREAM 1 CANCEL",
    );
    made.receive(bytes, 0, bytes.length, 0);
    expect(Object.fromEntries(made.counts)).toEqual({
      "settings flood": 1,
      "ping flood": 2,
      "ignored frames": 1,
      "empty data flood": 1,
      "rapid reset": 1,
    });
  });
});
