import { describe } from "bun:test";
import { AHOY, rows } from "./spec_conformance.ts";

describe("idle streams", () =>
  rows([
    [
      "9113 5.1",
      "DATA is a connection error",
      `
    > DATA 1 END_STREAM "ahoy"
    < GOAWAY 0 PROTOCOL_ERROR
    < FIN
  `,
    ],
    [
      "9113 5.1",
      "CONTINUATION is a connection error",
      `
    > CONTINUATION 1 GET /
    < GOAWAY 0 PROTOCOL_ERROR
    < FIN
  `,
    ],
  ]));

describe("streams whose request has ended", () =>
  rows([
    [
      "9113 5.1",
      "DATA resets the stream",
      `
    > HEADERS 1 END_STREAM POST /wait
    > DATA 1 END_STREAM
    < RST_STREAM 1 STREAM_CLOSED
  `,
    ],
    [
      "9113 5.1",
      "HEADERS resets the stream",
      `
    > HEADERS 1 END_STREAM POST /wait
    > HEADERS 1 END_STREAM x-one=1
    < RST_STREAM 1 STREAM_CLOSED
  `,
    ],
    [
      "9113 5.1",
      "CONTINUATION is a connection error",
      `
    > HEADERS 1 END_STREAM POST /wait
    > CONTINUATION 1 x-one=1
    < GOAWAY 1 PROTOCOL_ERROR
    < FIN
  `,
    ],
    [
      "9113 5.1",
      "WINDOW_UPDATE and PRIORITY are accepted",
      `
    > HEADERS 1 END_STREAM POST /wait
    > WINDOW_UPDATE 1 1
    > PRIORITY 1
    > PING 0102030405060708
    < PING ACK 0102030405060708
  `,
    ],
  ]));

describe("streams that have ended", () =>
  rows([
    [
      "9113 5.1",
      "DATA after both sides have ended is a connection error",
      `
    > HEADERS 1 END_STREAM GET /
    ${AHOY}
    > DATA 1 "ahoy"
    < GOAWAY 1 STREAM_CLOSED
    < FIN
  `,
    ],
    [
      "9113 5.1",
      "HEADERS after both sides have ended is a connection error",
      `
    > HEADERS 1 END_STREAM GET /
    ${AHOY}
    > HEADERS 1 END_STREAM GET /
    < GOAWAY 1 STREAM_CLOSED
    < FIN
  `,
    ],
    [
      "9113 5.1",
      "CONTINUATION after both sides have ended is a connection error",
      `
    > HEADERS 1 END_STREAM GET /
    ${AHOY}
    > CONTINUATION 1 GET /
    < GOAWAY 1 PROTOCOL_ERROR
    < FIN
  `,
    ],
    [
      "9113 5.1",
      "DATA after the client's RST_STREAM is a connection error",
      `
    > HEADERS 1 POST /wait
    > RST_STREAM 1 CANCEL
    > DATA 1 "ahoy"
    < GOAWAY 1 STREAM_CLOSED
    < FIN
  `,
    ],
    [
      "9113 5.1",
      "HEADERS after the client's RST_STREAM is a connection error",
      `
    > HEADERS 1 POST /wait
    > RST_STREAM 1 CANCEL
    > HEADERS 1 END_STREAM x-one=1
    < GOAWAY 1 STREAM_CLOSED
    < FIN
  `,
    ],
    [
      "9113 5.1",
      "frames in flight when the server reset a stream are ignored",
      `
    > HEADERS 1 POST /wait content-length=1
    > DATA 1 "ahoy"
    > DATA 1 "ahoy"
    > WINDOW_UPDATE 1 1
    > RST_STREAM 1 CANCEL
    > HEADERS 1 END_STREAM x-one=1
    > HEADERS 3 END_STREAM GET /
    < RST_STREAM 1 PROTOCOL_ERROR
    < HEADERS 3 :status=200 ...
    < DATA 3 END_STREAM "ahoy"
  `,
    ],
  ]));

describe("stream identifiers", () =>
  rows([
    [
      "9113 5.1.1",
      "a stream with an even identifier is a connection error",
      `
    > HEADERS 2 END_STREAM GET /
    < GOAWAY 0 PROTOCOL_ERROR
    < FIN
  `,
    ],
    [
      "9113 5.1.1",
      "identifiers may be skipped",
      `
    > HEADERS 5 END_STREAM GET /
    > HEADERS 11 END_STREAM GET /
    < HEADERS 5 :status=200 ...
    < DATA 5 END_STREAM "ahoy"
    < HEADERS 11 :status=200 ...
    < DATA 11 END_STREAM "ahoy"
  `,
    ],
    [
      "9113 5.1.1",
      "stream 3 after stream 5 is a connection error",
      `
    > HEADERS 5 POST /wait
    > HEADERS 3 END_STREAM GET /
    < GOAWAY 5 PROTOCOL_ERROR
    < FIN
  `,
    ],
    [
      "9113 5.1.1",
      "the stream with the highest identifier is served",
      `
    > HEADERS 2147483647 END_STREAM GET /
    < HEADERS 2147483647 :status=200 ...
    < DATA 2147483647 END_STREAM "ahoy"
  `,
    ],
  ]));

describe("concurrency", () =>
  rows([
    [
      "9113 5.1.2",
      "a stream above SETTINGS_MAX_CONCURRENT_STREAMS is refused, and the next is served",
      `
    > HEADERS 1 END_STREAM GET /wait
    > HEADERS 3 POST /echo
    > HEADERS 5 END_STREAM GET /
    > DATA 3 END_STREAM "ahoy"
    > HEADERS 7 END_STREAM GET /
    < RST_STREAM 5 REFUSED_STREAM
    < RST_STREAM 7 REFUSED_STREAM
    < HEADERS 3 :status=200 ...
    < DATA 3 END_STREAM "POST ahoy"
    > HEADERS 9 END_STREAM GET /
    < HEADERS 9 :status=200 ...
    < DATA 9 END_STREAM "ahoy"
  `,
    ],
  ], { maxConcurrentStreams: 2 }));

describe("flow control", () =>
  rows([
    [
      "9113 6.9",
      "no more is sent than SETTINGS_INITIAL_WINDOW_SIZE allows",
      `
    > SETTINGS INITIAL_WINDOW_SIZE=2
    > HEADERS 1 END_STREAM GET /
    < SETTINGS ACK
    < HEADERS 1 :status=200 ...
    < DATA 1 "ah"
    > WINDOW_UPDATE 1 1
    < DATA 1 "o"
    > WINDOW_UPDATE 1 100
    < DATA 1 END_STREAM "y"
  `,
    ],
    [
      "9113 6.9.2",
      "a window of 0 does not hold back the head",
      `
    > SETTINGS INITIAL_WINDOW_SIZE=0
    > HEADERS 1 END_STREAM GET /
    > HEADERS 3 END_STREAM HEAD /
    < SETTINGS ACK
    < HEADERS 1 :status=200 ...
    < HEADERS 3 END_STREAM :status=200 ...
  `,
    ],
    [
      "9113 6.9.2",
      "the setting changes the windows of open streams",
      `
    > SETTINGS INITIAL_WINDOW_SIZE=0
    > HEADERS 1 END_STREAM GET /
    < SETTINGS ACK
    < HEADERS 1 :status=200 ...
    > SETTINGS INITIAL_WINDOW_SIZE=3
    < SETTINGS ACK
    < DATA 1 "aho"
  `,
    ],
    [
      "9113 6.9.2",
      "a window may become negative, and must become positive before more is sent",
      `
    > SETTINGS INITIAL_WINDOW_SIZE=3
    > HEADERS 1 END_STREAM GET /
    < SETTINGS ACK
    < HEADERS 1 :status=200 ...
    < DATA 1 "aho"
    > SETTINGS INITIAL_WINDOW_SIZE=0
    < SETTINGS ACK
    > WINDOW_UPDATE 1 3
    > WINDOW_UPDATE 1 1
    < DATA 1 END_STREAM "y"
  `,
    ],
    [
      "9113 6.9.2",
      "a setting that makes a window larger than 2^31 - 1 is a connection error",
      `
    > HEADERS 1 POST /wait
    > WINDOW_UPDATE 1 2147418112
    > SETTINGS INITIAL_WINDOW_SIZE=65537
    < GOAWAY 1 FLOW_CONTROL_ERROR
    < FIN
  `,
    ],
    [
      "9113 5.2",
      "the connection's window limits all streams, and the setting does not change it",
      `
    > SETTINGS INITIAL_WINDOW_SIZE=1000000
    > HEADERS 1 END_STREAM GET /bytes?n=65533
    > HEADERS 3 END_STREAM GET /
    < SETTINGS ACK
    < HEADERS 1 :status=200 ...
    < DATA 1 ...
    < DATA 1 ...
    < DATA 1 ...
    < DATA 1 END_STREAM ...
    < HEADERS 3 :status=200 ...
    < DATA 3 "ah"
    > WINDOW_UPDATE 0 2
    < DATA 3 END_STREAM "oy"
  `,
    ],
    [
      "9113 6.9.1",
      "an empty frame with END_STREAM needs no window",
      `
    > SETTINGS INITIAL_WINDOW_SIZE=0
    > HEADERS 1 END_STREAM GET /bytes?n=0
    < SETTINGS ACK
    < HEADERS 1 END_STREAM :status=200 ...
  `,
    ],
    [
      "9113 6.9.1",
      "DATA above the window of its stream resets it",
      `
    > HEADERS 1 POST /wait
    ${Array.from({ length: 16 }, () => "> DATA 1 zeros=16384").join("\n")}
    > DATA 1 "a"
    < RST_STREAM 1 FLOW_CONTROL_ERROR
  `,
    ],
    [
      "9113 6.9.1",
      "DATA above the window of the connection is a connection error",
      `
    ${
        [1, 3, 5, 7].map((id) =>
          `> HEADERS ${id} POST /wait
    ${Array.from({ length: 16 }, () => `> DATA ${id} zeros=16384`).join("\n")}`
        ).join("\n")
      }
    > HEADERS 9 POST /wait
    > DATA 9 "a"
    < GOAWAY 9 FLOW_CONTROL_ERROR
    < FIN
  `,
    ],
  ], { pair: { bufferSize: 4_000_000 } }));
