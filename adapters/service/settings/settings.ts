/**
 * The settings of the service: one table for the flags, the configuration file, `--help`, the JSON
 * Schema and the documentation.
 *
 * @module
 */
import { z } from "zod";
import {
  type IcmpOptions,
  icmpRuleSchema,
  icmpSchema,
  type StackLimits,
  stackLimitsSchema,
  tcpFieldsSchema,
  type TcpOptions,
  type UdpOptions,
  udpSchema,
} from "../../../core/api/config.ts";
import { milliseconds, wholeNumber } from "../../../core/api/numbers.ts";
import { isOwnable } from "../../../core/stack/ip/own_addresses.ts";
import { Subnet } from "../../../core/wire/address.ts";
import { LOG_FORMATS, type LogFormat } from "../log/line_format.ts";
import type { LogFileOptions } from "../log/log_file.ts";
import { LOG_LEVELS, type LogLevel } from "../log/logger.ts";
import { type LinkSetting, locateLink, parseLink } from "../links/table.ts";
import { adminSchema, type AdminSetting, locateAdmin } from "./admin_setting.ts";
import {
  listenFileSchema,
  type ListenSetting,
  listenTextSchema,
  locateListen,
  type WrittenListen,
} from "./listen_setting.ts";
import { locateLogFile, logFileSchema } from "./log_file_setting.ts";
import {
  locatePublish,
  publishSchema,
  type PublishSetting,
  type StackPublishSetting,
} from "./publish_setting.ts";
import { locatePeers, peersSchema, type PeersSetting } from "./peers_setting.ts";
import { locateMoves, movesSchema, type MovesSetting } from "./moves_setting.ts";
import type { JsonSchemaNotes, Setting } from "./setting.ts";
import {
  captureSchema,
  type CaptureSetting,
  impairSchema,
  type ImpairSetting,
  impairTextSchema,
  locateCapture,
} from "./wrap_settings.ts";

/** All settings of the service, checked and complete. {@link SETTINGS} defines how they are written. */
export interface Settings {
  /** The name of the TUN device; without `tun` and `link` the service runs on a memory link. */
  readonly tun?: string | undefined;
  /** The link to open instead of a TUN device. */
  readonly link?: LinkSetting | undefined;
  /** The file that packets are recorded to. */
  readonly capture?: CaptureSetting | undefined;
  /** Impairments of the link. */
  readonly impair?: ImpairSetting | undefined;
  /** Own addresses of the stack, with prefix lengths. */
  readonly addresses: readonly string[];
  /** Addresses of the other end of the link, with prefix lengths. */
  readonly hostAddresses: readonly string[];
  /** Addresses and networks inside `addresses` that belong to other hosts. */
  readonly exceptAddresses: readonly string[];
  /** Largest IP packet, in bytes. */
  readonly mtu: number;
  /** Number of threads; more than one requires `tun`. */
  readonly workers: number;
  /** Whether several workers may use all processors, so that none is left to the kernel and the clients. */
  readonly allProcessors: boolean;
  /** Defaults for TCP. */
  readonly profile: "local" | "internet";
  /** Idle time before a peer is probed, in milliseconds; 0 for no probes. */
  readonly keepAliveMs: number;
  /** Options of TCP connections, in place of the defaults of `profile` and `keepAliveMs`. */
  readonly tcp?: Omit<TcpOptions, "profile"> | undefined;
  /** Options of UDP. */
  readonly udp?: UdpOptions | undefined;
  /** Bounds of each stack. */
  readonly limits?: StackLimits | undefined;
  /** Rules for ICMP messages. */
  readonly icmp?: IcmpOptions | readonly IcmpOptions[] | undefined;
  /** The plugins of listen addresses, at most one entry for each address. */
  readonly listen: readonly ListenSetting[];
  /** Ports of the host that lead into the stack. */
  readonly publish: readonly PublishSetting[];
  /** The other instances that serve the same addresses. */
  readonly peers?: PeersSetting | undefined;
  /** How connections move to and from other instances; absent if they do not. */
  readonly moves?: MovesSetting | undefined;
  /** Where the admin API is served; absent if there is none. */
  readonly admin?: AdminSetting | undefined;
  /** Whether the admin API serves metrics. */
  readonly metrics: boolean;
  /** The least severe level that is logged. */
  readonly logLevel: LogLevel;
  /** The format of log lines. */
  readonly logFormat: LogFormat;
  /** The file that lines are written to; absent for stderr. */
  readonly logFile?: LogFileOptions | undefined;
  /** The file for the access logs of `http` and `http2`; absent for the log. */
  readonly accessLogFile?: LogFileOptions | undefined;
  /** Milliseconds between the end of readiness and the first refused connection. */
  readonly lameDuckMs: number;
  /** Milliseconds that open connections have to finish when the service stops. */
  readonly graceMs: number;
  /** Milliseconds that connections of replaced and removed plugins may continue after a reload. */
  readonly reloadGraceMs: number | "never";
  /** Whether connections continue with the plugins that replace theirs in a reload. */
  readonly reloadMoves: boolean;
  /** Milliseconds that a process may continue with its connections after an upgrade. */
  readonly upgradeGraceMs: number | "never";
  /** Whether connections move to the new process of an upgrade. */
  readonly upgradeMoves: boolean;
}

/** The settings of the flags or of a configuration file; others are absent or `undefined`. */
export type PartialSettings =
  & { [Key in Exclude<keyof Settings, "publish">]?: Settings[Key] | undefined }
  & { readonly publish?: readonly (PublishSetting | StackPublishSetting)[] | undefined };

/** A key of the configuration file. */
export type SettingKey = keyof Settings;

type Table = {
  readonly [Key in SettingKey]-?: Setting<
    NonNullable<PartialSettings[Key]>,
    Key extends "listen" ? WrittenListen : never
  >;
};

const TUN_EXPECTED = "expected a device name of 1 to 15 characters such as berth0";

/** More threads than cores gain nothing; a device has at most 256 queues. */
const MAX_WORKERS = 64;

/** An IPv4-only link may carry as little as 68 bytes (RFC 791 3.2). */
const MIN_MTU = 68;

const millisecondsOrNever = z.union([milliseconds(0), z.literal("never")], {
  error: ({ input }) =>
    `expected "never", 0 or a number of milliseconds from 1 on, got ${JSON.stringify(input)}`,
});

/** The text of a flag that is true or false. */
const ON_OR_OFF = z.enum(["on", "off"], {
  error: ({ input }) => `expected on or off, got ${input}`,
}).transform((text) => text === "on");

/**
 * Every setting, by its key in the configuration file. The order is that of `--help` and of the
 * documentation. After a change run `deno task settings`, which writes the files generated from the table.
 */
export const SETTINGS: Table = {
  tun: {
    flag: "--tun NAME",
    // The kernel accepts up to 15 bytes, and replaces `%d` with the first free number.
    schema: z.string(TUN_EXPECTED).regex(/^[^\s/:]{1,15}$/, TUN_EXPECTED),
    help: "create this Linux TUN device, or attach to it (needs CAP_NET_ADMIN)",
    details:
      "The Linux TUN device to create or attach to. Without it the service runs on a memory " +
      "link: two stacks in the process, no privilege, reachable only through `publish`",
  },
  link: {
    flag: "--link KIND:OPTIONS",
    schema: z.string().transform((text, c): LinkSetting => {
      const parsed = parseLink(text);
      if (typeof parsed !== "string") return parsed;
      c.addIssue(parsed);
      return z.NEVER;
    }),
    locate: (link, { folder }) => locateLink(link, folder),
    help: "use another link instead of --tun; docs/links.md lists the kinds",
    details: "Another link instead of `tun`, such as `tun:berth0,offload=off`; [links](links.md) " +
      "lists the kinds",
  },
  capture: {
    flag: "--capture FILE",
    schema: captureSchema,
    locate: locateCapture,
    help: "record the packets on the link to a pcapng file; - is stdout",
    details: "Records what the stack sends and receives as [pcapng](#recording-and-impairing); " +
      "`-` is stdout",
  },
  impair: {
    flag: "--impair NAME=VALUE,...",
    schema: impairSchema,
    text: impairTextSchema,
    help: "impair the link: delayMs=20,loss=0.01,incoming.loss=0.01; docs/links.md has the names",
    details: "[Impairs](#recording-and-impairing) the link",
  },
  addresses: {
    flag: "--address CIDR",
    repeatable: true,
    schema: z.string().refine((text) => hasLength(text) && isOwnable(Subnet.parse(text)!), {
      error: ({ input }) =>
        "expected ADDRESS/LENGTH such as 10.7.0.2/24 or fd07::2/64, or for every address of a " +
        `network NETWORK/LENGTH such as 10.90.0.0/16 or fd00:90::/64, got ${input}`,
    }),
    defaultText: "`10.7.0.2/24`, `fd07::2/64` on the memory link; required with `tun` or `link`",
    help: "an address of the stack, such as 10.7.0.2/24, or every address of a network, such as " +
      "10.90.0.0/16",
    details: "The addresses that the stack answers; a network address, such as `10.90.0.0/16`, " +
      "stands for [all addresses of the network](#whole-networks)",
  },
  hostAddresses: {
    flag: "--host-address CIDR",
    repeatable: true,
    schema: z.string().refine((text) => hasLength(text) && !Subnet.parse(text)!.isNetwork, {
      error: ({ input }) =>
        `expected ADDRESS/LENGTH such as 10.7.0.1/24 or fd07::1/64, got ${input}`,
    }),
    defaultText: "the first other address of each subnet",
    help: "an address of the other end of the link; default the first other address of each subnet",
    details:
      "Addresses of the other side of the link: the kernel's, or those of the memory link's " +
      "second stack. They are excluded from whole networks",
  },
  exceptAddresses: {
    flag: "--except-address CIDR",
    repeatable: true,
    schema: z.string().refine((text) => Subnet.parse(text) !== undefined, {
      error: ({ input }) => `expected an address or a network such as 10.90.7.0/24, got ${input}`,
    }),
    help: "an address or network inside a whole network that belongs to another host",
    details:
      "Further addresses and networks inside [whole networks](#whole-networks) that belong " +
      "to others",
  },
  mtu: {
    flag: "--mtu N",
    schema: wholeNumber(MIN_MTU, 65_535, "bytes"),
    default: 1500,
    help: "largest IP packet in bytes",
    details: "Largest IP packet in bytes, 68 to 65535, with IPv6 1280 or more",
  },
  workers: {
    flag: "--workers N",
    schema: wholeNumber(1, MAX_WORKERS, "threads"),
    default: 1,
    help: "number of threads; more than one requires --tun, and a processor each and one more",
    details: "Number of threads for the stack and its plugins, 1 to 64; more than one requires " +
      "`tun`, and [a processor each and one more](#workers)",
  },
  allProcessors: {
    flag: "--all-processors on|off",
    schema: z.boolean("expected true or false"),
    text: ON_OR_OFF,
    default: false,
    help:
      "whether there may be as many workers as processors, with none left to the kernel and the clients",
    details:
      "Whether there may be as many `workers` as processors, with none left to the kernel and " +
      "the clients; measure [whether your load gains](#workers). On the command line `on` or `off`",
  },
  profile: {
    flag: "--profile local|internet",
    schema: z.enum(["local", "internet"], {
      error: ({ input }) => `expected local or internet, got ${input}`,
    }),
    default: "local",
    help: "defaults for TCP",
    details: "Defaults for TCP: `local` or `internet`",
  },
  keepAliveMs: {
    schema: milliseconds(0),
    // RFC 9293 3.8.4, MUST-28.
    default: 7_200_000,
    help: "idle milliseconds before a keep-alive probe; 0 for no probes",
    details: "Idle milliseconds before a peer is [probed](#peers-that-are-gone); 0 for no probes",
  },
  tcp: {
    schema: tcpFieldsSchema,
    defaultText: "those of `profile`",
    help: "options of TCP connections",
    details:
      "[Options of TCP connections](#tcp-udp-and-limits), which override individual defaults of `profile` " +
      "and `keepAliveMs`",
  },
  udp: {
    schema: udpSchema,
    help: "options of UDP",
    details: "[Options of UDP](#tcp-udp-and-limits)",
  },
  limits: {
    schema: stackLimitsSchema,
    help: "bounds of the stack",
    details:
      "[Bounds of the stack](#tcp-udp-and-limits); with `workers`, of the stack of each worker",
  },
  icmp: {
    schema: z.unknown().transform((value, c) => {
      const { success, error } = icmpSchema.safeParse(value);
      if (success) return value as IcmpOptions | readonly IcmpOptions[];
      for (const { path, message } of error.issues) {
        c.addIssue({ code: "custom", path: [...path], message });
      }
      return z.NEVER;
    }).meta({ shape: icmpRuleSchema, acceptsList: true } satisfies JsonSchemaNotes),
    defaultText: "everything, 1000 times a second",
    help: "which ICMP messages are sent",
    details: "[Which ICMP messages are sent](#icmp): a rule, or a list of rules",
  },
  listen: {
    flag: "--listen WHERE=PLUGIN",
    repeatable: true,
    schema: listenTextSchema,
    file: listenFileSchema,
    locate: locateListen,
    defaultText: "the demo on 80 and `echo` on 7",
    help: `serve [tcp/|udp/][ADDRESS[/LENGTH]:]PORTS with a plugin:
  7=echo, 9=discard, 19=chargen
  80=http:./app.ts             an app: its default export has fetch()
  8080=forward:127.0.0.1:3000  a TCP server that the host can reach
  9000=./my_plugin.ts          its default export is a plugin
  7=timeout:60000+log+echo     middleware in front of a plugin
  '*=echo'                     every port that has no other plugin
  10.90.7.0/24:8000-8999=echo  ports of a network of addresses`,
    details: "The plugin for a [listen address](#listen-addresses)",
  },
  publish: {
    flag: "--publish [udp/][HOST:]PORT=ADDRESS:PORT",
    repeatable: true,
    schema: publishSchema,
    locate: locatePublish,
    defaultText: "none with `tun` or `link`; otherwise each individual `listen` port, on 127.0.0.1",
    help: `connect a port of the host, by default on 127.0.0.1, through the stack to \
ADDRESS:PORT; default without --tun and --link: each individual --listen port, those below 1024 as \
8000 + port
stack/WHERE=TARGET is the reverse: connect a port of the stack to a TCP or UDP port or a Unix \
socket of the host:
  stack/8080=127.0.0.1:3000, stack/udp/53=192.0.2.1:53,
  stack/80=unix:/run/app.sock`,
    details: "[Ports of the host](#publishing) that lead into the stack, and with " +
      "`stack/WHERE=TARGET` ports of the stack that lead to the host",
  },
  peers: {
    schema: peersSchema,
    locate: locatePeers,
    help: "the other instances that serve the same addresses on other machines",
    details:
      "The [other instances](many.md#peers) that serve the same addresses: `self`, the number " +
      "of this one, 0 to 63; `secretFile`; `members` by number, each with the address and UDP port for " +
      "messages, or `srv:NAME`; `listen`, the address for messages, by default that of `self` in `members`",
  },
  moves: {
    schema: movesSchema,
    locate: locateMoves,
    help: "move connections to and from other instances of the service",
    details: "How [connections move](moving.md#between-services) to and from other instances: " +
      "`secretFile`, the file with the secret that both share; `listen`, `unix:PATH` or `HOST:PORT` of the " +
      "host, where connections are received",
  },
  admin: {
    flag: "--admin unix:PATH",
    schema: adminSchema,
    locate: locateAdmin,
    help: "serve the admin API on a Unix socket that only its owner can use",
    details: "The address of the [admin API](admin.md): `unix:PATH`, or on a TCP port " +
      '`{ "listen": "127.0.0.1:9000", "token": "${BERTH_ADMIN_TOKEN}" }`, with the names that clients and ' +
      "proxies reach it by in `hosts`",
  },
  metrics: {
    flag: "--metrics on|off",
    schema: z.boolean("expected true or false"),
    text: ON_OR_OFF,
    default: false,
    help: "serve metrics for Prometheus at /metrics of the admin API",
    details: "Whether the [admin API](admin.md) serves [metrics](metrics.md) for Prometheus at " +
      "`/metrics`; requires `admin`. On the command line `on` or `off`",
  },
  logLevel: {
    flag: "--log-level LEVEL",
    schema: z.enum(LOG_LEVELS, {
      error: ({ input }) => `expected one of ${LOG_LEVELS.join(", ")}, got ${input}`,
    }),
    default: "info",
    help: "debug, info, warn, error or off",
    details:
      "`debug`, `info`, `warn`, `error` or `off`; `info` writes one line for each connection",
  },
  logFormat: {
    flag: "--log-format text|json",
    schema: z.enum(LOG_FORMATS, {
      error: ({ input }) => `expected ${LOG_FORMATS.join(" or ")}, got ${input}`,
    }),
    default: "text",
    help: "format of log lines: text, or a JSON object on each line",
    details:
      "The format of [log lines](operations.md#logs): `text`, or `json`, an object on each line",
  },
  logFile: {
    flag: "--log-file FILE",
    schema: logFileSchema,
    locate: locateLogFile,
    help: "write the log to a file instead of stderr; SIGUSR1 reopens it",
    details:
      "The file that [log lines](operations.md#logs) are written to instead of stderr: `FILE`, or " +
      '`{ "file": "berth.log", "maxBytes": 16777216, "files": 5 }` with the size at which it is rotated ' +
      "and the number of files that are kept",
  },
  accessLogFile: {
    flag: "--access-log-file FILE",
    schema: logFileSchema,
    locate: locateLogFile,
    help: "write the access logs of http and http2 to a file of their own",
    details:
      "The file for the [access logs](operations.md#access-logs) of plugins that have one, in the " +
      "form of `logFile`",
  },
  lameDuckMs: {
    schema: milliseconds(0),
    default: 0,
    help: "milliseconds for which a service that stops still accepts connections",
    details:
      "Milliseconds for which a service that stops or [drains](many.md#drain) is no longer " +
      "ready but still accepts connections, so that a router can withdraw its route first",
  },
  graceMs: {
    schema: milliseconds(0),
    default: 5000,
    help: "milliseconds that open connections have to finish when the service stops",
    details:
      "Milliseconds that open connections have to finish, once `lameDuckMs` has passed after SIGINT, SIGTERM, " +
      "SIGQUIT or the end of the terminal; a second signal ends at once",
  },
  reloadGraceMs: {
    schema: millisecondsOrNever,
    default: "never",
    help: "milliseconds after which a reload ends connections of plugins that it has changed",
    details:
      "Milliseconds after which a [reload](#reloading) ends connections of plugins that it has " +
      'changed or removed; they then have `graceMs` to finish. With `"never"` they continue until they end',
  },
  reloadMoves: {
    schema: z.boolean("expected true or false"),
    default: true,
    help: "whether connections continue with the plugins that replace theirs in a reload",
    details:
      "Whether the connections of plugins that [take part](moving.md#upgrades-and-reloads) continue with " +
      "the plugins that replace theirs in a [reload](#reloading)",
  },
  upgradeGraceMs: {
    schema: millisecondsOrNever,
    default: "never",
    help: "milliseconds after which an upgrade ends the connections of the previous process",
    details:
      "Milliseconds after which an [upgrade](operations.md#upgrades) ends the connections that the " +
      'previous process still has; they then have `graceMs` to finish. With `"never"` it runs until they end',
  },
  upgradeMoves: {
    schema: z.boolean("expected true or false"),
    default: true,
    help: "whether connections move to the new process of an upgrade",
    details:
      "Whether the connections of plugins that [take part](moving.md#upgrades-and-reloads) move to the new " +
      "process of an [upgrade](operations.md#upgrades) once it has served for three seconds",
  },
};

function hasLength(text: string): boolean {
  return text.includes("/") && Subnet.parse(text) !== undefined;
}
