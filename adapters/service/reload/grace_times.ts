/**
 * How long replaced plugins and closed ports continue after a reload.
 *
 * @module
 */
import { systemClock } from "../../../core/api/environment.ts";
import type { EndOptions } from "../../../core/api/types.ts";
import type { Settings } from "../settings/settings.ts";

/** The grace times of what reloads have replaced. */
export class GraceTimes {
  readonly #cancels = new Set<() => void>();

  /** Calls `end` after `reloadGraceMs`, unless that is `"never"` or `finished` has resolved by then. */
  limit(
    { reloadGraceMs, graceMs }: Settings,
    end: (options: EndOptions) => Promise<void>,
    finished: Promise<void>,
  ): void {
    if (reloadGraceMs === "never") return;
    const cancel = systemClock.schedule(systemClock.now() + reloadGraceMs, () => {
      this.#cancels.delete(cancel);
      void end({ graceMs });
    });
    this.#cancels.add(cancel);
    void finished.then(() => {
      this.#cancels.delete(cancel);
      cancel();
    });
  }

  /** Cancels all pending calls. */
  cancel(): void {
    for (const cancel of this.#cancels) cancel();
  }
}
