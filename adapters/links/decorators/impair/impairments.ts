/** Impairments of one direction. Shares are from 0 to 1, times in milliseconds. */
export interface Impairments {
  /** Share of packets that are lost. Default 0. */
  loss?: number;
  /** Probability, per packet, that a burst of losses begins (Gilbert-Elliott model). Default 0. */
  burstBegin?: number;
  /**
   * Probability, per packet of a burst, that the burst ends: 0.2 gives a mean length of 5 packets.
   * Default 1.
   */
  burstEnd?: number;
  /** Share of packets that are lost in a burst, in addition to `loss`. Default 1. */
  burstLoss?: number;
  /** Share of packets that arrive twice. Default 0. */
  duplicate?: number;
  /**
   * Share of packets that are delayed by `reorderMs`, so that later ones overtake them. Default 0.
   */
  reorder?: number;
  /** Share of packets that arrive with one flipped bit. Default 0. */
  corrupt?: number;
  /** One-way delay. Default 0. */
  delayMs?: number;
  /** Maximum random time added to `delayMs`, without reordering. Default 0. */
  jitterMs?: number;
  /** Additional delay of a reordered packet. Default 1. */
  reorderMs?: number;
  /** Bandwidth in bits of IP packets per second; packets beyond it are queued. Default Infinity. */
  bitsPerSecond?: number;
  /**
   * Size in bytes of the queue for `bitsPerSecond`; packets beyond it are dropped. Default
   * Infinity: bounded by the link's `queue` only.
   */
  queueBytes?: number;
}

/** An hour: longer than any protocol waits for a packet. */
const MAX_MS = 3_600_000;
/** A terabit: faster than any link. */
const MAX_BITS_PER_SECOND = 1e12;
/** A gibibyte: larger than the queue of any router. */
const MAX_QUEUE_BYTES = 2 ** 30;

/** Defaults: no impairment. */
export const NO_IMPAIRMENT: Required<Impairments> = {
  loss: 0,
  burstBegin: 0,
  burstEnd: 1,
  burstLoss: 1,
  duplicate: 0,
  reorder: 0,
  corrupt: 0,
  delayMs: 0,
  jitterMs: 0,
  reorderMs: 1,
  bitsPerSecond: Infinity,
  queueBytes: Infinity,
};

/**
 * Validates impairments; messages name the setting with `prefix`.
 *
 * @throws {RangeError} A setting is unknown or out of range.
 */
export function checkImpairments(changes: Impairments, prefix = ""): void {
  for (const [name, value] of Object.entries(changes)) {
    if (!Object.hasOwn(NO_IMPAIRMENT, name)) {
      throw new RangeError(
        `${prefix}${name} is not an impairment; use ${Object.keys(NO_IMPAIRMENT).join(", ")}`,
      );
    }
    if (typeof value !== "number") {
      throw new RangeError(`${prefix}${name} must be a number, not ${JSON.stringify(value)}`);
    }
    const [least, most] = rangeOf(name);
    const isUnlimited = value === Infinity && UNLIMITED.includes(name);
    if (isUnlimited || value >= least && value <= most) continue;
    throw new RangeError(`${prefix}${name} must be from ${least} to ${most}, not ${value}`);
  }
}

/** Settings that may be Infinity. JSON has no such number: there they are left out. */
const UNLIMITED = ["bitsPerSecond", "queueBytes"];

function rangeOf(name: string): readonly [least: number, most: number] {
  if (name === "bitsPerSecond") return [1, MAX_BITS_PER_SECOND];
  if (name === "queueBytes") return [0, MAX_QUEUE_BYTES];
  return [0, name.endsWith("Ms") ? MAX_MS : 1];
}
