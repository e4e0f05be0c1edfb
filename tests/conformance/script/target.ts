/**
 * The target of a script: the core in virtual time, or a kernel in real time.
 *
 * @module
 */
import type { Sent } from "../../support/dsl/wire.ts";
import type { Flow } from "./flow.ts";

/** A value or a promise of it. */
export type Soon<T> = T | Promise<T>;

/** The target cannot play the script. */
export class NotExpressible extends Error {}

/** A TCP implementation with one link, an application on it, and a clock. Times in milliseconds. */
export interface Target {
  /** Tolerance for the time of a packet sent `interval` after the previous line. */
  toleranceMs(interval: number): number;
  /** Whether windows, PSH and TSval are compared too. */
  readonly isStrict: boolean;
  /** Time since the start of the script. */
  readonly elapsed: number;
  /** The flow with that number. */
  flow(number: number): Flow;
  /** Advances the time. */
  waitUntil(elapsed: number): Soon<void>;
  /** Delivers a packet to the stack. */
  inject(packet: Uint8Array): Soon<void>;
  /** The next packet that the stack sends, waiting until `elapsed`. */
  nextPacket(elapsed: number): Soon<Sent | undefined>;
  /**
   * Runs a call of the application; resolves with its result in the notation of scripts, or
   * `undefined` if unknown.
   */
  call(flow: number, name: string, args: readonly string[]): Soon<string | undefined>;
}
