/**
 * Measures how a flood of datagrams to the port for peers affects the clients of a service, in a network namespace:
 * `peer_flood.ts [--perSecond 100000] [--seconds 3] [--rounds 3] [--kinds mac,age]`. Needs root, `cc` and `wrk`. For
 * comparison it measures the service without a flood, and with a flood of the same rate to a socket that nobody
 * reads, which shows the cost of the flooder and the kernel. Prints a line of JSON for each kind: requests a second,
 * the 99th percentile of the time of a request on a service that is not busy, and the processor time of the service
 * for each request, in microseconds.
 *
 * @module
 */
import { readFileSync } from "node:fs";
import process from "node:process";
import { parseArgs } from "node:util";
import { silentLogger } from "../../core/api/environment.ts";
import { Membership } from "../../core/stack/peers/membership.ts";
import { MESSAGE_HEADER, Messages } from "../../core/stack/peers/message.ts";
import { readPeerKeys } from "../../adapters/service/peers/secret.ts";
import { Namespace } from "../support/namespace.ts";
import { runtimeCommand } from "../support/program.ts";
import { PYTHON } from "../support/requirements.ts";
import { TemporaryFolder } from "../support/temporary_folder.ts";
import { compile } from "./compile.ts";
import { median, report } from "./report.ts";

const { values } = parseArgs({
  options: {
    perSecond: { type: "string", default: "100000" },
    seconds: { type: "string", default: "3" },
    rounds: { type: "string", default: "3" },
    kinds: { type: "string", default: "none,unread,short,version,address,age,mac,replay" },
  },
});
const seconds = Number(values.seconds);
const PEERS_PORT = 26_946;
const UNREAD_PORT = 26_948;
const ADDRESS = "10.90.0.2";
/** The rest of a forged datagram: a full segment. */
const LENGTH = 1400;
/** Clock ticks of the kernel in a second (`getconf CLK_TCK`). */
const TICKS = 100;

type Kind = "none" | "unread" | "short" | "version" | "address" | "age" | "mac" | "replay";

using folder = new TemporaryFolder();
const flooder = compile(folder, "udp_flood");
const secretFile = folder.write("secret", "a secret of more than thirty-two characters");
const { messageKey } = readPeerKeys(secretFile, silentLogger);
await using namespace = await Namespace.open();
const config = folder.write(
  "berth.json",
  JSON.stringify({
    tun: "berth0",
    addresses: [`${ADDRESS}/32`],
    hostAddresses: ["10.90.0.1/24"],
    listen: { "80": `http:${new URL("programs/hello.ts", import.meta.url).pathname}` },
    peers: {
      self: 0,
      secretFile: "secret",
      members: { "0": `127.0.0.1:${PEERS_PORT}`, "1": `127.0.0.1:${PEERS_PORT + 1}` },
    },
  }),
);
const service = namespace.start(
  ...runtimeCommand("main.ts", "--config", config, "--log-level", "warn"),
);
await service.printed(/Ctrl\+C/);
const unread = namespace.start(
  PYTHON,
  "-c",
  "import socket,sys; s=socket.socket(socket.AF_INET,socket.SOCK_DGRAM); " +
    `s.setsockopt(1,8,1); s.bind(("127.0.0.1",${UNREAD_PORT})); print("bound",flush=True); sys.stdin.read()`,
);
await unread.printed(/bound/);

/** A datagram that is refused for this reason, made now. */
function datagramFor(kind: Kind): Uint8Array {
  const messages = (self: number, key: Uint8Array) => {
    const membership = new Membership(self, 0);
    membership.setMembers([0, 1]);
    return new Messages(self, key, membership);
  };
  const packet = new Uint8Array(LENGTH);
  const envelope = { to: 0, hops: 1, next: [], segmentSize: 0 };
  const seal = (key: Uint8Array, now: number) =>
    messages(1, key).seal(envelope, packet, LENGTH, now).bytes;
  const sealed = seal(kind === "mac" ? new Uint8Array(16) : messageKey, Date.now());
  if (kind === "short") return sealed.subarray(0, MESSAGE_HEADER - 1);
  if (kind === "version") sealed[0] = 0;
  if (kind === "address") sealed[1] = 9;
  if (kind === "age") return seal(messageKey, Date.now() - 60_000);
  return sealed;
}

function processorTicks(): number {
  const fields = readFileSync(`/proc/${service.pid}/stat`, "utf8").split(") ")[1]!.split(" ");
  return Number(fields[11]) + Number(fields[12]);
}

interface Figures {
  readonly perSecond: number;
  readonly p99Ms: number;
  readonly microseconds: number;
}

/** Runs `wrk` with this many connections. */
async function load(connections: number): Promise<{ requests: number; p99Ms: number }> {
  const out = await namespace.run(
    ["wrk", "-t1", `-c${connections}`, `-d${seconds}s`, "--latency", `http://${ADDRESS}/`],
    seconds * 1000 + 20_000,
  );
  const [, requests] = /(\d+) requests in/.exec(out) ?? [];
  const [, time, unit] = /99% +([\d.]+)(us|ms|s)/.exec(out) ?? [];
  const perUnit = unit === "us" ? 0.001 : unit === "ms" ? 1 : 1000;
  return { requests: Number(requests), p99Ms: Number(time) * perUnit };
}

async function measure(kind: Kind): Promise<Figures> {
  const flood = async <T>(run: () => Promise<T>): Promise<T> => {
    if (kind === "none") return await run();
    const port = kind === "unread" ? UNREAD_PORT : PEERS_PORT;
    const hex = [...datagramFor(kind)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
    const limit = String(seconds + 1);
    const program = namespace.start(flooder, "127.0.0.1", `${port}`, values.perSecond, limit, hex);
    const result = await run();
    await program.ended;
    const { perSecond } = JSON.parse(program.out);
    if (perSecond < 0.8 * Number(values.perSecond)) console.error(`only ${perSecond} a second`);
    return result;
  };
  const before = processorTicks();
  const busy = await flood(() => load(16));
  const ticks = processorTicks() - before;
  const { p99Ms } = await flood(() => load(1));
  return {
    perSecond: busy.requests / seconds,
    p99Ms,
    microseconds: ticks / TICKS * 1e6 / busy.requests,
  };
}

const kinds = values.kinds.split(",") as Kind[];
const all = new Map<Kind, Figures[]>(kinds.map((kind) => [kind, []]));
await load(16);
for (let round = 0; round < Number(values.rounds); round++) {
  for (const kind of kinds) all.get(kind)!.push(await measure(kind));
}
for (const [kind, figures] of all) {
  const middle = (of: (one: Figures) => number) => Math.round(100 * median(figures.map(of))) / 100;
  report("peer flood", {
    kind,
    requestsPerSecond: Math.round(middle((one) => one.perSecond)),
    p99Ms: middle((one) => one.p99Ms),
    microsecondsPerRequest: middle((one) => one.microseconds),
  });
}
unread.hush();
process.exit(0);
