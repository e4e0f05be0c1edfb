/** What happens to packets on their way. Shares are from 0 to 1, times in milliseconds. */
export interface Impairments {
  /** Share of packets that get lost. Default 0. */
  loss?: number;
  /**
   * Share of packets with which a burst of losses begins: the Gilbert-Elliott model, in which a
   * path is good or in a burst. Default 0.
   */
  burstBegin?: number;
  /** Share of packets in a burst with which it ends: 0.2 makes it 5 packets long. Default 1. */
  burstEnd?: number;
  /** Share of packets that get lost in a burst, beside those of `loss`. Default 1. */
  burstLoss?: number;
  /** Share of packets that arrive twice. Default 0. */
  duplicate?: number;
  /** Share of packets that arrive `reorderMs` late, behind later ones. Default 0. */
  reorder?: number;
  /** Share of packets that arrive with one bit changed. Default 0. */
  corrupt?: number;
  /** How long each packet takes. Default 0: it arrives at once. */
  delayMs?: number;
  /** Added to `delayMs`: a random time up to this; the order stays. Default 0. */
  jitterMs?: number;
  /** How late a reordered packet is. Default 1. */
  reorderMs?: number;
  /** Bits of IP packets that get through in a second; others wait. Default Infinity. */
  bitsPerSecond?: number;
  /**
   * Bytes that may wait for `bitsPerSecond`; a packet that would be beyond them is dropped. Default
   * Infinity: no more packets than the link's `queue`.
   */
  queueBytes?: number;
}

/** An hour: longer than any protocol waits for a packet. */
const MAX_MS = 3_600_000;

/** A path that harms nothing. */
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
 * Refuses what cannot be; names the setting behind `prefix`.
 *
 * @throws {RangeError} A setting is unknown or out of range.
 */
export function checkImpairments(changes: Impairments, prefix = ""): void {
  for (const [name, value] of Object.entries(changes)) {
    if (!Object.hasOwn(NO_IMPAIRMENT, name)) {
      throw new RangeError(
        `${prefix}${name} is no impairment, use: ${Object.keys(NO_IMPAIRMENT).join(", ")}`,
      );
    }
    if (typeof value !== "number") {
      throw new RangeError(`${prefix}${name} must be a number, not ${JSON.stringify(value)}`);
    }
    if (name === "bitsPerSecond") {
      if (value >= 1) continue;
      throw new RangeError(`${prefix}bitsPerSecond must be 1 or more, not ${value}`);
    }
    const most = name.endsWith("Ms") ? MAX_MS : name === "queueBytes" ? Infinity : 1;
    if (value >= 0 && value <= most) continue;
    throw new RangeError(`${prefix}${name} must be from 0 to ${most}, not ${value}`);
  }
}
