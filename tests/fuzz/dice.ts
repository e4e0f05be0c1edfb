import { type SeededRandom, seededRandom } from "../../adapters/runtime/seeded_random.ts";

/** Draws random values from a seed. */
export class Dice {
  readonly random: SeededRandom;

  constructor(seed: number) {
    this.random = seededRandom(seed);
  }

  /** True with this probability. */
  chance(share: number): boolean {
    return this.random.fraction() < share;
  }

  /** From 0 up to but not including `count`. */
  below(count: number): number {
    return Math.floor(this.random.fraction() * count);
  }

  of<T>(values: readonly T[]): T {
    return values[this.below(values.length)]!;
  }

  /** Mostly small, sometimes any value, since errors are most likely near limits. */
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
