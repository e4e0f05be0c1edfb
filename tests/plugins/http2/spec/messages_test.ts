import { describe } from "bun:test";
import { AHOY, type Row, rows } from "./spec_conformance.ts";

/** Malformed requests: the stream is reset, and the next request is served. */
function malformed(section: string, sentence: string, request: string): Row {
  return [
    section,
    sentence,
    `
    > HEADERS 1 END_STREAM ${request}
    > HEADERS 3 END_STREAM GET /
    < RST_STREAM 1 PROTOCOL_ERROR
    < HEADERS 3 :status=200 ...
    < DATA 3 END_STREAM "ahoy"
  `,
  ];
}

/** Requests that are answered by the server itself. */
function refused(section: string, sentence: string, request: string, status: number): Row {
  return [
    section,
    sentence,
    `
    > HEADERS 1 END_STREAM ${request}
    < HEADERS 1 :status=${status} ...
    < DATA 1 END_STREAM "${status} ...
  `,
  ];
}

describe("fields", () =>
  rows([
    malformed("9113 8.2.1", "a capital letter in a name is malformed", "GET / X-Test=ok"),
    malformed("9113 8.2.1", "a space in a name is malformed", "block=82868441016140037820740131"),
    malformed("9113 8.2.1", "a colon in a name is malformed", "block=8286844101614003613a620131"),
    malformed("9113 8.2.1", "NUL in a value is malformed", "block=82868441016140016103610062"),
    malformed(
      "9113 8.2.1",
      "CR and LF in a value are malformed",
      "block=82868441016140016104610d0a62",
    ),
    malformed(
      "9113 8.2.1",
      "a space before a value is malformed",
      "block=828684410161400161022061",
    ),
    malformed("9113 8.2.1", "a tab after a value is malformed", "block=828684410161400161026109"),
    malformed("9113 8.2.1", "an empty name is malformed", "block=82868441016140000161"),
    malformed("9113 8.2.2", "Connection is malformed", "GET / connection=keep-alive"),
    malformed("9113 8.2.2", "Keep-Alive is malformed", "GET / keep-alive=5"),
    malformed("9113 8.2.2", "Proxy-Connection is malformed", "GET / proxy-connection=close"),
    malformed("9113 8.2.2", "Transfer-Encoding is malformed", "POST / transfer-encoding=chunked"),
    malformed("9113 8.2.2", "Upgrade is malformed", "GET / upgrade=websocket"),
    malformed("9113 8.2.2", "TE other than trailers is malformed", "GET / te=gzip"),
    [
      "9113 8.2.2",
      "TE may be trailers",
      `
    > HEADERS 1 END_STREAM GET / te=trailers
    ${AHOY}
  `,
    ],
  ]));

describe("pseudo-header fields", () =>
  rows([
    malformed("9113 8.3", "an unknown one is malformed", "GET / :other=1"),
    malformed("9113 8.3", "one that is defined for responses is malformed", "GET / :status=200"),
    malformed("9113 8.3", "one after a regular field is malformed", "GET x-one=1 /"),
    malformed(
      "9113 8.3.1",
      "without :method a request is malformed",
      ":scheme=http :authority=a /",
    ),
    malformed("9113 8.3.1", "without :scheme a request is malformed", ":method=GET :authority=a /"),
    malformed("9113 8.3.1", "without :path a request is malformed", "GET"),
    malformed("9113 8.3.1", "an empty :path is malformed", "GET :path="),
    malformed("9113 8.3", "a second :method is malformed", "GET / :method=GET"),
    malformed("9113 8.3", "a second :scheme is malformed", "GET / :scheme=http"),
    malformed("9113 8.3", "a second :path is malformed", "GET / :path=/"),
    malformed("9113 8.3", "a second :authority is malformed", "GET / :authority=berth.test"),
    malformed(
      "9113 8.3.1",
      "a :path that does not begin with a slash is malformed",
      "GET :path=ahoy",
    ),
    malformed(
      "9113 8.3.1",
      "a :path that would change the host is malformed",
      "GET :path=@evil.test/x",
    ),
    malformed("9113 8.3.1", "a whole URL in :path is malformed", "GET :path=http://evil.test/"),
    malformed("9113 8.3.1", "* is for OPTIONS only", "GET *"),
    malformed("9113 8.3.1", "a space in :path is malformed", 'GET :path="/a b"'),
    malformed("9113 8.3.1", "a fragment in :path is malformed", "GET :path=/a#b"),
    malformed(
      "9113 8.3.1",
      "a :method that is not a token is malformed",
      ':method="G T" :scheme=http :authority=a /',
    ),
    malformed(
      "9113 8.3.1",
      "an empty :authority is malformed",
      ":method=GET :scheme=http :authority= /",
    ),
    malformed(
      "9113 8.3.1",
      "a Host that differs from :authority is malformed",
      "GET / host=evil.test",
    ),
    malformed("9110 7.2", "two Hosts are malformed", ":method=GET :scheme=http / host=a host=a"),
    [
      "9113 8.3.1",
      "Host may replace :authority, or repeat it",
      `
    > HEADERS 1 END_STREAM :method=GET :scheme=http /host host=other.test
    > HEADERS 3 END_STREAM GET /host host=BERTH.test
    < HEADERS 1 :status=200 ...
    < DATA 1 END_STREAM "http://other.test/host"
    < HEADERS 3 :status=200 ...
    < DATA 3 END_STREAM "http://berth.test/host"
  `,
    ],
    refused("9112 3.2", "without a host there is no URL", ":method=GET :scheme=http /", 400),
    refused(
      "9110 4.2.4",
      "user information in :authority is refused",
      ":method=GET :scheme=http :authority=a@b /",
      400,
    ),
    refused(
      "9113 8.3.1",
      "a path in :authority is refused",
      ":method=GET :scheme=http :authority=a/b /",
      400,
    ),
    refused(
      "9113 8.3.1",
      "a :scheme other than http and https is refused",
      ":method=GET :scheme=ftp :authority=a /",
      400,
    ),
    refused("9110 9.3.8", "TRACE is not served", "TRACE /", 501),
    refused("9110 9.1", "a method in lower case is another method", "get /", 501),
    [
      "9113 8.3.1",
      "the scheme is that of the connection, whatever :scheme says",
      `
    > HEADERS 1 END_STREAM :method=GET :scheme=https :authority=berth.test /host
    < HEADERS 1 :status=200 ...
    < DATA 1 END_STREAM "http://berth.test/host"
  `,
    ],
    [
      "9110 9.3.7",
      "OPTIONS * is answered by the server",
      `
    > HEADERS 1 END_STREAM OPTIONS *
    < HEADERS 1 END_STREAM :status=204
  `,
    ],
  ]));

describe("messages", () =>
  rows([
    [
      "9113 8.1",
      "HEAD is answered with the length, and without content",
      `
    > HEADERS 1 END_STREAM HEAD /
    < HEADERS 1 END_STREAM :status=200 content-type=text/plain;charset=UTF-8 content-length=4
  `,
    ],
    [
      "9113 8.1",
      "the answer to an invalid HEAD has no content either",
      `
    > HEADERS 1 END_STREAM :method=HEAD :scheme=ftp :authority=a /
    < HEADERS 1 END_STREAM :status=400 ...
  `,
    ],
    [
      "9113 8.1",
      "trailers end a request",
      `
    > HEADERS 1 POST /echo
    > DATA 1 "ahoy"
    > HEADERS 1 END_STREAM x-sum=1
    < HEADERS 1 :status=200 ...
    < DATA 1 END_STREAM "POST ahoy"
  `,
    ],
    [
      "9113 8.1",
      "trailers that do not end it reset the stream",
      `
    > HEADERS 1 POST /wait
    > HEADERS 1 x-sum=1
    < RST_STREAM 1 PROTOCOL_ERROR
  `,
    ],
    [
      "9113 8.1",
      "a pseudo-header field in trailers resets the stream",
      `
    > HEADERS 1 POST /wait
    > HEADERS 1 END_STREAM :path=/
    < RST_STREAM 1 PROTOCOL_ERROR
  `,
    ],
    [
      "9113 8.1",
      "a capital letter in trailers resets the stream",
      `
    > HEADERS 1 POST /wait
    > HEADERS 1 END_STREAM X-Sum=1
    < RST_STREAM 1 PROTOCOL_ERROR
  `,
    ],
    [
      "9113 8.1.1",
      "a body longer than its Content-Length resets the stream",
      `
    > HEADERS 1 POST /wait content-length=1
    > DATA 1 END_STREAM "ahoy"
    < RST_STREAM 1 PROTOCOL_ERROR
  `,
    ],
    [
      "9113 8.1.1",
      "a body shorter than its Content-Length resets the stream",
      `
    > HEADERS 1 POST /wait content-length=5
    > DATA 1 END_STREAM "ahoy"
    < RST_STREAM 1 PROTOCOL_ERROR
  `,
    ],
    [
      "9113 8.1.1",
      "the lengths of several DATA frames are added up",
      `
    > HEADERS 1 POST /wait content-length=7
    > DATA 1 "ahoy"
    > DATA 1 END_STREAM "ahoy"
    < RST_STREAM 1 PROTOCOL_ERROR
  `,
    ],
    [
      "9113 8.1.1",
      "a body that is too short and ends with trailers resets the stream",
      `
    > HEADERS 1 POST /wait content-length=5
    > DATA 1 "ahoy"
    > HEADERS 1 END_STREAM x-sum=1
    < RST_STREAM 1 PROTOCOL_ERROR
  `,
    ],
    [
      "9113 8.1.1",
      "a Content-Length without a body resets the stream",
      `
    > HEADERS 1 END_STREAM POST /wait content-length=5
    < RST_STREAM 1 PROTOCOL_ERROR
  `,
    ],
    [
      "9110 8.6",
      "a Content-Length that is not a number resets the stream",
      `
    > HEADERS 1 POST /wait content-length=5a
    > HEADERS 3 POST /wait content-length=-1
    < RST_STREAM 1 PROTOCOL_ERROR
    < RST_STREAM 3 PROTOCOL_ERROR
  `,
    ],
    [
      "9110 8.6",
      "two Content-Lengths reset the stream",
      `
    > HEADERS 1 POST /wait content-length=5 content-length=5
    < RST_STREAM 1 PROTOCOL_ERROR
  `,
    ],
    [
      "9110 10.1.1",
      "100-continue is answered when the application reads",
      `
    > HEADERS 1 POST /echo expect=100-continue
    < HEADERS 1 :status=100
    > DATA 1 END_STREAM "ahoy"
    < HEADERS 1 :status=200 ...
    < DATA 1 END_STREAM "POST ahoy"
  `,
    ],
    [
      "9110 10.1.1",
      "a client that has begun to send gets no 100",
      `
    > HEADERS 1 POST /echo expect=100-continue
    > DATA 1 END_STREAM "ahoy"
    < HEADERS 1 :status=200 ...
    < DATA 1 END_STREAM "POST ahoy"
  `,
    ],
    refused("9110 10.1.1", "another expectation is refused", "GET / expect=tea", 417),
    [
      "9113 8.1",
      "a client whose request was answered need not send the rest of it",
      `
    > HEADERS 1 POST /
    > DATA 1 "ahoy"
    < HEADERS 1 :status=200 ...
    < DATA 1 END_STREAM "ahoy"
    < RST_STREAM 1 NO_ERROR
    > DATA 1 END_STREAM "ahoy"
    > PING 0102030405060708
    < PING ACK 0102030405060708
  `,
    ],
  ]));

describe("CONNECT", () =>
  rows([
    refused("9113 8.5", "a tunnel is not served", ":method=CONNECT :authority=a.test:443", 501),
    malformed("9113 8.5", "with :path it is malformed", ":method=CONNECT :authority=a.test:443 /"),
    malformed(
      "9113 8.5",
      "with :scheme it is malformed",
      ":method=CONNECT :scheme=http :authority=a:443",
    ),
    malformed("9113 8.5", "without :authority it is malformed", ":method=CONNECT"),
    refused(
      "8441 4",
      "a protocol other than websocket is not served",
      "CONNECT / :protocol=other",
      501,
    ),
    malformed("8441 4", "a protocol without CONNECT is malformed", "GET / :protocol=websocket"),
    malformed("8441 4", "a protocol without :path is malformed", "CONNECT :protocol=websocket"),
  ]));

describe("a header block", () =>
  rows([
    [
      "7541 4.2",
      "may begin with a smaller size of the dynamic table",
      `
    > HEADERS 1 END_STREAM block=20828684410a62657274682e74657374
    ${AHOY}
    > HEADERS 3 END_STREAM block=828684be
    < GOAWAY 3 COMPRESSION_ERROR
    < FIN
  `,
    ],
    [
      "7541 2.3.2",
      "may refer to entries that earlier blocks have added to the table",
      `
    > HEADERS 1 END_STREAM block=828684410a62657274682e74657374
    ${AHOY}
    > HEADERS 3 END_STREAM block=828684be
    < HEADERS 3 :status=200 ...
    < DATA 3 END_STREAM "ahoy"
  `,
    ],
    [
      "7541 2.3.3",
      "with an index beyond the tables is a connection error",
      `
    > HEADERS 1 END_STREAM block=828684be
    < GOAWAY 1 COMPRESSION_ERROR
    < FIN
  `,
    ],
    [
      "7541 6.1",
      "with index 0 is a connection error",
      `
    > HEADERS 1 END_STREAM block=80
    < GOAWAY 1 COMPRESSION_ERROR
    < FIN
  `,
    ],
    [
      "7541 6.3",
      "with a table size above SETTINGS_HEADER_TABLE_SIZE is a connection error",
      `
    > HEADERS 1 END_STREAM block=3fe21f
    < GOAWAY 1 COMPRESSION_ERROR
    < FIN
  `,
    ],
    [
      "7541 4.2",
      "with a table size update after a field is a connection error",
      `
    > HEADERS 1 END_STREAM block=82868441016120
    < GOAWAY 1 COMPRESSION_ERROR
    < FIN
  `,
    ],
    [
      "7541 5.2",
      "with padding of a whole byte is a connection error",
      `
    > HEADERS 1 END_STREAM block=828644821fff
    < GOAWAY 1 COMPRESSION_ERROR
    < FIN
  `,
    ],
    [
      "7541 5.2",
      "with padding of zeros is a connection error",
      `
    > HEADERS 1 END_STREAM block=8286448118
    < GOAWAY 1 COMPRESSION_ERROR
    < FIN
  `,
    ],
    [
      "7541 5.2",
      "with EOS is a connection error",
      `
    > HEADERS 1 END_STREAM block=82864484fffffffc
    < GOAWAY 1 COMPRESSION_ERROR
    < FIN
  `,
    ],
  ]));

describe("a header block of a stream that is not served", () =>
  rows([
    [
      "9113 4.3",
      "of one that was refused still changes the table",
      `
    > HEADERS 1 POST /echo
    > HEADERS 3 END_STREAM block=828684410a62657274682e74657374
    > DATA 1 END_STREAM
    < RST_STREAM 3 REFUSED_STREAM
    < HEADERS 1 :status=200 ...
    < DATA 1 END_STREAM "POST "
    > HEADERS 5 END_STREAM block=828684be
    < HEADERS 5 :status=200 ...
    < DATA 5 END_STREAM "ahoy"
  `,
    ],
    [
      "9113 4.3",
      "of one that was malformed still changes the table",
      `
    > HEADERS 1 END_STREAM block=828684410a62657274682e746573744001410131
    > HEADERS 3 END_STREAM block=828684bf
    < RST_STREAM 1 PROTOCOL_ERROR
    < HEADERS 3 :status=200 ...
    < DATA 3 END_STREAM "ahoy"
  `,
    ],
    [
      "9113 4.3",
      "of trailers still changes the table",
      `
    > HEADERS 1 POST /echo
    > HEADERS 1 END_STREAM block=4001610131
    < HEADERS 1 :status=200 ...
    < DATA 1 END_STREAM "POST "
    > HEADERS 3 END_STREAM block=828684be410a62657274682e74657374
    < RST_STREAM 3 PROTOCOL_ERROR
  `,
    ],
  ], { maxConcurrentStreams: 1 }));
