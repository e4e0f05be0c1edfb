import { afterEach, describe, expect, test } from "bun:test";
import { parseConfig } from "../adapters/service/settings/config.ts";
import { createStack } from "../core/api/stack.ts";
import { PROFILES } from "../core/tcp/config.ts";
import { UDP_DEFAULTS } from "../core/udp/config.ts";
import * as berth from "./support/public_api.ts";
import { webSocketOptionsSchema } from "../plugins/http/websocket/options.ts";
import { numbersOfOptions } from "./support/numbers_of_options.ts";

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
const setting = (config: Options) => parseConfig(JSON.stringify(config), "berth.json");

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
    setting({ capture: { file: "a", ...capture } }),
  "adapters/service/settings/wrap_settings.ts ImpairSetting": (impair: Options) =>
    setting({ impair }),
  "adapters/service/log/log_file.ts LogFileOptions": (logFile: Options) =>
    setting({ logFile: { file: "a", ...logFile } }),
  "adapters/service/settings/peers_setting.ts PeersSetting": (peers: Options) =>
    setting({ peers: { secretFile: "a", members: { 0: "192.0.2.1:1" }, ...peers } }),
  "adapters/service/settings/settings.ts Settings": (settings: Options) =>
    setting({ listen: { 7: "echo" }, ...settings }),
  "core/api/types.ts ListenOptions": (options: Options) =>
    stack({}).listen({ port: 7, ...options }),
  "core/api/types.ts ConnectOptions": (options: Options) =>
    stack({}).connect("10.0.0.2:7", options),
  "core/api/udp/datagram.ts ListenDatagramOptions": (options: Options) =>
    stack({}).listenDatagram({ port: 7, ...options }),
};

/** Interfaces whose values the program sets itself or has checked already. */
const INTERNAL = new Set([
  "adapters/host/native/message_socket.ts MessageSocketOptions",
  "adapters/links/decorators/impair/path.ts PathOptions",
  "adapters/links/tun/device.ts DeviceOptions",
  "adapters/links/udp_port.ts UdpPortOptions",
  "adapters/plugins/static_files/folder.ts FolderSettings",
  "adapters/service/cli/tools/event_lines.ts EventLinesOptions",
  "adapters/service/links/web_socket_server.ts WebSocketServerOptions",
  "core/api/config.ts StackConfig",
  "core/api/runtime/acceptor.ts AcceptorOptions",
  "plugins/dns/server.ts DnsServerOptions",
  "plugins/http/request_body.ts BodyLimits",
  "plugins/http/request_head.ts HeadLimits",
  "plugins/http/websocket/options.ts CheckedWebSocketOptions",
  "plugins/http2/parsed_request.ts RequestSetting",
  "plugins/http2/request_fields.ts HeadLimits",
  "plugins/http2/session.ts SessionLimits",
  "plugins/iperf3/test.ts TestLimits",
  "plugins/shared/dial.ts AttemptOptions",
  "plugins/shared/http/chunked.ts ChunkedLimits",
  "plugins/shared/outbound.ts CheckedOutboundOptions",
  "plugins/socks5/association.ts AssociationLimits",
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
]);

/**
 * Hostile values that a key accepts, because they mean something: off, nothing, no limit, or a time
 * that is over at once. All others are refused.
 */
const MEANINGFUL: Readonly<Record<string, readonly (number | string)[]>> = {
  bitsPerSecond: [Infinity],
  "CaptureFileOptions maxBytes": [Infinity],
  "CloseOptions graceMs": [0, Infinity],
  "EndOptions graceMs": [0, Infinity],
  "Settings graceMs": [0],
  burstBegin: [0, 5e-324],
  burstEnd: [0, 5e-324],
  burstLoss: [0, 5e-324],
  cacheBytes: [0],
  corrupt: [0, 5e-324],
  delayMs: [0, 5e-324],
  delayedAckMs: [0],
  duplicate: [0, 5e-324],
  elapsedMs: [0, 5e-324],
  fd: [0],
  jitterMs: [0, 5e-324],
  keepAliveMs: [0],
  lameDuckMs: [0],
  limit: [0],
  localPort: [0],
  loss: [0, 5e-324],
  maxAgeSeconds: [0],
  maxBodyBytes: [0],
  maxDrainBytes: [0],
  maxSuperPacket: [0],
  maxTimeWait: [0],
  mss: [0],
  port: [0, "5"],
  "NextEventLogOptions port": [],
  queueBytes: [0, 5e-324, Infinity],
  reloadGraceMs: [0],
  reorder: [0, 5e-324],
  reorderMs: [0, 5e-324],
  seed: [0],
  segmentSize: [0],
  self: [0],
  stateVersion: [0],
  trafficClass: [0],
  upgradeGraceMs: [0],
  v4Prefix: [0],
  v6Prefix: [0],
  vni: [0],
};

const HOSTILE = [0, 5e-324, NaN, Infinity, -Infinity, -1, -1e-9, 1e300, "5"];

function isMeaningful(of: string, key: string, value: number | string): boolean {
  const name = of.replace(/^.* /, "");
  const values = MEANINGFUL[`${name} ${key}`] ?? MEANINGFUL[key] ?? [];
  return values.includes(value);
}

/** JSON has only finite numbers. */
function hostileFor(name: string): (number | string)[] {
  return HOSTILE.filter((value) =>
    !/adapters.service/.test(name) || typeof value === "string" || Number.isFinite(value)
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
    const known = new Set([...Object.keys(INTERFACES), ...INTERNAL]);
    expect(found.map(([name]) => name).filter((name) => !known.has(name))).toEqual([]);
    const names = new Set(found.map(([name]) => name));
    expect([...known].filter((name) => !names.has(name))).toEqual([]);
  });

  // No accepted value becomes a timer that never waits, an infinite sum, or an unbounded queue.
  test.each(found.filter(([name]) => !INTERNAL.has(name)))(
    "of %s are refused with the name of the key",
    async (name: string, keys: string[]) => {
      const give = INTERFACES[name]!;
      const faults = await Promise.all(keys.flatMap((key) =>
        hostileFor(name).map(async (value) => {
          const fault = await faultOf(give, { [key]: value });
          if (fault.includes(key) !== isMeaningful(name, key, value)) return [];
          return [`${key}: ${value}: ${fault || "taken"}`];
        })
      ));
      expect(faults.flat()).toEqual([]);
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
          const create = () => stack({ [group]: { [key]: value } });
          if (isMeaningful(group, key, value)) expect(create).not.toThrow();
          else {
            expect(create).toThrow(
              new RegExp(`^createStack: options\\.${group}\\.${key}: [^;]+$`),
            );
          }
        }
      }
    }
  });

  // A method of a socket or flow refuses a value that is not a time, even a text, with a message that names the
  // method.
  test("of methods are refused with the name of the method", async () => {
    await using network = berth.testNetwork();
    const flow = Promise.withResolvers<berth.DatagramFlow>();
    network.server.use(7, berth.echo());
    network.server.use("udp/7", {
      name: "given",
      flow: (c) => Promise.resolve(flow.resolve(c.flow)),
    });
    const { socket } = await network.connect(7);
    using datagrams = network.client.listenDatagram({ port: 0 });
    await network.run(datagrams.send(new Uint8Array(1), "10.0.0.1:7"));
    const methods: Record<string, (value: never) => void> = {
      setUserTimeout: (value) => socket.setUserTimeout(value),
      setLinger: (value) => socket.setLinger(value),
      setIdleTimeout: await network.run(
        flow.promise.then((it) => (value: never) => it.setIdleTimeout(value)),
      ),
    };
    for (const [name, call] of Object.entries(methods)) {
      for (const value of [NaN, -Infinity, -1, -1e-9, "5"]) {
        expect(() => call(value as never)).toThrow(`${name}: ${value} is not `);
      }
      for (const value of [5e-324, 1e300, Infinity]) call(value as never);
      if (name !== "setLinger") expect(() => call(0 as never)).toThrow(`${name}: 0 is not `);
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
