import { expect, test } from "bun:test";
import { formatHostPort, parseHostPort } from "../../../core/api/host_port.ts";

// Parsing and formatting are inverse.
test.each([
  ["10.0.0.2:80", "10.0.0.2", 80],
  ["[fd00::2]:80", "fd00::2", 80],
  ["[fe80::1%eth0]:65535", "fe80::1%eth0", 65535],
  ["localhost:0", "localhost", 0],
])("parseHostPort reads %s (RFC 3986 3.2)", (text: string, hostname: string, port: number) => {
  expect(parseHostPort(text)).toEqual({ hostname, port });
  expect(formatHostPort({ hostname, port })).toBe(text);
});

// Without brackets, an IPv6 address and its port are ambiguous.
test.each([
  "",
  "80",
  ":80",
  "host",
  "host:",
  "host:x",
  "host:65536",
  "fd00::2:80",
  "[::1]",
  "a b:1",
  "http://a:1",
  "[host]:1",
])(
  "parseHostPort refuses %j",
  (text: string) => {
    expect(parseHostPort(text)).toBeUndefined();
  },
);
