import type { Conditions } from "../../sim/wire.ts";

/** An impairment of a path, besides bandwidth and delay. */
export type Impairment =
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

/** A cell of the grid: a path and a congestion control algorithm. */
export interface Cell {
  readonly congestion: "cubic" | "bbr";
  readonly profile: "local" | "internet";
  readonly rttMs: number;
  readonly mbit: number;
  /** The impairments, which act together. Without any, the bottleneck has a queue of one bandwidth-delay product. */
  readonly impairments: readonly Impairment[];
}

/** Conditions of both directions, and differences in the return direction. */
export interface CellPath {
  readonly conditions: Partial<Conditions>;
  readonly back: Partial<Conditions>;
}

const PACKET = 1500;
/** Minimum size of a queue or bucket: ten packets. */
const LEAST_QUEUE = 10 * PACKET;
/** Buffer size of some devices for a slow uplink. */
const BLOAT_MS = 500;

interface PathFacts {
  readonly rttMs: number;
  readonly bytesPerMs: number;
}

type Change = (path: PathFacts) => Partial<CellPath>;

function loss(share: number): Change {
  return () => ({ conditions: { loss: share } });
}

/** A burst of losses lasts as long as the bottleneck needs for up to sixteen packets. */
function bursts(share: number): Change {
  return ({ bytesPerMs }) => ({
    conditions: { burst: share, burstMs: 16 * PACKET / bytesPerMs, burstPackets: 16 },
    back: { burst: 0 },
  });
}

/** Reorders a share of the packets by up to a quarter of the RTT. */
function reordering(share: number): Change {
  return ({ rttMs }) => ({ conditions: { reorder: share, reorderMs: rttMs / 4 } });
}

/** In the order of the rows of the figure. */
export const IMPAIRMENTS: Readonly<Record<Impairment, Change>> = {
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

/** Each impairment alone, and a path without impairments. */
export const SINGLE: readonly (readonly Impairment[])[] = [
  [],
  ...(Object.keys(IMPAIRMENTS) as Impairment[]).map((one) => [one]),
];

/** The axes of the product: at most one impairment of each, since two of one kind exclude each other. */
const AXES: readonly (readonly (Impairment | undefined)[])[] = [
  [undefined, "loss 1 %", "loss 5 %", "bursts 0.5 %"],
  [undefined, "reordering 10 %", "reordering 30 %"],
  [undefined, "policer", "bufferbloat", "ACK compression", "ACK loss 30 %"],
];

/** Every combination of loss, reordering, and impairments of the queue or the acknowledgements. */
export const COMBINED: readonly (readonly Impairment[])[] = AXES.reduce(
  (rows: readonly (readonly Impairment[])[], axis) =>
    rows.flatMap((row) => axis.map((one) => one === undefined ? row : [...row, one])),
  [[]],
);

/** A subset for short runs, in which each pair of impairments occurs. */
export const TOGETHER: readonly (readonly Impairment[])[] = [
  ["loss 1 %", "reordering 10 %", "policer"],
  ["loss 5 %", "reordering 30 %", "bufferbloat"],
  ["loss 1 %", "reordering 30 %", "ACK compression"],
  ["loss 5 %", "reordering 10 %", "ACK loss 30 %"],
  ["bursts 0.5 %", "reordering 30 %", "policer"],
  ["bursts 0.5 %", "reordering 10 %", "bufferbloat"],
  ["bursts 0.5 %", "ACK compression"],
  ["bursts 0.5 %", "ACK loss 30 %"],
];

/** The name of a row in figures and tables. */
export function nameOf(impairments: readonly Impairment[]): string {
  return impairments.join(" + ") || "nothing";
}

/** The path of a cell: a queue of one bandwidth-delay product, and the impairments. */
export function pathOf(
  { rttMs, mbit, impairments }: Omit<Cell, "congestion" | "profile">,
): CellPath {
  const bytesPerMs = mbit * 125;
  const path = {
    conditions: {
      delayMs: rttMs / 2,
      bytesPerMs,
      queueBytes: Math.max(rttMs * bytesPerMs, LEAST_QUEUE),
    },
    back: { polices: false },
  };
  for (const impairment of impairments) {
    const change = IMPAIRMENTS[impairment]({ rttMs, bytesPerMs });
    Object.assign(path.conditions, change.conditions);
    Object.assign(path.back, change.back);
  }
  return path;
}

/** All combinations of the given values, for each row of impairments. */
export function cells(
  given: {
    readonly congestions: readonly Cell["congestion"][];
    readonly profiles: readonly Cell["profile"][];
    readonly rtts: readonly number[];
    readonly rates: readonly number[];
    readonly rows?: readonly (readonly Impairment[])[];
  },
): Cell[] {
  const rows = given.rows ?? SINGLE;
  return given.profiles.flatMap((profile) =>
    given.congestions.flatMap((congestion) =>
      given.rates.flatMap((mbit) =>
        given.rtts.flatMap((rttMs) =>
          rows.map((impairments) => ({ congestion, profile, rttMs, mbit, impairments }))
        )
      )
    )
  );
}
