import type { Conditions } from "../../sim/wire.ts";

/** What a path does beside having a bandwidth and a delay. */
export type Impairment =
  | "nothing"
  | "loss 0.1 %"
  | "loss 1 %"
  | "loss 5 %"
  | "bursts 0.1 %"
  | "bursts 0.5 %"
  | "reordering 1 %"
  | "reordering 10 %"
  | "reordering 30 %"
  | "policer"
  | "bufferbloat"
  | "ACK compression"
  | "ACK loss 30 %";

/** A place in the grid: a path and the algorithm on it. */
export interface Cell {
  readonly congestion: "cubic" | "bbr";
  readonly profile: "local" | "internet";
  readonly rttMs: number;
  readonly mbit: number;
  readonly impairment: Impairment;
}

/** Both directions, and what is different on the way back. */
export interface CellPath {
  readonly conditions: Partial<Conditions>;
  readonly back: Partial<Conditions>;
}

const PACKET = 1500;
/** A queue or a bucket holds ten packets at least. */
const LEAST_QUEUE = 10 * PACKET;
/** Some devices hold this much for a slow uplink. */
const BLOAT_MS = 500;

interface PathFacts {
  readonly rttMs: number;
  readonly bytesPerMs: number;
}

type Change = (path: PathFacts) => Partial<CellPath>;

function loss(share: number): Change {
  return () => ({ conditions: { loss: share } });
}

/** A burst takes eight packets on the average. */
function bursts(share: number): Change {
  return ({ bytesPerMs }) => ({
    conditions: { burst: share, burstMs: 16 * PACKET / bytesPerMs },
    back: { burst: 0 },
  });
}

/** By up to a quarter of the round trip. */
function reordering(share: number): Change {
  return ({ rttMs }) => ({ conditions: { reorder: share, reorderMs: rttMs / 4 } });
}

/** In the order in which the picture shows them. */
export const IMPAIRMENTS: Readonly<Record<Impairment, Change>> = {
  "nothing": () => ({}),
  "loss 0.1 %": loss(0.001),
  "loss 1 %": loss(0.01),
  "loss 5 %": loss(0.05),
  "bursts 0.1 %": bursts(0.001),
  "bursts 0.5 %": bursts(0.005),
  "reordering 1 %": reordering(0.01),
  "reordering 10 %": reordering(0.1),
  "reordering 30 %": reordering(0.3),
  "policer": ({ rttMs, bytesPerMs }) => ({
    conditions: { polices: true, queueBytes: Math.max(rttMs * bytesPerMs, LEAST_QUEUE) },
  }),
  "bufferbloat": ({ rttMs, bytesPerMs }) => ({
    conditions: { queueBytes: Math.max(8 * rttMs, BLOAT_MS) * bytesPerMs },
  }),
  "ACK compression": ({ rttMs }) => ({ back: { batchMs: Math.max(rttMs / 2, 5) } }),
  "ACK loss 30 %": () => ({ back: { loss: 0.3 } }),
};

/** The path of a cell: a queue of one bandwidth-delay product, and the impairment. */
export function pathOf(
  { rttMs, mbit, impairment }: Omit<Cell, "congestion" | "profile">,
): CellPath {
  const bytesPerMs = mbit * 125;
  const change = IMPAIRMENTS[impairment]({ rttMs, bytesPerMs });
  return {
    conditions: {
      delayMs: rttMs / 2,
      bytesPerMs,
      queueBytes: Math.max(rttMs * bytesPerMs, LEAST_QUEUE),
      ...change.conditions,
    },
    back: { polices: false, ...change.back },
  };
}

/** All combinations. */
export function cells(
  given: {
    readonly congestions: readonly Cell["congestion"][];
    readonly profiles: readonly Cell["profile"][];
    readonly rtts: readonly number[];
    readonly rates: readonly number[];
    readonly impairments?: readonly Impairment[];
  },
): Cell[] {
  const impairments = given.impairments ?? Object.keys(IMPAIRMENTS) as Impairment[];
  return given.profiles.flatMap((profile) =>
    given.congestions.flatMap((congestion) =>
      given.rates.flatMap((mbit) =>
        given.rtts.flatMap((rttMs) =>
          impairments.map((impairment) => ({ congestion, profile, rttMs, mbit, impairment }))
        )
      )
    )
  );
}
