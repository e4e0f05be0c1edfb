import { type SeededRandom, seededRandom } from "../../adapters/runtime/seeded_random.ts";

/** Draws from a seed. */
export class Dice {
  readonly random: SeededRandom;

  constructor(seed: number) {
    this.random = seededRandom(seed);
  }

  /** True in this share of the cases. */
  chance(share: number): boolean {
    return this.random.fraction() < share;
  }

  /** 0 up to, and without, `count`. */
  below(count: number): number {
    return Math.floor(this.random.fraction() * count);
  }

  of<T>(values: readonly T[]): T {
    return values[this.below(values.length)]!;
  }

  /** Mostly small, sometimes anything: what lies near an edge is where faults are. */
  offset(): number {
    const kind = this.below(16);
    if (kind < 6) return 0;
    if (kind < 10) return this.below(5) - 2;
    if (kind < 13) return this.below(4000) - 2000;
    if (kind < 15) return this.below(200_000) - 100_000;
    return this.random.uint32() | 0;
  }

  byte(): number {
    return this.random.uint32() & 255;
  }
}
