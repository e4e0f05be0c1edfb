/**
 * What a script is run against: this project's core in virtual time, or a kernel in real time.
 *
 * @module
 */
import type { Sent } from "../../support/dsl/wire.ts";
import type { Flow } from "./flow.ts";

/** Something that has a value now or later. */
export type Soon<T> = T | Promise<T>;

/** What the target cannot be asked. */
export class NotExpressible extends Error {}

/** A TCP implementation with one link, an application on it, and a clock. Times in milliseconds. */
export interface Target {
  /** How far the time of a packet may be off that is sent so long after the line before. */
  toleranceMs(interval: number): number;
  /** Windows, PSH and TSval are compared as well. */
  readonly isStrict: boolean;
  /** Time since the script began. */
  readonly elapsed: number;
  /** The flow with that number. */
  flow(number: number): Flow;
  /** Lets time pass. */
  waitUntil(elapsed: number): Soon<void>;
  /** Hands the stack a packet. */
  inject(packet: Uint8Array): Soon<void>;
  /** Takes the next packet that the stack sends; lets time pass for it until `elapsed`. */
  nextPacket(elapsed: number): Soon<Sent | undefined>;
  /**
   * Runs a call of the application; resolves with its result as a script names it, with `undefined`
   * when there is no telling.
   */
  call(flow: number, name: string, args: readonly string[]): Soon<string | undefined>;
}
