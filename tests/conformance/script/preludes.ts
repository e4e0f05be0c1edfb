/**
 * Beginnings that scripts have in common. Times that follow count from their last line.
 *
 * @module
 */

/** The peer's SYN where a script does not care. */
const SYN_OPTIONS = "mss 1000,sackOK";

/** SYN-RECEIVED. */
export function synReceived(options: string = SYN_OPTIONS): string {
  return `
    0   listen
    +0  < S 0:0(0) win 65535 <${options}>
    +0  > S. 0:0(0) ack 1 <...>`;
}

/** ESTABLISHED by the peer's SYN, taken by the application, with a round trip of 10 ms. */
export function accepted(options: string = SYN_OPTIONS, window: number = 65535): string {
  // A peer whose SYN said 100 says 110 after 10 ms.
  const timestamps = options.includes("TS") ? "<TS val 110 ecr 0>" : "";
  return `${synReceived(options)}
    +.01 < . 1:1(0) ack 1 win ${window} ${timestamps}
    +0  accept`;
}

/** SYN-SENT. */
export const SYN_SENT: string = `
    0   connect
    +0  > S 0:0(0) <...>`;

/** ESTABLISHED by connect(), with a round trip of 10 ms. */
export function connected(options: string = SYN_OPTIONS): string {
  return `${SYN_SENT}
    +.01 < S. 0:0(0) ack 1 win 65535 <${options}>
    +0  > . 1:1(0) ack 1`;
}
