import { describe, expect, test } from "bun:test";
import { compileFilter } from "../../../../../adapters/links/decorators/pcapng/packet_filter.ts";
import type { OutgoingPacket } from "../../../../../core/stack/link.ts";
import { IpHeader, parseIp } from "../../../../../core/wire/ip.ts";
import { echoRequest, pattern, PORT, tcpPacket, udpPacket } from "../../../../support/packets.ts";

const V4 = { from: "10.0.0.1", to: "10.0.0.2" };
const V6 = { from: "fd00::1", to: "fd00::2" };
/** From and to port 4242. */
const PACKETS = {
  tcp4: tcpPacket(V4, pattern(10)),
  udp4: udpPacket(V4, pattern(10)),
  icmp4: echoRequest(V4, pattern(10)),
  tcp6: tcpPacket(V6, pattern(10)),
  udp6: udpPacket(V6, pattern(10)),
  icmp6: echoRequest(V6, pattern(10)),
};

function selected(filter: string): string[] {
  const select = compileFilter(filter);
  return Object.entries(PACKETS).filter(([, packet]) => select(...parsed(packet))).map(([name]) =>
    name
  );
}

function parsed(packet: OutgoingPacket): [IpHeader, Uint8Array] {
  const bytes = new Uint8Array(packet.byteLength);
  packet.copyTo(bytes, 0);
  const ip = new IpHeader();
  expect(parseIp(bytes, bytes.length, ip)).toBe(undefined);
  return [ip, bytes];
}

const ALL = Object.keys(PACKETS);

describe("compileFilter", () => {
  test.each([
    ["", ALL],
    ["tcp", ["tcp4", "tcp6"]],
    ["udp or icmp", ["udp4", "icmp4", "udp6"]],
    ["icmp6", ["icmp6"]],
    ["ip", ["tcp4", "udp4", "icmp4"]],
    ["ip6 and not tcp", ["udp6", "icmp6"]],
    ["!tcp && !udp", ["icmp4", "icmp6"]],
    ["host 10.0.0.2", ["tcp4", "udp4", "icmp4"]],
    ["src host 10.0.0.2", []],
    ["dst 10.0.0.2 and tcp", ["tcp4"]],
    ["host fd00::1", ["tcp6", "udp6", "icmp6"]],
    ["net 10.0.0.0/8", ["tcp4", "udp4", "icmp4"]],
    ["src net fd00::/64", ["tcp6", "udp6", "icmp6"]],
    [`port ${PORT}`, ["tcp4", "udp4", "tcp6", "udp6"]],
    [`tcp port ${PORT}`, ["tcp4", "tcp6"]],
    [`udp src port ${PORT}`, ["udp4", "udp6"]],
    [`src and dst port ${PORT}`, ["tcp4", "udp4", "tcp6", "udp6"]],
    ["portrange 4000-4300 and ip", ["tcp4", "udp4"]],
    ["port 80 or 4242", ["tcp4", "udp4", "tcp6", "udp6"]],
    ["port 80", []],
    ["(tcp or icmp) and host 10.0.0.1", ["tcp4", "icmp4"]],
    ["tcp or icmp and host 10.0.0.1", ["tcp4", "icmp4", "tcp6"]],
    ["not (tcp or udp)", ["icmp4", "icmp6"]],
    ["host 10.0.0.9 or fd00::2 and udp", ["udp6"]],
  ])("%s selects %j", (filter, expected) => {
    expect(selected(filter)).toEqual(expected);
  });

  // The message says where the fault is.
  test.each([
    ["prot 80", '"prot" is unknown'],
    ["port", "port has no value"],
    ["port http", "port http: expected a number up to 65535"],
    ["port 70000", "port 70000: expected a number up to 65535"],
    ["portrange 9-1", "portrange 9-1: expected two numbers"],
    ["host example.org", "host example.org: expected an address such as"],
    ["net 10.0.0.1", "net 10.0.0.1: expected a network such as"],
    ["tcp and", "it is incomplete"],
    ["(tcp", '")" is missing'],
    ["tcp udp", '"udp" is not expected here'],
    ["tcp[13] & 2 != 0", '"tcp[13]" is unknown'],
    ["ether host 1:2:3:4:5:6", '"ether" is unknown'],
  ])("refuses %s", (filter, message) => {
    expect(() => compileFilter(filter)).toThrow(TypeError);
    expect(() => compileFilter(filter)).toThrow(message);
  });

  // A filter comes from a client of the admin API.
  test("bounds the length", () => {
    expect(() => compileFilter("(".repeat(2001))).toThrow("longer than 2000");
    expect(() => compileFilter("(".repeat(1900))).toThrow("it is incomplete");
    expect(() => compileFilter("not ".repeat(400))).toThrow("it is incomplete");
  });
});
