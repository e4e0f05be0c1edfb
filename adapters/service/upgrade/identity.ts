/**
 * What the stacks of all processes of a service have in common, so that peers see one stack.
 *
 * @module
 */
import {
  type Clock,
  type Random,
  systemClock,
  systemRandom,
} from "../../../core/api/environment.ts";
import { SECRET_LENGTH } from "../../../core/stack/stack.ts";

/** The identity of a stack; it can be sent to a worker. */
export interface StackIdentity {
  /** The number of this process, counted from 1. */
  readonly number: number;
  /** Key of ISNs, SYN cookies and timestamps. */
  readonly secret: Uint8Array<ArrayBuffer>;
  /** When the clock of the stack was 0, in milliseconds since 1970. */
  readonly origin: number;
}

/** The identity of a newly started service. */
export function newIdentity(): StackIdentity {
  const secret = new Uint8Array(SECRET_LENGTH);
  systemRandom.fill(secret);
  return { number: 1, secret, origin: performance.timeOrigin };
}

/** The clock and the random source for `createStack()`. */
export function environmentOf({ secret, origin }: StackIdentity): { clock: Clock; random: Random } {
  // The clock continues that of the earlier process, and with it sequence numbers, timestamps and cookies.
  const offset = Math.max(0, performance.timeOrigin - origin);
  const clock: Clock = offset === 0 ? systemClock : {
    now: () => systemClock.now() + offset,
    schedule: (at, wake) => systemClock.schedule(at - offset, wake),
  };
  return { clock, random: { fill: (bytes) => bytes.set(secret.subarray(0, bytes.length)) } };
}
