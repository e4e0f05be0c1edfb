/**
 * Commands for a running service, over its admin API: `status`, `connections`, `reload`, `drain`, `rebalance`,
 * `config`.
 *
 * @module
 */
import { request } from "node:http";
import { parseArgs } from "node:util";
import { formatHostPort, type HostPort } from "../../../core/api/host_port.ts";
import type { Upgraded } from "../upgrade/upgrader.ts";
import type { ConnectionRow } from "../admin/connections.ts";
import { messageLine, UsageError } from "../errors.ts";
import type { MoveReport } from "../moves/move_out.ts";
import { type Changes, fateOf } from "../reload/changes.ts";
import { adminSchema, type AdminSetting } from "../settings/admin_setting.ts";
import { parseConfig, readConfigText } from "../settings/config.ts";
import { environmentVariable } from "../settings/variables.ts";
import { permissionsForAdmin, permissionsForFile, requirePermissions } from "./permissions.ts";
import { tableOf } from "./table.ts";

/** The flags of the commands. */
export interface RemoteFlags {
  readonly admin?: string | undefined;
  readonly config?: string | undefined;
  readonly json?: boolean | undefined;
  readonly filter?: string | undefined;
  readonly sort?: string | undefined;
  readonly limit?: string | undefined;
  readonly "limit-ms"?: string | undefined;
  readonly to?: string | undefined;
  readonly count?: string | undefined;
  readonly share?: string | undefined;
}

const TOKEN = "BERTH_ADMIN_TOKEN";

type Ask = (method: string, path: string) => Promise<Answer>;

/** The answer of the service. */
export interface Answer {
  readonly status: number;
  readonly body: unknown;
}

/** A command: sends a request to the service, and formats the answer as text. */
interface Command {
  readonly help: string;
  readonly run: (ask: Ask, flags: RemoteFlags) => Promise<unknown>;
  readonly show: (answer: unknown) => string;
}

interface Listeners {
  readonly listen: readonly { readonly where: string; readonly plugins: readonly string[] }[];
  readonly publish: readonly { transport: string; address: HostPort; to: HostPort }[];
}

interface Drained extends Partial<MoveReport> {
  readonly connections: number;
}

/** Lines about the connections that have moved, and those that have not. */
function movesOf({ moved, lost, reasons = {} }: Drained): string[] {
  return [
    ...moved === undefined ? [] : [`moved: ${moved}`],
    ...Object.entries(reasons).map(([reason, count]) => `stayed: ${count}: ${reason}`),
    ...lost !== undefined && lost > 0 ? [`lost: ${lost}`] : [],
  ];
}

interface Status extends Listeners {
  readonly ready: { readonly ready: boolean; readonly reason?: string };
  readonly connections: number;
}

const asJson = (value: unknown) => JSON.stringify(value, null, 2);

/** The commands, by name. */
export const COMMANDS: Readonly<Record<string, Command>> = {
  status: {
    help: "whether the service is ready, its listen addresses and ports, the number of connections",
    async run(ask): Promise<Status> {
      const { body: ready } = await ask("GET", "/readyz");
      const { body: listeners } = await ask("GET", "/listeners");
      const { body: { total } } = await ask("GET", "/connections?limit=0") as {
        body: { total: number };
      };
      return { ready: ready as Status["ready"], ...listeners as Listeners, connections: total };
    },
    show(answer) {
      const { ready, listen, publish, connections } = answer as Status;
      return [
        `ready: ${ready.ready ? "yes" : `no, ${ready.reason}`}`,
        `connections: ${connections}`,
        "",
        tableOf(
          ["LISTEN", "PLUGINS"],
          listen.map(({ where, plugins }) => [where, plugins.join("+")]),
        ),
        ...publish.length === 0 ? [] : [
          "",
          tableOf(
            ["PUBLISHED", "LEADS TO"],
            publish.map(({ transport, address, to }) => [
              `${transport === "udp" ? "udp/" : ""}${formatHostPort(address)}`,
              formatHostPort(to),
            ]),
          ),
        ],
      ].join("\n");
    },
  },
  connections: {
    help: "open connections; --filter TEXT, --sort [-]FIELD, --limit N",
    async run(ask, { filter, sort, limit }) {
      const given = Object.entries({ filter, sort, limit }).filter(([, value]) =>
        value !== undefined
      );
      return (await ask("GET", `/connections?${new URLSearchParams(given as [string, string][])}`))
        .body;
    },
    show(answer) {
      const { total, connections } = answer as { total: number; connections: ConnectionRow[] };
      const columns = [
        "LOCAL",
        "REMOTE",
        "STATE",
        "PLUGIN",
        "AGE",
        "IN",
        "OUT",
        "RTT",
        "CWND",
        "RETX",
      ];
      const rows = connections.map((one) => [
        ...[one.local, one.remote, one.state, one.plugin ?? "-", `${one.ageSeconds} s`],
        ...[one.bytesIn, one.bytesOut, `${one.srttMs.toFixed(1)} ms`, one.cwnd, one.retransmits],
      ]);
      const more = total > rows.length ? `\n${rows.length} of ${total}` : "";
      return tableOf(columns, rows) + more;
    },
  },
  reload: {
    help: "read the configuration file again",
    run: async (ask) => (await ask("POST", "/reload")).body,
    show(answer) {
      const changes = answer as Changes;
      const fate = fateOf(changes);
      const old = fate === undefined
        ? ""
        : `; connections with earlier plugins: ${changes.running}, which ${fate}`;
      return `reloaded${old}\n${asJson(answer)}`;
    },
  },
  reopen: {
    help: "reopen the log file, after it was renamed",
    run: async (ask) => (await ask("POST", "/reopen")).body,
    show: () => "the log file was reopened",
  },
  upgrade: {
    help: "replace the process with a new one; connections continue in the old one; --limit-ms MS",
    run: async (ask, { "limit-ms": limit }) =>
      (await ask("POST", `/upgrade${limit === undefined ? "" : `?limitMs=${limit}`}`)).body,
    show(answer) {
      const { pid, connections } = answer as Upgraded;
      return `process ${pid} serves; the previous process still has ${connections} connections`;
    },
  },
  drain: {
    help:
      "stop accepting connections; open ones continue, or with --to unix:PATH or --to HOST:PORT " +
      "move to another service",
    run: async (ask, { to }) =>
      (await ask("POST", to === undefined ? "/drain" : `/drain?${new URLSearchParams({ to })}`))
        .body,
    show(answer) {
      const drained = answer as Drained;
      return [`draining; open connections: ${drained.connections}`, ...movesOf(drained)].join("\n");
    },
  },
  rebalance: {
    help:
      "move --count N connections, or with --share 0.25 a part of them, to the peer --to HOST:PORT " +
      "or --to unix:PATH; continue to serve",
    async run(ask, { to, count, share }) {
      const given = Object.entries({ to, count, share }).filter(([, value]) => value !== undefined);
      if (to === undefined || (count === undefined) === (share === undefined)) {
        throw new UsageError(
          "rebalance: give the peer and how many connections to move: --to HOST:PORT --count 1000, " +
            "or --to HOST:PORT --share 0.25",
        );
      }
      const query = new URLSearchParams(given as [string, string][]);
      return (await ask("POST", `/rebalance?${query}`)).body;
    },
    show(answer) {
      const moves = answer as Drained;
      return [`open connections: ${moves.connections}`, ...movesOf(moves)].join("\n");
    },
  },
  config: {
    help: "the settings in use, without secrets",
    run: async (ask) => (await ask("GET", "/config")).body,
    show: asJson,
  },
};

/**
 * Runs a command; resolves with what to print.
 *
 * @throws {UsageError} A flag is invalid, or no flag has the address of the admin API.
 * @throws {Error} The service cannot be reached, or refuses.
 */
export async function runRemote(name: string, args: readonly string[]): Promise<string> {
  const command = COMMANDS[name]!;
  const flags = flagsOf(name, args);
  const admin = adminOf(flags);
  const answer = await command.run((method, path) => askService(admin, method, path), flags);
  return flags.json ? asJson(answer) : command.show(answer);
}

/**
 * The flags of a command.
 *
 * @throws {UsageError} There is no such flag.
 */
export function flagsOf(name: string, args: readonly string[]): RemoteFlags {
  const text = { type: "string" } as const;
  try {
    const own = name === "connections"
      ? { filter: text, sort: text, limit: text }
      : name === "upgrade"
      ? { "limit-ms": text }
      : name === "drain"
      ? { to: text }
      : name === "rebalance"
      ? { to: text, count: text, share: text }
      : {};
    const options = { admin: text, config: text, json: { type: "boolean" }, ...own } as const;
    return parseArgs({ args: [...args], allowPositionals: false, options }).values as RemoteFlags;
  } catch (error) {
    const [firstSentence] = messageLine(error).split(". ");
    throw new UsageError(`${name}: ${firstSentence}; it has --admin, --config and --json`);
  }
}

/**
 * The admin API that the flags name.
 *
 * @throws {UsageError} No flag names one, or the token is missing.
 */
export function adminOf({ admin, config }: RemoteFlags): AdminSetting {
  if (admin !== undefined) {
    // For a Unix socket the variable is not read, so Deno needs no permission for it.
    const token = admin.startsWith("unix:") ? undefined : environmentVariable(TOKEN);
    const given = token === undefined ? admin : { listen: admin, token };
    const checked = adminSchema.safeParse(given);
    if (checked.success) return reachable(checked.data);
    throw new UsageError(
      `--admin ${admin}: expected unix:PATH, or HOST:PORT and the token in BERTH_ADMIN_TOKEN`,
    );
  }
  if (config !== undefined) requirePermissions(permissionsForFile(config));
  const found = config === undefined
    ? undefined
    : parseConfig(readConfigText(config), config).admin;
  if (found !== undefined) return reachable(found);
  throw new UsageError(
    "give the address of the admin API: --admin unix:/run/berth.sock, or --config FILE with admin",
  );
}

/** @throws {UsageError} Deno does not permit connecting to the address. */
function reachable(admin: AdminSetting): AdminSetting {
  requirePermissions(permissionsForAdmin(admin));
  return admin;
}

/**
 * Sends a request without a body.
 *
 * @throws {Error} The service cannot be reached, or answers with an error.
 */
export function askService(
  { listen, token }: AdminSetting,
  method: string,
  path: string,
): Promise<Answer> {
  const where = "path" in listen ? `unix:${listen.path}` : formatHostPort(listen);
  return new Promise((resolve, reject) => {
    const asking = request({
      ...("path" in listen
        ? { socketPath: listen.path }
        : { host: listen.hostname, port: listen.port }),
      ...{ method, path },
      headers: {
        Host: "localhost",
        ...token !== undefined && { Authorization: `Bearer ${token}` },
      },
    }, (answer) => {
      let text = "";
      answer.setEncoding("utf8").on("data", (chunk) => text += chunk).on("end", () => {
        const status = answer.statusCode ?? 0;
        const body = parsed(text);
        const { error } = Object(body) as { error?: string };
        if (error !== undefined) reject(new Error(error));
        else resolve({ status, body });
      });
    });
    asking.on("error", (error) => {
      reject(new Error(`cannot reach the service at ${where}: ${messageLine(error)}`));
    }).end();
  });
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return { error: "the answer is not that of berth's admin API" };
  }
}
