/**
 * What is so or is not so of one connection.
 *
 * @module
 */

const RELEASED = 1 << 0;
const PASSIVE = 1 << 1;
const SYN_ACKED = 1 << 2;
const FIN_QUEUED = 1 << 3;
const FIN_SENT = 1 << 4;
const WRITER_WAITS = 1 << 5;
const IS_URGENT = 1 << 6;
const FIN_RECEIVED = 1 << 7;
const READ_CLOSED = 1 << 8;
const WINDOW_SCALING = 1 << 9;
const ECN = 1 << 10;
const SACK_PERMITTED = 1 << 11;
const TIMESTAMPS = 1 << 12;
const SYN_QUEUED = 1 << 13;
const ACK_NOW = 1 << 14;
const RESET_QUEUED = 1 << 15;
const RESET_WHEN_ACKED = 1 << 16;
const RESET_AFTER_ACK = 1 << 17;
const CORKED = 1 << 18;
const ECHO_CONGESTION = 1 << 19;
const REDUCED_QUEUED = 1 << 20;
const SENDS_ECT = 1 << 21;
const TAIL_PROBE_WAS_REPEAT = 1 << 22;
const PROBED_SINCE_SAMPLE = 1 << 23;
const FULL_ARRIVED = 1 << 24;
const IN_TABLES = 1 << 25;
const IN_OUTPUT_QUEUE = 1 << 26;
const IN_EVENT_QUEUE = 1 << 27;
const NO_DELAY = 1 << 28;
const KEEP_ALIVE = 1 << 29;
const SYN_WAS_REPEATED = 1 << 30;

/** A bit each: fields of their own would be a tenth of what a connection holds. */
export class TcbFlags {
  #bits = 0;

  /** The connection is in no table any more: nothing arrives and nothing is sent. */
  get released(): boolean {
    return (this.#bits & RELEASED) !== 0;
  }
  set released(on: boolean) {
    TcbFlags.#set(this, RELEASED, on);
  }

  /** It was opened by a listener (RFC 9293 3.10.7.4, SYN-RECEIVED). */
  get passive(): boolean {
    return (this.#bits & PASSIVE) !== 0;
  }
  set passive(on: boolean) {
    TcbFlags.#set(this, PASSIVE, on);
  }

  /** The peer has acknowledged our SYN. */
  get synAcked(): boolean {
    return (this.#bits & SYN_ACKED) !== 0;
  }
  set synAcked(on: boolean) {
    TcbFlags.#set(this, SYN_ACKED, on);
  }

  /** closeWrite() was called: a FIN follows the last byte. */
  get finQueued(): boolean {
    return (this.#bits & FIN_QUEUED) !== 0;
  }
  set finQueued(on: boolean) {
    TcbFlags.#set(this, FIN_QUEUED, on);
  }

  /** SND.NXT lies behind our FIN. */
  get finSent(): boolean {
    return (this.#bits & FIN_SENT) !== 0;
  }
  set finSent(on: boolean) {
    TcbFlags.#set(this, FIN_SENT, on);
  }

  /** The application wanted to write more than there was room for. */
  get writerWaits(): boolean {
    return (this.#bits & WRITER_WAITS) !== 0;
  }
  set writerWaits(on: boolean) {
    TcbFlags.#set(this, WRITER_WAITS, on);
  }

  /** The peer has sent urgent data, which ends before `urgentEnd` (RFC 9293 3.8.5). */
  get isUrgent(): boolean {
    return (this.#bits & IS_URGENT) !== 0;
  }
  set isUrgent(on: boolean) {
    TcbFlags.#set(this, IS_URGENT, on);
  }

  /** The peer's FIN has been taken in order. */
  get finReceived(): boolean {
    return (this.#bits & FIN_RECEIVED) !== 0;
  }
  set finReceived(on: boolean) {
    TcbFlags.#set(this, FIN_RECEIVED, on);
  }

  /** The application will not read any more: text is acknowledged and thrown away. */
  get readClosed(): boolean {
    return (this.#bits & READ_CLOSED) !== 0;
  }
  set readClosed(on: boolean) {
    TcbFlags.#set(this, READ_CLOSED, on);
  }

  /** Window scaling is in use (RFC 7323 2). */
  get windowScaling(): boolean {
    return (this.#bits & WINDOW_SCALING) !== 0;
  }
  set windowScaling(on: boolean) {
    TcbFlags.#set(this, WINDOW_SCALING, on);
  }

  /** ECN is in use (RFC 3168 6.1.1). */
  get ecn(): boolean {
    return (this.#bits & ECN) !== 0;
  }
  set ecn(on: boolean) {
    TcbFlags.#set(this, ECN, on);
  }

  /** SACK may be used (RFC 2018 2). */
  get sackPermitted(): boolean {
    return (this.#bits & SACK_PERMITTED) !== 0;
  }
  set sackPermitted(on: boolean) {
    TcbFlags.#set(this, SACK_PERMITTED, on);
  }

  /** Timestamps are in use (RFC 7323 3). */
  get timestamps(): boolean {
    return (this.#bits & TIMESTAMPS) !== 0;
  }
  set timestamps(on: boolean) {
    TcbFlags.#set(this, TIMESTAMPS, on);
  }

  /** A SYN or SYN,ACK has to go. */
  get synQueued(): boolean {
    return (this.#bits & SYN_QUEUED) !== 0;
  }
  set synQueued(on: boolean) {
    TcbFlags.#set(this, SYN_QUEUED, on);
  }

  /** An acknowledgement has to go, with data or without. */
  get ackNow(): boolean {
    return (this.#bits & ACK_NOW) !== 0;
  }
  set ackNow(on: boolean) {
    TcbFlags.#set(this, ACK_NOW, on);
  }

  /** A RST has to go, and then nothing. */
  get resetQueued(): boolean {
    return (this.#bits & RESET_QUEUED) !== 0;
  }
  set resetQueued(on: boolean) {
    TcbFlags.#set(this, RESET_QUEUED, on);
  }

  /** A RST ends the connection once both FINs are acknowledged (profile `local`, close()). */
  get resetWhenAcked(): boolean {
    return (this.#bits & RESET_WHEN_ACKED) !== 0;
  }
  set resetWhenAcked(on: boolean) {
    TcbFlags.#set(this, RESET_WHEN_ACKED, on);
  }

  /** A RST answers the peer's FIN once that is acknowledged (profile `local`, FIN-WAIT-2). */
  get resetAfterAck(): boolean {
    return (this.#bits & RESET_AFTER_ACK) !== 0;
  }
  set resetAfterAck(on: boolean) {
    TcbFlags.#set(this, RESET_AFTER_ACK, on);
  }

  /** Only full segments leave. */
  get corked(): boolean {
    return (this.#bits & CORKED) !== 0;
  }
  set corked(on: boolean) {
    TcbFlags.#set(this, CORKED, on);
  }

  /** CE was received: every acknowledgement has ECE until the peer's CWR. */
  get echoCongestion(): boolean {
    return (this.#bits & ECHO_CONGESTION) !== 0;
  }
  set echoCongestion(on: boolean) {
    TcbFlags.#set(this, ECHO_CONGESTION, on);
  }

  /** The next new data has CWR. */
  get reducedQueued(): boolean {
    return (this.#bits & REDUCED_QUEUED) !== 0;
  }
  set reducedQueued(on: boolean) {
    TcbFlags.#set(this, REDUCED_QUEUED, on);
  }

  /** The packet being built is of new data. */
  get sendsEct(): boolean {
    return (this.#bits & SENDS_ECT) !== 0;
  }
  set sendsEct(on: boolean) {
    TcbFlags.#set(this, SENDS_ECT, on);
  }

  /** The tail loss probe was old data. */
  get tailProbeWasRepeat(): boolean {
    return (this.#bits & TAIL_PROBE_WAS_REPEAT) !== 0;
  }
  set tailProbeWasRepeat(on: boolean) {
    TcbFlags.#set(this, TAIL_PROBE_WAS_REPEAT, on);
  }

  /** A tail loss probe was sent, and no round trip measured since (RFC 8985 7.3). */
  get probedSinceSample(): boolean {
    return (this.#bits & PROBED_SINCE_SAMPLE) !== 0;
  }
  set probedSinceSample(on: boolean) {
    TcbFlags.#set(this, PROBED_SINCE_SAMPLE, on);
  }

  /** A full segment has arrived, of the size that the path is believed to carry. */
  get fullArrived(): boolean {
    return (this.#bits & FULL_ARRIVED) !== 0;
  }
  set fullArrived(on: boolean) {
    TcbFlags.#set(this, FULL_ARRIVED, on);
  }

  /** The stack's tables have it. */
  get inTables(): boolean {
    return (this.#bits & IN_TABLES) !== 0;
  }
  set inTables(on: boolean) {
    TcbFlags.#set(this, IN_TABLES, on);
  }

  /** It waits for its turn to send. */
  get inOutputQueue(): boolean {
    return (this.#bits & IN_OUTPUT_QUEUE) !== 0;
  }
  set inOutputQueue(on: boolean) {
    TcbFlags.#set(this, IN_OUTPUT_QUEUE, on);
  }

  /** Its owner is to be told something. */
  get inEventQueue(): boolean {
    return (this.#bits & IN_EVENT_QUEUE) !== 0;
  }
  set inEventQueue(on: boolean) {
    TcbFlags.#set(this, IN_EVENT_QUEUE, on);
  }

  /** Nagle's algorithm is off (RFC 9293 3.7.4). */
  get noDelay(): boolean {
    return (this.#bits & NO_DELAY) !== 0;
  }
  set noDelay(on: boolean) {
    TcbFlags.#set(this, NO_DELAY, on);
  }

  /** A silent peer is probed (RFC 9293 3.8.4). */
  get keepAlive(): boolean {
    return (this.#bits & KEEP_ALIVE) !== 0;
  }
  set keepAlive(on: boolean) {
    TcbFlags.#set(this, KEEP_ALIVE, on);
  }

  /** Our SYN had to be sent again before it was acknowledged (RFC 6298 5.7). */
  get synWasRepeated(): boolean {
    return (this.#bits & SYN_WAS_REPEATED) !== 0;
  }
  set synWasRepeated(on: boolean) {
    TcbFlags.#set(this, SYN_WAS_REPEATED, on);
  }

  /** Static, as a private method would be a field of every connection. */
  static #set(flags: TcbFlags, bit: number, on: boolean): void {
    flags.#bits = on ? flags.#bits | bit : flags.#bits & ~bit;
  }
}
