import type { FieldCodec } from "../../frozen/field_codec.ts";
import { PROBE_WAIT_MS, PROBE_WAIT_SPREAD_MS } from "./parameters.ts";

/**
 * When bandwidth is probed again: flows that share a bottleneck should not probe at the same time
 * (5.3.3.9). The core has no random source, but time and delivered bytes differ enough between
 * flows.
 */
export class ProbeWait {
  #waitMs = PROBE_WAIT_MS;
  #startedAt = 0;

  visitFields(codec: FieldCodec): void {
    this.#waitMs = codec.real("waitMs", this.#waitMs);
    this.#startedAt = codec.time("startedAt", this.#startedAt);
  }

  /** A cycle begins; returns the initial number of rounds, 0 or 1. */
  start(now: number, delivered: number): 0 | 1 {
    const hash = mix(mix(Math.floor(now * 1000) | 0) ^ (delivered | 0));
    this.#waitMs = PROBE_WAIT_MS + PROBE_WAIT_SPREAD_MS * ((hash >>> 1) / 2 ** 31);
    this.#startedAt = now;
    return (hash & 1) === 0 ? 0 : 1;
  }

  isOver(now: number): boolean {
    return now > this.#startedAt + this.#waitMs;
  }
}

/** Mixes the bits of a 32-bit integer. */
function mix(value: number): number {
  const first = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
  const second = Math.imul(first ^ (first >>> 13), 0xc2b2ae35);
  return (second ^ (second >>> 16)) >>> 0;
}
