/**
 * Where the page gets the demo network from: the service, or the page itself.
 *
 * @module
 */
/// <reference lib="dom" />
import type { DemoPath, DemoSample } from "../../demo_network/demo_network.ts";
import { readEvents } from "../shared/events.ts";

export type { DemoPath, DemoSample };

/** A demo network. */
export interface DemoSource {
  /** Calls `take` about ten times a second until it is aborted. */
  follow(take: (sample: DemoSample) => void, signal: AbortSignal): void;
  /** Changes the path. */
  set(changes: Partial<DemoPath>): void;
}

const RETRY_MS = 2000;

/** The network of the service that has sent the page. */
export const remoteSource: DemoSource = {
  follow(take, signal) {
    const follow = async () => {
      while (!signal.aborted) {
        try {
          const answer = await fetch("/network", { signal });
          if (answer.ok) await readEvents(answer, (data) => take(data as DemoSample));
        } catch {
          // Tries again, unless it was aborted.
        }
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
      }
    };
    void follow();
  },
  set(changes) {
    const body = JSON.stringify(changes);
    void fetch("/network", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body,
    })
      .catch(() => {});
  },
};
