/**
 * Common beginnings of scripts. Later times are relative to their last line.
 *
 * @module
 */

/** Default options of the peer's SYN. */
const SYN_OPTIONS = "mss 1000,sackOK";

/** SYN-RECEIVED. */
export function synReceived(options: string = SYN_OPTIONS): string {
  return `
    0   listen
    +0  < S 0:0(0) win 65535 <${options}>
    +0  > S. 0:0(0) ack 1 <...>`;
}

/** ESTABLISHED by the peer's SYN and accepted by the application, with an RTT of 10 ms. */
export function accepted(options: string = SYN_OPTIONS, window: number = 65535): string {
  // The peer's TSval is 100 in the SYN and 110 after 10 ms.
  const timestamps = options.includes("TS") ? "<TS val 110 ecr 0>" : "";
  return `${synReceived(options)}
    +.01 < . 1:1(0) ack 1 win ${window} ${timestamps}
    +0  accept`;
}

/** SYN-SENT. */
export const SYN_SENT: string = `
    0   connect
    +0  > S 0:0(0) <...>`;

/** ESTABLISHED by connect(), with an RTT of 10 ms. */
export function connected(options: string = SYN_OPTIONS): string {
  return `${SYN_SENT}
    +.01 < S. 0:0(0) ack 1 win 65535 <${options}>
    +0  > . 1:1(0) ack 1`;
}
