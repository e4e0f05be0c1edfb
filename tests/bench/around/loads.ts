/**
 * The rows of `around.ts`.
 *
 * @module
 */
import type { Load, Target } from "../alternate.ts";
import { figureOf, requestsOf } from "../loads.ts";

/** Services of a target, with their ports. */
export type Ports = Readonly<Partial<Record<Service, number>>>;

/** A service that a row measures. */
export type Service =
  | "https"
  | "http2"
  | "files"
  | "discard"
  | "characters"
  | "echo"
  | "http"
  | "datagrams"
  | "dns"
  | "webSocket";

/** A target of these rows. */
export interface AroundTarget extends Target {
  /** Names of the groups of rows in which it is measured. */
  readonly groups: readonly Group[];
  readonly ports: Ports;
}

/** A group of rows, which are compared in one table. */
export type Group = "HTTP" | "forward" | "egress" | "datagrams and WebSocket" | "kernel";

/** Size of the large file and of the large body. */
export const LARGE = 2 ** 30;
/** Names of the files. */
export const SMALL_FILE = "10k.bin";
export const LARGE_FILE = "1g.bin";

const INSECURE_CURL = [
  "curl",
  "-sSk",
  "-o",
  "/dev/null",
  "-w",
  "%{speed_download} %{size_download}",
];
const [PER_SECOND, RATE] = ["per s", "Gbit/s"];

/** How a row measures a target. */
type Command = (address: string, port: number) => readonly (string | number)[];

function load(
  name: string,
  unit: string,
  service: Service,
  command: Command,
  figure: (out: string) => number,
): Load {
  return {
    name,
    unit,
    command: (target) => {
      const port = (target as AroundTarget).ports[service];
      return port && command(target.address, port).map(String);
    },
    figure,
  } as Load;
}

/** The rows of a group; `generator` is `programs/load.c`. */
export function aroundLoads(group: Group, generator: string, seconds: number): Load[] {
  const wrk = (url: (address: string, port: number) => string): Command => (address, port) => [
    ...["wrk", "-t1", "-c32", `-d${seconds}`],
    url(address, port),
  ];
  const ours = (
    name: string,
    unit: string,
    service: Service,
    [mode, connections, field]: readonly [string, number, string],
  ) =>
    load(
      name,
      unit,
      service,
      (address, port) => [generator, mode, address, port, seconds, connections],
      (out) => figureOf(out, field),
    );
  const bulk = (mode: "up" | "down", count: number) =>
    ours(
      `${mode}, ${count} connection${count === 1 ? "" : "s"}`,
      RATE,
      mode === "up" ? "discard" : "characters",
      [mode, count, "gbit_s"],
    );
  const small = (count: number) =>
    ours(
      `64 bytes there and back, ${count} connection${count === 1 ? "" : "s"}`,
      PER_SECOND,
      "echo",
      ["pingpong", count, "req_s"],
    );
  const close = ours("connect, 64 bytes, close; 32 at a time", PER_SECOND, "echo", [
    ...["crr", 32, "req_s"] as const,
  ]);
  const hello = load(
    'HTTP "hello", 32 connections',
    PER_SECOND,
    "http",
    wrk((address, port) => `http://${address}:${port}/`),
    requestsOf,
  );
  switch (group) {
    case "HTTP":
      return [
        load(
          'HTTPS "hello", 32 connections',
          PER_SECOND,
          "https",
          wrk((address, port) => `https://${address}:${port}/`),
          requestsOf,
        ),
        load(
          'HTTP/2 over TLS "hello", 8 connections of 16 streams',
          PER_SECOND,
          "http2",
          (address, port) => [
            ...["h2load", "-c8", "-m16", `-D${seconds}`],
            `https://${address}:${port}/`,
          ],
          streamsOf,
        ),
        load(
          "HTTPS body of 1 GiB",
          RATE,
          "https",
          (address, port) => [...INSECURE_CURL, `https://${address}:${port}/bulk`],
          rateOf,
        ),
        load(
          "static file of 10 KiB",
          PER_SECOND,
          "files",
          wrk((address, port) => `http://${address}:${port}/${SMALL_FILE}`),
          requestsOf,
        ),
        load(
          "static file of 1 GiB",
          RATE,
          "files",
          (address, port) => [...INSECURE_CURL, `http://${address}:${port}/${LARGE_FILE}`],
          rateOf,
        ),
      ];
    case "forward":
      return [
        bulk("up", 1),
        bulk("down", 1),
        bulk("up", 16),
        bulk("down", 16),
        small(1),
        small(64),
        close,
        hello,
      ];
    case "egress":
      return [bulk("up", 1), bulk("down", 1), small(1), small(64), close];
    case "datagrams and WebSocket":
      return [
        ours("UDP echo, 64 in flight", PER_SECOND, "datagrams", ["udp", 64, "req_s"]),
        ours("DNS, 64 in flight", PER_SECOND, "dns", ["dns", 64, "req_s"]),
        ours("WebSocket echo, 64 clients", PER_SECOND, "webSocket", ["websocket", 64, "req_s"]),
      ];
    case "kernel":
      return [
        bulk("up", 16),
        bulk("down", 16),
        small(64),
        close,
        hello,
        ours("64 bytes there and back beside 4 downloads, 99th percentile", "µs", "characters", [
          ...["beside", 4, "p99_us"] as const,
        ]),
      ];
  }
}

/** The rate that `h2load` reports. Without ALPN it would measure HTTP/1.1. */
function streamsOf(out: string): number {
  if (!/Application protocol: h2$/m.test(out)) throw new Error(`not HTTP/2: ${out.slice(0, 500)}`);
  const [, failed, errored] = /(\d+) failed, (\d+) errored/.exec(out) ?? [];
  if (failed !== "0" || errored !== "0") throw new Error(out.slice(-500));
  return Number(/([\d.]+) req\/s/.exec(out)?.[1]);
}

/** The rate that `curl` reports, in Gbit/s, if everything arrived. */
function rateOf(out: string): number {
  const [bytesPerSecond, size] = out.split(" ").map(Number);
  if (size !== LARGE) throw new Error(`${size} bytes of ${LARGE}`);
  return bytesPerSecond! * 8 / 1e9;
}
