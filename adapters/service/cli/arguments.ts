/**
 * The command line.
 *
 * @module
 */
import process from "node:process";
import { parseArgs } from "node:util";
import type { z } from "zod";
import { describeIssues } from "../../../core/api/plugin.ts";
import { messageOf, UsageError } from "../errors.ts";
import { publishSchema } from "../settings/publish_setting.ts";
import {
  addressSchema,
  behindMiddleware,
  exceptSchema,
  hostAddressSchema,
  linkSchema,
  type ListenSetting,
  logLevelSchema,
  mtuSchema,
  type PartialSettings,
  profileSchema,
  tunSchema,
  whereSchema,
  workersSchema,
} from "../settings/settings.ts";
import { captureSchema, impairTextSchema } from "../settings/wrap_settings.ts";

/** What `--help` prints. */
export const HELP = `berth: a user-space TCP/IP stack that serves plugins

Usage: deno run -A main.ts [FLAGS]
       bun run main.ts [FLAGS]

Without flags it serves a demo on 127.0.0.1 and needs no privilege.

  --config FILE              settings as JSON; flags come before them
  --tun NAME                 a Linux TUN device, made or attached to (needs CAP_NET_ADMIN)
  --link KIND:OPTIONS        another link in its place; docs/links.md has the kinds
  --capture FILE             records what passes the link as pcapng; - is stdout
  --impair NAME=VALUE,...    makes the link worse: delayMs=20,loss=0.01,incoming.loss=0.01;
                             docs/links.md has the names
  --address CIDR *           what the stack answers, such as 10.7.0.2/24, or every address of a
                             network, such as 10.90.0.0/16
  --host-address CIDR *      the other side of the link; default the subnet's first other address
  --except-address CIDR *    addresses inside of a whole network that are others' as well
  --mtu N                    largest IP packet in bytes; default 1500
  --workers N                threads that share the work, with --tun; default 1
  --profile local|internet   how TCP behaves; default local
  --listen WHERE=PLUGIN *    what serves a port, or [tcp/|udp/][ADDRESS[/LENGTH]:]PORTS:
                               7=echo, 9=discard, 19=chargen
                               80=http:./app.ts             its default export has fetch
                               8080=forward:127.0.0.1:3000  a TCP address of the host
                               9000=./my_plugin.ts          its default export is a plugin
                               7=timeout:60000+log+echo     middleware in front of a plugin
                               '*=echo'                     every port that has no other plugin
                               10.90.7.0/24:8000-8999=echo  ports of a network of addresses
  --publish [udp/][HOST:]PORT=ADDRESS:PORT *
                             connects a port of the host, 127.0.0.1 unless HOST says otherwise,
                             through the stack to ADDRESS:PORT; default without --tun: every
                             single --listen port, those below 1024 as 8000 + port
                             stack/WHERE=TARGET is the other way: it connects a port of the stack
                             to a TCP or UDP port or a Unix socket of the host, such as
                               stack/8080=127.0.0.1:3000, stack/udp/53=192.0.2.1:53 or
                               stack/80=unix:/run/app.sock
  --log-level LEVEL          debug, info, warn, error or off; default info
  --help                     this text
  --version                  the version

Flags marked * can be repeated.
`;

/** What the command line asks for. */
export interface Arguments {
  /** `--help`. */
  readonly help: boolean;
  /** `--version`. */
  readonly version: boolean;
  /** `--config`. */
  readonly config?: string | undefined;
  /** Everything else. */
  readonly settings: PartialSettings;
}

const text = { type: "string" } as const;
const texts = { type: "string", multiple: true } as const;

/**
 * Reads the command line.
 *
 * @throws {UsageError} A flag is unknown or its value cannot be; the message names the flag.
 */
export function parseArguments(args: readonly string[]): Arguments {
  const flags = readFlags(args);
  return {
    help: flags.help ?? false,
    version: flags.version ?? false,
    config: flags.config,
    settings: {
      tun: check("--tun", tunSchema, flags.tun),
      link: check("--link", linkSchema, flags.link),
      capture: check("--capture", captureSchema, flags.capture),
      impair: check("--impair", impairTextSchema, flags.impair),
      addresses: checkEach("--address", addressSchema, flags.address),
      hostAddresses: checkEach("--host-address", hostAddressSchema, flags["host-address"]),
      exceptAddresses: checkEach("--except-address", exceptSchema, flags["except-address"]),
      mtu: check("--mtu", mtuSchema, numberOf(flags.mtu)),
      workers: check("--workers", workersSchema, numberOf(flags.workers)),
      profile: check("--profile", profileSchema, flags.profile),
      listen: flags.listen?.map(parseListen),
      publish: checkEach("--publish", publishSchema, flags.publish),
      logLevel: check("--log-level", logLevelSchema, flags["log-level"]),
    },
  };
}

function readFlags(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: false,
      options: {
        config: text,
        tun: text,
        link: text,
        capture: text,
        impair: text,
        address: texts,
        "host-address": texts,
        "except-address": texts,
        mtu: text,
        workers: text,
        profile: text,
        listen: texts,
        publish: texts,
        "log-level": text,
        help: { type: "boolean", short: "h" },
        version: { type: "boolean" },
      },
    }).values;
  } catch (error) {
    const [firstSentence = ""] = messageOf(error).split(". ");
    throw new UsageError(`${firstSentence.replace(/\.$/, "")}; --help lists the flags`);
  }
}

/** The value that `schema` makes of a flag's; `undefined` when the flag was not given. */
function check<Value>(
  flag: string,
  schema: z.ZodType<Value>,
  value: unknown,
): Value | undefined {
  return value === undefined ? undefined : checkGiven(flag, schema, value);
}

function checkEach<Value>(
  flag: string,
  schema: z.ZodType<Value>,
  values: readonly string[] | undefined,
): Value[] | undefined {
  return values?.map((value) => checkGiven(flag, schema, value));
}

function checkGiven<Value>(flag: string, schema: z.ZodType<Value>, value: unknown): Value {
  const checked = schema.safeParse(value);
  if (checked.success) return checked.data;
  throw new UsageError(`${flag}: ${describeIssues(checked.error.issues)}`);
}

/** Text that is no number stays text, for the schema to refuse. */
function numberOf(value: string | undefined): number | string | undefined {
  return value !== undefined && /^\d+$/.test(value) ? Number(value) : value;
}

function parseListen(value: string): ListenSetting {
  const at = value.indexOf("=");
  const text = value.slice(0, Math.max(at, 0));
  const chain = value.slice(at + 1).split("+");
  if (text === "" || chain.includes("")) {
    throw new UsageError(
      `--listen: expected WHERE=PLUGIN such as 7=echo, *=echo or 10.90.7.0/24:8000-8999=echo, ` +
        `got ${value}`,
    );
  }
  const where = checkGiven("--listen", whereSchema, text);
  const source = `--listen ${where}`;
  const folder = process.cwd();
  return behindMiddleware(where, chain.map((plugin) => ({ plugin, folder, source })));
}
