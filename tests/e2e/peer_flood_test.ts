import { describe, expect } from "bun:test";
import { silentLogger } from "../../core/api/environment.ts";
import { Membership } from "../../core/stack/peers/membership.ts";
import { MAX_HOPS, MESSAGE_HEADER, Messages } from "../../core/stack/peers/message.ts";
import { readPeerKeys } from "../../adapters/service/peers/secret.ts";
import { runtimeCommand } from "../support/program.ts";
import { testRequiring } from "../support/requirements.ts";
import { TemporaryFolder } from "../support/temporary_folder.ts";
import { exchange, ManyMachines, PEERS_PORT, SECRET } from "./many_machines.ts";
import { NEEDS } from "./service.ts";

const LIMIT_MS = 120_000;
/** Datagrams of each kind. */
const COUNT = 3000;
/** A member that does not run, so that nobody else uses its sequence numbers. */
const ABSENT = 2;

/** Datagrams by the reason for which instance 0 drops them. */
function forged(): Record<string, Uint8Array> {
  using folder = new TemporaryFolder();
  const { messageKey } = readPeerKeys(folder.write("secret", SECRET), silentLogger);
  const packet = new Uint8Array(1400);
  const seal = ({ hops = 1, to = 0, from = ABSENT, key = messageKey, age = 0 } = {}) => {
    const membership = new Membership(from, 0);
    const envelope = { to, hops, next: [], segmentSize: 0 };
    return new Messages(from, key, membership)
      .seal(envelope, packet, packet.length, Date.now() - age).bytes;
  };
  const version = seal();
  version[0] = 1;
  return {
    "peer-short": seal().subarray(0, MESSAGE_HEADER - 1),
    "peer-version": version,
    "peer-address": seal({ from: 9 }),
    "peer-hops": seal({ hops: MAX_HOPS + 1 }),
    "peer-age": seal({ age: 60_000 }),
    "peer-mac": seal({ key: new Uint8Array(16) }),
    "peer-replay": seal({ hops: 0 }),
  };
}

describe("a flood of datagrams to the port for peers", () => {
  // Each datagram is counted under its reason. Meanwhile clients are served, and their segments are passed on as
  // before.
  testRequiring([...NEEDS, "program:curl"], "does not affect clients", async () => {
    await using network = await ManyMachines.open({ machines: 3, profile: "internet" });
    const { machines: [one, other], machines, router } = network;
    await network.start(machines.slice(0, 2), machines);
    await network.ready(one!);
    await network.route([one!, other!]);
    const clients = await network.connect({ connections: 40 });
    await exchange(clients, 2);
    const hex = Object.values(forged()).map((bytes) =>
      [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("")
    );
    const command = runtimeCommand("tests/e2e/programs/send_datagrams.ts");
    const flood = router.start(...command, one!.address, `${PEERS_PORT}`, `${COUNT}`, ...hex);
    for (const only of [one!, other!]) {
      await network.route([only]);
      const { broken, wrong, reasons } = await exchange(clients, 5);
      expect({ broken, wrong, reasons }).toEqual({ broken: 0, wrong: 0, reasons: {} });
    }
    await flood.printed(/sent/);
    const stats = async (): Promise<Record<string, number>> =>
      JSON.parse(
        await one!.namespace.shell(`curl -s --unix-socket ${one!.admin} http://localhost/stats`),
      );
    // The host's kernel may drop some of them, too.
    const few = (counters: Record<string, number>) =>
      Object.keys(forged()).filter((reason) => !(counters[`drop.${reason}`]! > 0.8 * COUNT));
    let counters = await stats();
    // The last ones may still be in the socket's queue.
    for (let i = 0; i < 100 && few(counters).length > 0; i++) counters = await stats();
    expect(few(counters)).toEqual([]);
    expect(counters["receivedFromPeer"]).toBeGreaterThan(20);
  }, LIMIT_MS);
});
