import { describe } from "bun:test";
import { AHOY, rows } from "./spec_conformance.ts";

describe("starting HTTP/2", () =>
  rows([
    [
      "9113 3.4",
      "the server's preface is SETTINGS, and the client's is acknowledged",
      `
    > PREFACE
    > SETTINGS
    < SETTINGS MAX_CONCURRENT_STREAMS=100 INITIAL_WINDOW_SIZE=262144 MAX_HEADER_LIST_SIZE=32768 ENABLE_CONNECT_PROTOCOL=1
    < WINDOW_UPDATE 0 983041
    < SETTINGS ACK
  `,
    ],
    [
      "9113 3.4",
      "a client may send requests before it has received the server's preface",
      `
    > PREFACE
    > SETTINGS
    > HEADERS 1 END_STREAM GET /
    < SETTINGS ...
    < WINDOW_UPDATE 0 983041
    < SETTINGS ACK
    ${AHOY}
  `,
    ],
    [
      "9113 3.4",
      "a first frame that is not SETTINGS ends the connection",
      `
    > PREFACE
    > PING 0102030405060708
    < SETTINGS ...
    < WINDOW_UPDATE 0 983041
    < GOAWAY 0 PROTOCOL_ERROR
    < FIN
  `,
    ],
    [
      "9113 3.4",
      "a first frame that acknowledges SETTINGS ends the connection",
      `
    > PREFACE
    > SETTINGS ACK
    < SETTINGS ...
    < WINDOW_UPDATE 0 983041
    < GOAWAY 0 PROTOCOL_ERROR
    < FIN
  `,
    ],
  ]));

describe("frames", () =>
  rows([
    [
      "9113 4.1",
      "a frame of unknown type is ignored",
      `
    > FRAME 22 0 0 0000000000000000
    > PING 0102030405060708
    < PING ACK 0102030405060708
  `,
    ],
    [
      "9113 4.1",
      "an undefined flag is ignored",
      `
    > FRAME 6 22 0 0102030405060708
    < PING ACK 0102030405060708
  `,
    ],
    [
      "9113 4.1",
      "the reserved bit of a stream identifier is ignored",
      `
    > FRAME 6 0 2147483648 0102030405060708
    < PING ACK 0102030405060708
  `,
    ],
    [
      "9113 4.2",
      "DATA of 16,384 bytes is accepted",
      `
    > HEADERS 1 POST /echo
    > DATA 1 zeros=16384
    > DATA 1 END_STREAM
    < HEADERS 1 :status=200 content-type=text/plain;charset=UTF-8 content-length=16389
    < DATA 1 ...
    < DATA 1 END_STREAM ...
  `,
    ],
    [
      "9113 4.2",
      "DATA above SETTINGS_MAX_FRAME_SIZE is a connection error",
      `
    > HEADERS 1 POST /wait
    > DATA 1 zeros=16385
    < GOAWAY 1 FRAME_SIZE_ERROR
    < FIN
  `,
    ],
    [
      "9113 4.2",
      "HEADERS above SETTINGS_MAX_FRAME_SIZE is a connection error",
      `
    > HEADERS 1 END_STREAM zeros=16385
    < GOAWAY 0 FRAME_SIZE_ERROR
    < FIN
  `,
    ],
    [
      "9113 4.3",
      "a header block that cannot be decoded is a connection error",
      `
    > HEADERS 1 END_STREAM block=82868441
    < GOAWAY 1 COMPRESSION_ERROR
    < FIN
  `,
    ],
    [
      "9113 4.3",
      "a frame of another stream within a header block is a connection error",
      `
    > HEADERS 1 END_STREAM -END_HEADERS GET /
    > PRIORITY 3
    < GOAWAY 0 PROTOCOL_ERROR
    < FIN
  `,
    ],
    [
      "9113 4.3",
      "another HEADERS within a header block is a connection error",
      `
    > HEADERS 1 END_STREAM -END_HEADERS GET /
    > HEADERS 3 END_STREAM GET /
    < GOAWAY 0 PROTOCOL_ERROR
    < FIN
  `,
    ],
    [
      "9113 5.5",
      "a frame of unknown type within a header block is a connection error",
      `
    > HEADERS 1 END_STREAM -END_HEADERS GET /
    > FRAME 22 0 1 00
    < GOAWAY 0 PROTOCOL_ERROR
    < FIN
  `,
    ],
  ]));

describe("DATA", () =>
  rows([
    [
      "9113 6.1",
      "the body of a request arrives in pieces",
      `
    > HEADERS 1 POST /echo
    > DATA 1 "ah"
    > DATA 1 END_STREAM "oy"
    < HEADERS 1 :status=200 content-type=text/plain;charset=UTF-8 content-length=9
    < DATA 1 END_STREAM "POST ahoy"
  `,
    ],
    [
      "9113 6.1",
      "padding is not data",
      `
    > HEADERS 1 POST /echo
    > DATA 1 PADDED=7 END_STREAM "ahoy"
    < HEADERS 1 :status=200 content-type=text/plain;charset=UTF-8 content-length=9
    < DATA 1 END_STREAM "POST ahoy"
  `,
    ],
    [
      "9113 6.1",
      "DATA on stream 0 is a connection error",
      `
    > DATA 0 "ahoy"
    < GOAWAY 0 PROTOCOL_ERROR
    < FIN
  `,
    ],
    [
      "9113 6.1",
      "padding as long as its frame is a connection error",
      `
    > HEADERS 1 POST /wait
    > DATA 1 PADDED=255 "ahoy"
    < GOAWAY 1 PROTOCOL_ERROR
    < FIN
  `,
    ],
    [
      "9113 6.1",
      "padded DATA without a pad length is a connection error",
      `
    > HEADERS 1 POST /wait
    > FRAME 0 8 1
    < GOAWAY 1 FRAME_SIZE_ERROR
    < FIN
  `,
    ],
    [
      "9113 6.1",
      "DATA on a stream whose request has ended resets it",
      `
    > HEADERS 1 END_STREAM POST /wait
    > DATA 1 "ahoy"
    < RST_STREAM 1 STREAM_CLOSED
  `,
    ],
  ]));

describe("HEADERS", () =>
  rows([
    [
      "9113 6.2",
      "a request is answered",
      `
    > HEADERS 1 END_STREAM GET /
    ${AHOY}
  `,
    ],
    [
      "9113 6.2",
      "padding is not a field",
      `
    > HEADERS 1 PADDED=9 END_STREAM GET /
    ${AHOY}
  `,
    ],
    [
      "9113 6.2",
      "the priority within HEADERS is ignored",
      `
    > HEADERS 1 PRIORITY END_STREAM GET /
    ${AHOY}
  `,
    ],
    [
      "9113 6.2",
      "padding and priority may be combined",
      `
    > HEADERS 1 PADDED=3 PRIORITY END_STREAM GET /
    ${AHOY}
  `,
    ],
    [
      "9113 6.2",
      "HEADERS on stream 0 is a connection error",
      `
    > HEADERS 0 END_STREAM GET /
    < GOAWAY 0 PROTOCOL_ERROR
    < FIN
  `,
    ],
    [
      "9113 6.2",
      "padding as long as its frame is a connection error",
      `
    > HEADERS 1 PADDED=255 END_STREAM GET /
    < GOAWAY 0 PROTOCOL_ERROR
    < FIN
  `,
    ],
    [
      "9113 6.2",
      "padded HEADERS without a pad length is a connection error",
      `
    > FRAME 1 13 1
    < GOAWAY 0 FRAME_SIZE_ERROR
    < FIN
  `,
    ],
    [
      "9113 6.2",
      "HEADERS that ends within its priority is a connection error",
      `
    > FRAME 1 37 1 000000
    < GOAWAY 0 FRAME_SIZE_ERROR
    < FIN
  `,
    ],
    [
      "9113 6.2",
      "HEADERS without fields is a malformed request",
      `
    > FRAME 1 5 1
    < RST_STREAM 1 PROTOCOL_ERROR
  `,
    ],
  ]));

describe("PRIORITY", () =>
  rows([
    [
      "9113 6.3",
      "it is ignored, before, during and after a stream",
      `
    > PRIORITY 1
    > HEADERS 1 END_STREAM GET /
    > PRIORITY 1
    > PRIORITY 7
    ${AHOY}
  `,
    ],
    [
      "9113 5.3.2",
      "a stream that depends on itself is ignored",
      `
    > FRAME 2 0 1 0000000110
    > PING 0102030405060708
    < PING ACK 0102030405060708
  `,
    ],
    [
      "9113 6.3",
      "on stream 0 it is a connection error",
      `
    > PRIORITY 0
    < GOAWAY 0 PROTOCOL_ERROR
    < FIN
  `,
    ],
    [
      "9113 6.3",
      "of a length other than 5 it resets its stream",
      `
    > HEADERS 1 POST /wait
    > FRAME 2 0 1 00000000
    < RST_STREAM 1 FRAME_SIZE_ERROR
  `,
    ],
  ]));

describe("RST_STREAM", () =>
  rows([
    [
      "9113 6.4",
      "a stream that was reset is not answered",
      `
    > HEADERS 1 POST /echo
    > RST_STREAM 1 CANCEL
    > HEADERS 3 END_STREAM GET /
    < HEADERS 3 :status=200 ...
    < DATA 3 END_STREAM "ahoy"
  `,
    ],
    [
      "9113 6.4",
      "an unknown error code is treated like any other",
      `
    > HEADERS 1 POST /echo
    > RST_STREAM 1 4660
    > PING 0102030405060708
    < PING ACK 0102030405060708
  `,
    ],
    [
      "9113 6.4",
      "on stream 0 it is a connection error",
      `
    > RST_STREAM 0 CANCEL
    < GOAWAY 0 PROTOCOL_ERROR
    < FIN
  `,
    ],
    [
      "9113 6.4",
      "on an idle stream it is a connection error",
      `
    > RST_STREAM 1 CANCEL
    < GOAWAY 0 PROTOCOL_ERROR
    < FIN
  `,
    ],
    [
      "9113 6.4",
      "of a length other than 4 it is a connection error",
      `
    > HEADERS 1 POST /wait
    > FRAME 3 0 1 000000
    < GOAWAY 1 FRAME_SIZE_ERROR
    < FIN
  `,
    ],
    [
      "9113 6.4",
      "for a stream that has ended it is ignored",
      `
    > HEADERS 1 END_STREAM GET /
    ${AHOY}
    > RST_STREAM 1 NO_ERROR
    > PING 0102030405060708
    < PING ACK 0102030405060708
  `,
    ],
  ]));

describe("SETTINGS", () =>
  rows([
    [
      "9113 6.5.3",
      "each is acknowledged, in order",
      `
    > SETTINGS INITIAL_WINDOW_SIZE=10
    > PING 0102030405060708
    > SETTINGS MAX_FRAME_SIZE=16384
    < SETTINGS ACK
    < PING ACK 0102030405060708
    < SETTINGS ACK
  `,
    ],
    [
      "9113 6.5.2",
      "an unknown setting is ignored",
      `
    > SETTINGS 255=1
    < SETTINGS ACK
  `,
    ],
    [
      "9113 6.5.3",
      "of several values of one setting the last applies",
      `
    > SETTINGS INITIAL_WINDOW_SIZE=100 INITIAL_WINDOW_SIZE=1
    > HEADERS 1 END_STREAM GET /
    < SETTINGS ACK
    < HEADERS 1 :status=200 ...
    < DATA 1 "a"
  `,
    ],
    [
      "9113 6.5",
      "on a stream they are a connection error",
      `
    > FRAME 4 0 1 000300000064
    < GOAWAY 0 PROTOCOL_ERROR
    < FIN
  `,
    ],
    [
      "9113 6.5",
      "a length that is not a multiple of 6 is a connection error",
      `
    > FRAME 4 0 0 000300
    < GOAWAY 0 FRAME_SIZE_ERROR
    < FIN
  `,
    ],
    [
      "9113 6.5",
      "an acknowledgement with settings is a connection error",
      `
    > FRAME 4 1 0 000300000064
    < GOAWAY 0 FRAME_SIZE_ERROR
    < FIN
  `,
    ],
    [
      "9113 6.5.2",
      "SETTINGS_ENABLE_PUSH of 2 is a connection error",
      `
    > SETTINGS ENABLE_PUSH=2
    < GOAWAY 0 PROTOCOL_ERROR
    < FIN
  `,
    ],
    [
      "9113 6.5.2",
      "SETTINGS_INITIAL_WINDOW_SIZE above 2^31 - 1 is a connection error",
      `
    > SETTINGS INITIAL_WINDOW_SIZE=2147483648
    < GOAWAY 0 FLOW_CONTROL_ERROR
    < FIN
  `,
    ],
    [
      "9113 6.5.2",
      "SETTINGS_MAX_FRAME_SIZE below 16,384 is a connection error",
      `
    > SETTINGS MAX_FRAME_SIZE=16383
    < GOAWAY 0 PROTOCOL_ERROR
    < FIN
  `,
    ],
    [
      "9113 6.5.2",
      "SETTINGS_MAX_FRAME_SIZE above 2^24 - 1 is a connection error",
      `
    > SETTINGS MAX_FRAME_SIZE=16777216
    < GOAWAY 0 PROTOCOL_ERROR
    < FIN
  `,
    ],
    [
      "8441 3",
      "SETTINGS_ENABLE_CONNECT_PROTOCOL of 2 is a connection error",
      `
    > SETTINGS ENABLE_CONNECT_PROTOCOL=2
    < GOAWAY 0 PROTOCOL_ERROR
    < FIN
  `,
    ],
    [
      "9113 6.5.2",
      "settings about server push are ignored",
      `
    > SETTINGS ENABLE_PUSH=1 MAX_CONCURRENT_STREAMS=0 MAX_HEADER_LIST_SIZE=0
    > HEADERS 1 END_STREAM GET /
    < SETTINGS ACK
    ${AHOY}
  `,
    ],
  ]));

describe("PUSH_PROMISE", () =>
  rows([
    [
      "9113 8.4",
      "from a client it is a connection error",
      `
    > HEADERS 1 POST /wait
    > FRAME 5 4 1 0000000282868441016100
    < GOAWAY 1 PROTOCOL_ERROR
    < FIN
  `,
    ],
  ]));

describe("PING", () =>
  rows([
    [
      "9113 6.7",
      "it is answered with the same bytes",
      `
    > PING 6168656c6c6f2121
    < PING ACK 6168656c6c6f2121
  `,
    ],
    [
      "9113 6.7",
      "an answer is not answered",
      `
    > PING ACK 6168656c6c6f2121
    > PING 0000000000000000
    < PING ACK 0000000000000000
  `,
    ],
    [
      "9113 6.7",
      "on a stream it is a connection error",
      `
    > FRAME 6 0 1 0102030405060708
    < GOAWAY 0 PROTOCOL_ERROR
    < FIN
  `,
    ],
    [
      "9113 6.7",
      "of a length other than 8 it is a connection error",
      `
    > FRAME 6 0 0 010203040506
    < GOAWAY 0 FRAME_SIZE_ERROR
    < FIN
  `,
    ],
  ]));

describe("GOAWAY", () =>
  rows([
    [
      "9113 6.8",
      "on a stream it is a connection error",
      `
    > FRAME 7 0 1 0000000000000000
    < GOAWAY 0 PROTOCOL_ERROR
    < FIN
  `,
    ],
    [
      "9113 6.8",
      "of less than 8 bytes it is a connection error",
      `
    > FRAME 7 0 0 000000
    < GOAWAY 0 FRAME_SIZE_ERROR
    < FIN
  `,
    ],
    [
      "9113 6.8",
      "open streams are served, then the connection ends",
      `
    > HEADERS 1 POST /echo
    > GOAWAY 0 NO_ERROR
    > DATA 1 "ah"
    > DATA 1 END_STREAM "oy"
    < HEADERS 1 :status=200 ...
    < DATA 1 END_STREAM "POST ahoy"
    < GOAWAY 1 NO_ERROR
    < FIN
  `,
    ],
    [
      "9113 6.8",
      "an idle connection ends at once",
      `
    > GOAWAY 0 NO_ERROR
    < GOAWAY 0 NO_ERROR
    < FIN
  `,
    ],
  ]));

describe("WINDOW_UPDATE", () =>
  rows([
    [
      "9113 6.9",
      "an increment of 0 for the connection is a connection error",
      `
    > WINDOW_UPDATE 0 0
    < GOAWAY 0 PROTOCOL_ERROR
    < FIN
  `,
    ],
    [
      "9113 6.9",
      "an increment of 0 for a stream resets it",
      `
    > HEADERS 1 POST /wait
    > WINDOW_UPDATE 1 0
    < RST_STREAM 1 PROTOCOL_ERROR
  `,
    ],
    [
      "9113 6.9",
      "of a length other than 4 it is a connection error",
      `
    > FRAME 8 0 0 000001
    < GOAWAY 0 FRAME_SIZE_ERROR
    < FIN
  `,
    ],
    [
      "9113 6.9",
      "the reserved bit of an increment is ignored",
      `
    > FRAME 8 0 0 80000001
    > PING 0102030405060708
    < PING ACK 0102030405060708
  `,
    ],
    [
      "9113 5.1",
      "on an idle stream it is a connection error",
      `
    > WINDOW_UPDATE 1 1
    < GOAWAY 0 PROTOCOL_ERROR
    < FIN
  `,
    ],
    [
      "9113 5.1",
      "for a stream that has ended it is ignored",
      `
    > HEADERS 1 END_STREAM GET /
    ${AHOY}
    > WINDOW_UPDATE 1 100
    > PING 0102030405060708
    < PING ACK 0102030405060708
  `,
    ],
    [
      "9113 6.9.1",
      "a connection window above 2^31 - 1 is a connection error",
      `
    > WINDOW_UPDATE 0 2147483647
    < GOAWAY 0 FLOW_CONTROL_ERROR
    < FIN
  `,
    ],
    [
      "9113 6.9.1",
      "a stream window above 2^31 - 1 resets the stream",
      `
    > HEADERS 1 POST /wait
    > WINDOW_UPDATE 1 2147483647
    < RST_STREAM 1 FLOW_CONTROL_ERROR
  `,
    ],
  ]));

describe("CONTINUATION", () =>
  rows([
    [
      "9113 6.10",
      "a header block may come in several frames",
      `
    > HEADERS 1 END_STREAM -END_HEADERS GET
    > CONTINUATION 1 -END_HEADERS
    > CONTINUATION 1 /
    ${AHOY}
  `,
    ],
    [
      "9113 6.10",
      "trailers may come in several frames",
      `
    > HEADERS 1 POST /echo
    > DATA 1 "ahoy"
    > HEADERS 1 END_STREAM -END_HEADERS x-one=1
    > CONTINUATION 1 x-two=2
    < HEADERS 1 :status=200 ...
    < DATA 1 END_STREAM "POST ahoy"
  `,
    ],
    [
      "9113 6.10",
      "after a complete block it is a connection error",
      `
    > HEADERS 1 POST /wait
    > CONTINUATION 1 x-one=1
    < GOAWAY 1 PROTOCOL_ERROR
    < FIN
  `,
    ],
    [
      "9113 6.10",
      "after DATA it is a connection error",
      `
    > HEADERS 1 POST /wait
    > DATA 1 "ahoy"
    > CONTINUATION 1 x-one=1
    < GOAWAY 1 PROTOCOL_ERROR
    < FIN
  `,
    ],
    [
      "9113 6.10",
      "on another stream it is a connection error",
      `
    > HEADERS 1 END_STREAM -END_HEADERS GET
    > CONTINUATION 3 /
    < GOAWAY 0 PROTOCOL_ERROR
    < FIN
  `,
    ],
    [
      "9113 6.10",
      "on stream 0 it is a connection error",
      `
    > HEADERS 1 END_STREAM -END_HEADERS GET
    > CONTINUATION 0 /
    < GOAWAY 0 PROTOCOL_ERROR
    < FIN
  `,
    ],
    [
      "9113 6.10",
      "DATA between the frames of a block is a connection error",
      `
    > HEADERS 1 POST /wait
    > HEADERS 1 END_STREAM -END_HEADERS x-one=1
    > DATA 1 "ahoy"
    < GOAWAY 1 PROTOCOL_ERROR
    < FIN
  `,
    ],
  ]));
