/**
 * Timeouts that the application sets for one connection; boolean options are flags in
 * `tcb_flags.ts`.
 *
 * @module
 */

/** All connections share {@link DEFAULT_OPTIONS} until the application sets one. */
export class UserOptions {
  /** How long close() waits for acknowledgement (RFC 9293 3.10.4); `undefined`: no limit. */
  lingerMs: number | undefined = undefined;
  /** User timeout (RFC 5482); `undefined`: as configured. */
  userTimeoutMs: number | undefined = undefined;
}

/** The record of connections for which the application has set no option. */
export const DEFAULT_OPTIONS: Readonly<UserOptions> = Object.freeze(new UserOptions());

/** The connection's own record, for writing. */
export function ownOptions(tcb: { userOptions: Readonly<UserOptions> }): UserOptions {
  if (tcb.userOptions === DEFAULT_OPTIONS) tcb.userOptions = new UserOptions();
  return tcb.userOptions as UserOptions;
}
