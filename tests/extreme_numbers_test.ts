import { describe, expect, test } from "bun:test";
import { createStack } from "../core/api/stack.ts";
import { PROFILES } from "../core/tcp/config.ts";
import { UDP_DEFAULTS } from "../core/udp/config.ts";
import { numbersOfOptions } from "./support/numbers_of_options.ts";
import * as berth from "./support/public_api.ts";

type Options = Readonly<Record<string, unknown>>;
type Chain = readonly (berth.Handler | berth.Plugin)[];

const REQUEST = new TextEncoder().encode(
  `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9000\r\n\r\n${"x".repeat(9000)}`,
);
/** Time after the exchange in which only timers that recur send anything. */
const IDLE_MS = 2000;
/** A probe of each stack in each millisecond with its answer; the rest is for the exchange. */
const MAX_PACKETS = 4 * IDLE_MS + 50_000;
const MIN_DOUBLE = 5e-324;

/** The smallest and the largest value of a number, 0, 1 and the one next to 0: those that are accepted. */
function extremesOf(give: (value: number) => unknown): number[] {
  const fault = faultOf(() => give(-1e300));
  const [, least, most] = /\bfrom (\S+) to (\S+?)(,| got|$)/.exec(fault) ?? [];
  if (most === undefined) throw new Error(`no bounds in the message: ${fault}`);
  return [0, MIN_DOUBLE, 1, Number(least), Number(most)].filter((value, i, all) =>
    all.indexOf(value) === i && faultOf(() => give(value)) === ""
  );
}

function faultOf(call: () => unknown): string {
  try {
    call();
    return "";
  } catch (error) {
    return (error as Error).message;
  }
}

/** A case for each extreme of each key. */
function casesOf(
  name: string,
  keys: readonly string[],
  give: (options: Options) => unknown,
): [string, Options][] {
  return keys.flatMap((key) =>
    extremesOf((value) => give({ ...needsOf(key), [key]: value })).map((
      value,
    ): [string, Options] => [
      `${name}.${key}: ${value}`,
      { ...needsOf(key), [key]: value },
    ])
  );
}

/** Other values without which an extreme contradicts a default. */
function needsOf(key: string): Options {
  if (key === "maxRtoMs") return { minRtoMs: 1 };
  if (key === "minRtoMs") return { maxRtoMs: 365 * 86_400_000 };
  if (key === "timeoutMs") return { intervalMs: 365 * 86_400_000 };
  return key === "keepAliveIntervalMs" || key === "keepAliveIdleMs"
    ? { keepAlive: true, keepAliveIntervalMs: 1, keepAliveIdleMs: 1 }
    : {};
}

const numbersOf = (group: object) =>
  Object.entries(group).filter(([, value]) => typeof value === "number").map(([key]) => key);
const optionNumbers = numbersOfOptions();
const keysOf = (name: string) => optionNumbers.find(([each]) => each.endsWith(` ${name}`))![1];

const createOver = (options: Options) =>
  createStack({ link: berth.linkPair()[0], addresses: ["10.0.0.1/24"], ...options });
const impairLink = (options: Options) =>
  berth.impair(berth.linkPair()[0], { seed: 1, clock: new berth.VirtualClock(), ...options });

const RECURRING: Options = {
  keepAlive: true,
  keepAliveIdleMs: 1,
  keepAliveIntervalMs: 1,
  minRtoMs: 1,
  maxRtoMs: 1,
  initialRtoMs: 1,
  msl: 1,
  ackStallMs: 1,
};
const TCP_CASES: [string, Options][] = [
  ...casesOf("tcp", numbersOf(PROFILES.internet), (tcp) => createOver({ tcp })),
  ["all times of profile local at 1 ms", { profile: "local", ...RECURRING }],
  ["all times of profile internet at 1 ms", { profile: "internet", ...RECURRING }],
];
const UDP_CASES = casesOf("udp", numbersOf(UDP_DEFAULTS), (udp) => createOver({ udp }));
const LIMIT_CASES = casesOf("limits", keysOf("StackLimits"), createOver);
const IMPAIR_CASES = casesOf("impair", keysOf("Impairments"), impairLink);

const app = { fetch: async (request: Request) => new Response(await request.arrayBuffer()) };

/** What serves a port with options: the key of the options' interface, and the chain. */
const CHAINS: Readonly<Record<string, (options: never) => Chain>> = {
  ChargenOptions: (options: Options) => [berth.chargen(options)],
  DetectOptions: (options: Options) => [berth.detect({ http: [berth.http(app)] }, options)],
  HttpOptions: (options: Options) => [berth.http(app, options)],
  Http2Options: (options: Options) => [berth.http2(app, options)],
  Iperf3Options: (options: Options) => [berth.iperf3(options)],
  LimitOptions: (options: Options) => [berth.limit(options), berth.echo()],
  ProxyProtocolOptions: (options: Options) => [
    berth.proxyProtocol({ trusted: ["10.0.0.0/8"], ...options }),
    berth.echo(),
  ],
  RateOptions: (options: Options) => [
    berth.rate({ perSecond: 1, perAddress: 1, ...options }),
    berth.echo(),
  ],
  ShapeOptions: (options: Options) => [
    berth.shape({ sendRate: 1e6, receiveRate: 1e6, ...options }),
    berth.echo(),
  ],
  TimeoutOptions: (options: Options) => [berth.timeout(options), berth.echo()],
  Socks5Options: (options: Options) => [berth.socks5(options)],
  ConnectProxyOptions: (options: Options) => [berth.connectProxy(options)],
};
const CHAIN_CASES = Object.entries(CHAINS).flatMap(([name, chain]) =>
  casesOf(name, keysOf(name), chain as never)
    .map(([title, options]): [string, Chain] => [title, chain(options as never)])
);

/** Sends a request, reads the answer and closes; an error is a valid end too. */
async function exchange(socket: berth.TcpSocket): Promise<void> {
  const reading = (async () => {
    let left = 1_000_000;
    for await (const view of socket.views()) if ((left -= view.length) < 0) break;
  })();
  const writing = (async () => {
    for (let written = 0; written < REQUEST.length;) {
      written += await socket.write(REQUEST.subarray(written));
    }
    await socket.closeWrite();
  })();
  await Promise.allSettled([reading, writing]);
  await Promise.allSettled([socket.close(), socket.closed]);
}

interface Serving {
  readonly tcp?: Options;
  readonly udp?: Options;
  readonly limits?: Options;
  readonly impair?: Options;
  readonly chain?: Chain;
}

/**
 * Serves one connection while another one is open and idle, and a datagram; then waits. The virtual clock throws if
 * timers fire without time passing.
 */
async function serve({ tcp, udp, limits, impair, chain = [berth.echo()] }: Serving): Promise<void> {
  const clock = new berth.VirtualClock();
  const [here, there] = berth.linkPair();
  const common = { clock, random: berth.seededRandom(1), tcp, udp } as object;
  const link = impair === undefined ? here : berth.impair(here, { seed: 1, clock, ...impair });
  const server = createStack({ link, addresses: ["10.0.0.1/24"], ...common, ...limits });
  const client = createStack({ link: there, addresses: ["10.0.0.2/24"], ...common });
  try {
    server.use(7, ...chain as [berth.Handler]);
    server.use("udp/7", berth.echo());
    const datagrams = client.listenDatagram({ port: 0 });
    const [idle, socket] = [1, 2].map(() =>
      client.connect("10.0.0.1:7", { allowHalfOpen: true })
    ) as [berth.TcpSocket, berth.TcpSocket];
    for (const promise of [idle.opened, idle.closed, socket.opened]) promise.catch(() => {});
    const exchanged = exchange(socket);
    const sent = datagrams.send(new Uint8Array(100), "10.0.0.1:7");
    let isOver = false;
    void Promise.all([exchanged, sent]).then(() => isOver = true);
    clock.schedule(IDLE_MS, () => isOver = true);
    await clock.runUntil(() => isOver);
    await clock.advance(IDLE_MS);
    const packets = server.stats()["packetsOut"]! + client.stats()["packetsOut"]!;
    expect(packets).toBeGreaterThan(0);
    expect(packets).toBeLessThan(MAX_PACKETS);
  } finally {
    await clock.runUntil(Promise.all([client.close(), server.close()]));
  }
}

describe("the smallest and the largest number", () => {
  // A time of 1 ms makes a timer recur a thousand times a second, not without end.
  test.each(TCP_CASES)("of a TCP option does not spin: %s", (_, tcp) => serve({ tcp }));

  // The same for UDP.
  test.each(UDP_CASES)("of a UDP option does not spin: %s", (_, udp) => serve({ udp }));

  // The same for the bounds of a stack.
  test.each(LIMIT_CASES)("of a limit does not spin: %s", (_, limits) => serve({ limits }));

  // The same for a link.
  test.each(IMPAIR_CASES)("of an impairment does not spin: %s", (_, impair) => serve({ impair }));

  // The same for plugins and middleware.
  test.each(CHAIN_CASES)("of a plugin does not spin: %s", (_, chain) => serve({ chain }));
});
