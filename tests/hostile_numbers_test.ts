import { afterEach, describe, expect, test } from "bun:test";
import { parseConfig } from "../adapters/service/settings/config.ts";
import { createStack } from "../core/api/stack.ts";
import { PROFILES } from "../core/tcp/config.ts";
import { UDP_DEFAULTS } from "../core/udp/config.ts";
import * as berth from "./support/public_api.ts";
import { webSocketOptionsSchema } from "../plugins/http/websocket/options.ts";
import { sourceFiles } from "./support/source_files.ts";

type Options = Readonly<Record<string, unknown>>;
/** Passes options to the function that takes them; throws or rejects if they are refused. */
type Give = (options: never) => unknown;

const app = { fetch: () => new Response() };
const link = () => berth.linkPair()[0];
const stacks: berth.Stack[] = [];
const stack = (options: Options) => {
  const created = createStack({ link: link(), addresses: ["10.0.0.1/24"], ...options });
  stacks.push(created);
  return created;
};
const clock = new berth.VirtualClock();

/** Each interface of options that has numbers. */
const INTERFACES: Readonly<Record<string, Give>> = {
  "adapters/testing/test_network.ts TestNetworkOptions": berth.testNetwork,
  "core/api/config.ts IcmpOptions": (icmp: Options) => stack({ icmp }),
  "core/api/config.ts StackLimits": stack,
  "core/api/lines.ts LineOptions": (options: Options) =>
    berth.readLines((async function* () {})(), options),
  "core/api/types.ts CloseOptions": (options: Options) => stack({}).close(options),
  "core/api/types.ts EventLogOptions": (options: Options) =>
    stack({}).connect("10.0.0.2:7").eventLog(options),
  "core/api/types.ts NextEventLogOptions": (options: Options) => stack({}).nextEventLog(options),
  "core/api/moves/types.ts ThawOptions": (options: Options) =>
    stack({}).thaw(new Uint8Array(8), options),
  "core/api/moves/types.ts ReceiveOptions": (options: Options) =>
    stack({}).receive(new Uint8Array(20), options),
  "core/api/types.ts Plugin": (options: Options) =>
    stack({}).use(7, { ...berth.echo(), ...options }),
  "core/api/types.ts EndOptions": (options: Options) =>
    stack({}).use(7, berth.echo()).remove(options),
  "plugins/shared/outbound.ts OutboundOptions": (options: Options) => berth.socks5(options),
  "plugins/shared/subnet_set.ts PrefixLengths": (options: Options) =>
    berth.limit({ connections: 1, ...options }),
  "plugins/chargen.ts ChargenOptions": berth.chargen,
  "plugins/connect_proxy.ts ConnectProxyOptions": berth.connectProxy,
  "plugins/detect.ts DetectOptions": (options: Options) => berth.detect({ http: [] }, options),
  "plugins/dns.ts DnsOptions": (options: Options) =>
    berth.dns({ records: { a: { A: ["10.0.0.1"] } }, ...options } as never),
  "plugins/egress.ts EgressOptions": berth.egress,
  "plugins/forward/options.ts ForwardOptions": (options: Options) =>
    berth.forward({ to: "127.0.0.1:1", ...options }),
  "plugins/forward/options.ts HealthCheckOptions": (healthCheck: Options) =>
    berth.forward({ to: "127.0.0.1:1", healthCheck }),
  "plugins/http/options.ts HttpOptions": (options: Options) => berth.http(app, options),
  "plugins/http/websocket/options.ts WebSocketOptions": (options: Options) =>
    webSocketOptionsSchema.parse(options),
  "plugins/iperf3.ts Iperf3Options": berth.iperf3,
  "plugins/middleware/limit.ts LimitOptions": berth.limit,
  "plugins/middleware/proxy_protocol.ts ProxyProtocolOptions": berth.proxyProtocol,
  "plugins/middleware/rate.ts RateOptions": (options: Options) =>
    berth.rate({ perSecond: 1, perAddress: 1, ...options }),
  "plugins/middleware/shape.ts ShapeOptions": berth.shape,
  "plugins/middleware/timeout.ts TimeoutOptions": berth.timeout,
  "plugins/socks5.ts Socks5Options": berth.socks5,
  "plugins/socks5.ts Socks5UdpOptions": (udp: Options) => berth.socks5({ udp }),
  "adapters/links/ethernet/options.ts EthernetOptions": (options: Options) =>
    berth.ethernet(berth.framePortPair()[0], { addresses: ["10.0.0.1/24"], ...options }),
  "adapters/host/connect.ts ConnectHostOptions": (options: Options) =>
    berth.connectHost("127.0.0.1:1", options),
  "plugins/fetch.ts FetchOptions": (options: Options) => berth.createFetch(stack({}), options),
  "plugins/http2/options.ts Http2Options": (options: Options) => berth.http2(app, options),
  "adapters/links/qemu_dgram.ts QemuDgramOptions": (options: Options) =>
    berth.openQemuDgram({ local: "127.0.0.1:0", remote: "127.0.0.1:1", ...options }),
  "adapters/links/qemu_stream.ts QemuStreamOptions": (options: Options) =>
    berth.openQemuStream({ listen: "127.0.0.1:0", ...options }),
  "adapters/links/udp.ts UdpLinkOptions": (options: Options) =>
    berth.openUdpLink({ local: "127.0.0.1:0", ...options }),
  "adapters/links/vxlan.ts VxlanOptions": (options: Options) =>
    berth.openVxlan({ vni: 1, local: "127.0.0.1:0", ...options }),
  "adapters/links/web_socket.ts WebSocketLinkOptions": (options: Options) =>
    berth.webSocketLinkEvents(() => {}, options),
  "adapters/links/memory.ts LinkPairOptions": berth.linkPair,
  "adapters/plugins/static_files.ts StaticFilesOptions": (options: Options) =>
    berth.staticFiles(".", options),
  "adapters/plugins/tls/options.ts TlsOptions": (options: Options) =>
    berth.tls({ certificates: [], ...options }),
  "adapters/links/tun/options.ts TunOptions": (options: Options) => berth.openTun(options),
  "adapters/links/decorators/capture_file.ts CaptureFileOptions": (options: Options) =>
    berth.captureFile("/nowhere/a.pcapng", options),
  "adapters/links/decorators/impair.ts ImpairOptions": (options: Options) =>
    berth.impair(link(), { seed: 1, clock, ...options }),
  "adapters/links/decorators/impair/impairments.ts Impairments": (options: Options) =>
    berth.impair(link(), { seed: 1, clock, ...options }),
  "adapters/service/settings/wrap_settings.ts CaptureSetting": (capture: Options) =>
    parseConfig(JSON.stringify({ capture: { file: "a", ...capture } }), "berth.json"),
  "adapters/service/settings/wrap_settings.ts ImpairSetting": (impair: Options) =>
    parseConfig(JSON.stringify({ impair }), "berth.json"),
};

/** Interfaces whose numbers are neither times nor limits, or are set by the program itself. */
const HARMLESS = new Set([
  "adapters/host/bound_datagrams.ts BoundDatagrams",
  "adapters/service/peers/open_peers.ts OpenPeersOptions",
  "adapters/service/upgrade/inheritance.ts SharedShard",
  "adapters/host/connection.ts HostConnectionOptions",
  "adapters/host/datagram_port.ts HostDatagramOptions",
  "adapters/host/listen.ts HostListenOptions",
  "adapters/host/native/connection.ts NativeConnectionOptions",
  "adapters/host/native/listener.ts NativeListenOptions",
  "adapters/host/descriptors.ts AcceptWatchOptions",
  "adapters/service/cli/service_manager.ts ServiceManagerOptions",
  "adapters/service/log/flow_log.ts LineLimits",
  "adapters/service/publish/publish.ts PublishLimits",
  "plugins/shared/host_network.ts DialOptions",
  "adapters/links/decorators/pcapng.ts PcapngOptions",
  "adapters/service/publish/publish_datagrams.ts PublishDatagramsOptions",
  "adapters/service/links/tun.ts DeviceSetting",
  "plugins/shared/upstream.ts RelayOptions",
  "adapters/service/inspection/stream_source.ts NextEventLogSource",
  "core/api/types.ts ListenOptions",
  "core/api/types.ts ConnectOptions",
]);

/** Additional values that a single key accepts: no limit, or none at all. */
const UNBOUNDED = new Set([
  "graceMs Infinity",
  "bitsPerSecond Infinity",
  "queueBytes Infinity",
  "maxBytes Infinity",
  "maxWaitingBytes Infinity",
]);

const HOSTILE = [NaN, Infinity, -Infinity, -1, -1e-9, 1e300, "5"];

/** `file interface` and its optional numbers. */
function numbersOfOptions(): [string, string[]][] {
  return sourceFiles("core/api", "plugins", "adapters").flatMap(({ path, text }) =>
    [...text.matchAll(/export interface (\w+)[^{]*\{([^]*?)\n\}/g)].flatMap(
      ([, name, body]): [string, string[]][] => {
        const keys = [...body!.matchAll(/^ {2}(?:readonly )?(\w+)\?: number(?: \| undefined)?;/gm)];
        return keys.length === 0 ? [] : [[`${path} ${name}`, keys.map(([, key]) => key!)]];
      },
    )
  );
}

async function faultOf(give: Give, options: Options): Promise<string> {
  try {
    await give(options as never);
    return "";
  } catch (error) {
    return (error as Error).message;
  }
}

afterEach(async () => {
  await Promise.all(stacks.splice(0).map((created) => created.close({ graceMs: 0 })));
});

describe("numbers of options", () => {
  const found = numbersOfOptions();

  // A new interface with numbers has to be added here.
  test("are all known here", () => {
    const known = new Set([...Object.keys(INTERFACES), ...HARMLESS]);
    expect(found.map(([name]) => name).filter((name) => !known.has(name))).toEqual([]);
    const names = new Set(found.map(([name]) => name));
    expect([...known].filter((name) => !names.has(name))).toEqual([]);
  });

  // None becomes a timer that never waits, an infinite sum, or an unbounded queue.
  test.each(found.filter(([name]) => !HARMLESS.has(name)))(
    "of %s are refused with the name of the key",
    async (name, keys) => {
      const give = INTERFACES[name]!;
      for (const key of keys) {
        for (const value of HOSTILE) {
          if (UNBOUNDED.has(`${key} ${value}`)) continue;
          if (
            value === 1e300 && /^(bitsPerSecond|queueBytes|maxBytes|maxWaitingBytes)$/.test(key)
          ) continue;
          // JSON has neither.
          if (name.includes("Setting") && typeof value === "number" && !Number.isFinite(value)) {
            continue;
          }
          const fault = await faultOf(give, { [key]: value });
          if (!fault.includes(key)) {
            throw new Error(`${name} ${key}: ${value}: ${fault || "taken"}`);
          }
        }
      }
    },
  );

  // The same for the times and sizes of a connection, one by one.
  test("of the tcp and udp options are refused with the name of the key", () => {
    const numbers = (group: object) =>
      Object.entries(group).filter(([, value]) => typeof value === "number").map(([key]) => key);
    const groups = {
      tcp: numbers(PROFILES.internet),
      udp: numbers(UDP_DEFAULTS),
    };
    for (const [group, keys] of Object.entries(groups)) {
      expect(keys.length).toBeGreaterThan(4);
      for (const key of keys) {
        for (const value of HOSTILE) {
          expect(() => stack({ [group]: { [key]: value } })).toThrow(
            new RegExp(`^createStack: options\\.${group}\\.${key}: [^;]+$`),
          );
        }
      }
    }
  });

  // A minimum RTO above the maximum is a contradiction.
  test("are refused when they contradict each other", () => {
    expect(() => stack({ tcp: { maxRtoMs: 100 } })).toThrow(
      "createStack: options.tcp.maxRtoMs: expected at least minRtoMs, 200, got 100",
    );
    expect(() => stack({ tcp: { maxRtoMs: 0 } })).toThrow(
      "createStack: options.tcp.maxRtoMs: expected a number of milliseconds from 1 to 31536000000, " +
        "got 0",
    );
  });
});
