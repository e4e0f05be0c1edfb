import { type SeededRandom, seededRandom } from "../../adapters/runtime/seeded_random.ts";
import type { TcpConfig } from "../../core/tcp/config.ts";
import { type Habits, PLAIN } from "./application.ts";
import type { Pause } from "./pauses.ts";
import type { Narrowing } from "./router.ts";
import { type Conditions, PERFECT } from "./wire.ts";
import type { Reconnection, Scenario } from "./world.ts";

/** The default scenario. */
export const QUIET: Scenario = {
  seed: 1,
  version: 4,
  features: { mtu: 1500, maxSuperPacket: 0, checksumOffload: false },
  profiles: ["local", "local"],
  tcp: [{}, {}],
  conditions: [PERFECT, PERFECT],
  habits: [PLAIN, PLAIN],
};

/** Draws a scenario from a seed. */
export function randomScenario(seed: number): Scenario {
  const draw = new Draw(seededRandom(seed));
  const offload = draw.chance(0.3);
  const version = draw.of([4, 6] as const);
  const profile = () => draw.of(["local", "internet"] as const);
  return {
    seed,
    version,
    features: {
      mtu: draw.of([1280, 1500, 9000]),
      maxSuperPacket: offload ? draw.of([20_000, 65_000]) : 0,
      checksumOffload: offload,
    },
    profiles: [profile(), profile()],
    tcp: [tcpOptions(draw), tcpOptions(draw)],
    conditions: [conditions(draw, version, !offload), conditions(draw, version, !offload)],
    ...endings(draw, habits(draw, false), habits(draw, draw.chance(0.3))),
    pauses: [pauses(draw), pauses(draw)],
    again: draw.chance(0.2) ? reconnections(draw) : [],
  };
}

/**
 * Shorter than the maximum segment lifetime (RFC 9293 3.4.2): some packets wait in a paused host.
 */
function pauses(draw: Draw): readonly Pause[] {
  if (draw.chance(0.85)) return [];
  const first = 1000 + draw.of([0, 0.5, 30, 300, 3000]);
  const second = first + draw.of([5100, 30_000]);
  return [first, second].slice(0, draw.of([1, 2])).map((from) => ({
    from,
    until: from + draw.of([1, 300, 5000]),
    first: draw.of(["packets", "timers"] as const),
  }));
}

function reconnections(draw: Draw): readonly Reconnection[] {
  return [1, 2].slice(0, draw.of([1, 2])).map(() => {
    const samePort = draw.chance(0.6);
    return {
      samePort,
      // Profile `local` has no TIME-WAIT, so a port is reused only once no packet is left.
      afterMs: samePort ? draw.of([10_000, 70_000]) : draw.of([0, 10, 3000, 70_000]),
      ...endings(draw, habits(draw, false), habits(draw, draw.chance(0.3))),
    };
  });
}

/** Most connections end gracefully; some are closed early or aborted by one side. */
function endings(draw: Draw, client: Habits, server: Habits): Pick<Scenario, "habits"> {
  if (draw.chance(0.7)) return { habits: [client, server] };
  const ending = draw.of(["close", "abort"] as const);
  return draw.chance(0.5)
    ? { habits: [{ ...client, ending }, server] }
    : { habits: [client, { ...server, ending }] };
}

function tcpOptions(draw: Draw): Partial<TcpConfig> {
  const some: { -readonly [K in keyof TcpConfig]?: TcpConfig[K] } = {
    // Without timeouts, since delivery is tested here.
    connectTimeoutMs: 900_000,
    orphanTimeoutMs: 900_000,
    // A lost RST has to be detected.
    keepAlive: true,
    keepAliveIdleMs: 3_600_000,
  };
  if (draw.chance(0.4)) {
    some.acknowledge = draw.of(["on-read", "on-processed", "on-arrival"] as const);
  }
  if (draw.chance(0.4)) some.receiveBuffer = draw.of([4096, 10_000, 65_535, 300_000]);
  if (draw.chance(0.4)) some.sendBuffer = draw.of([4096, 10_000, 65_535, 300_000]);
  if (draw.chance(0.2)) some.sack = false;
  if (draw.chance(0.2)) some.timestamps = draw.chance(0.5);
  if (draw.chance(0.1)) some.windowScaling = false;
  if (draw.chance(0.1)) some.noDelay = false;
  if (draw.chance(0.3)) some.congestion = draw.of(["unacked", "newreno", "cubic", "bbr"] as const);
  if (draw.chance(0.2)) some.ecn = draw.chance(0.5);
  if (draw.chance(0.1)) some.maxUnacked = draw.of([4096, 30_000]);
  if (draw.chance(0.1)) some.retransmitSynAck = draw.chance(0.5);
  if (draw.chance(0.1)) some.mss = draw.of([536, 1000]);
  if (draw.chance(0.1)) some.ackStallMs = 1000;
  return some;
}

function conditions(draw: Draw, version: 4 | 6, canCorrupt: boolean): Conditions {
  if (draw.chance(0.15)) return PERFECT;
  return {
    ...PERFECT,
    loss: draw.chance(0.6) ? draw.of([0.01, 0.05, 0.1, 0.2, 0.3]) : 0,
    burst: draw.chance(0.2) ? 0.02 : 0,
    burstMs: draw.of([0, 1, 20, 300]),
    duplicate: draw.chance(0.3) ? draw.of([0.01, 0.2]) : 0,
    reorder: draw.chance(0.4) ? draw.of([0.02, 0.2, 0.5]) : 0,
    reorderMs: draw.of([1, 10, 100]),
    mark: draw.chance(0.2) ? 0.1 : 0,
    corrupt: canCorrupt && draw.chance(0.2) ? 0.05 : 0,
    delayMs: draw.of([0, 0.1, 1, 10, 100]),
    jitterMs: draw.chance(0.4) ? draw.of([0.1, 5, 50]) : 0,
    bytesPerMs: draw.chance(0.3) ? draw.of([50, 1000]) : 0,
    queueBytes: draw.of([5000, 50_000]),
    ...blackout(draw),
    narrow: draw.chance(0.15) ? narrowing(draw, version) : undefined,
  };
}

/** The times at which one direction is down; the other direction has its own. */
function blackout(draw: Draw): Pick<Conditions, "deadFrom" | "deadUntil"> {
  if (!draw.chance(0.1)) return { deadFrom: Infinity, deadUntil: Infinity };
  const deadFrom = 1000 + draw.of([0, 50, 500, 5000]);
  return { deadFrom, deadUntil: deadFrom + draw.of([100, 5000, 30_000]) };
}

/** A router that narrows the path, from the start or in the middle, for a while or permanently. */
function narrowing(draw: Draw, version: 4 | 6): Narrowing {
  const from = 1000 + draw.of([0, 5, 50, 500, 5000]);
  return {
    from,
    until: from + draw.of([300, 30_000, Infinity]),
    // RFC 8200 5: the minimum IPv6 MTU is 1280.
    mtu: version === 4 ? draw.of([600, 1000, 1280, 1400]) : draw.of([1280, 1400]),
    tells: draw.of(["mtu", "too-big", "nothing"] as const),
  };
}

function habits(draw: Draw, answers: boolean): Habits {
  const writeMost = draw.of([50, 1000, 10_000, 100_000]);
  return {
    ...PLAIN,
    answers,
    total: draw.of([0, 1, 100, 5000, 20_000, Math.min(writeMost * 20, 200_000)]),
    writeMost,
    writePauseMs: draw.chance(0.2) ? draw.of([0.5, 20]) : 0,
    readMost: draw.of([100, 5000, 65_536, 1_000_000]),
    readPauseMs: draw.chance(0.3) ? draw.of([0.1, 5]) : 0,
    stallAfter: draw.chance(0.15) ? draw.of([1, 3000]) : Infinity,
    stallMs: draw.of([300, 20_000, 600_000]),
    endPauseMs: draw.chance(0.2) ? draw.of([1, 1000, 100_000]) : 0,
  };
}

/** Draws random values. */
export class Draw {
  readonly #random: SeededRandom;

  constructor(random: SeededRandom) {
    this.#random = random;
  }

  of<T>(values: readonly T[]): T {
    return values[Math.floor(this.#random.fraction() * values.length)]!;
  }

  chance(share: number): boolean {
    return this.#random.fraction() < share;
  }
}
