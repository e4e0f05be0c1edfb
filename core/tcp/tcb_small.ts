/**
 * Numbers of one connection that take a few bits each.
 *
 * @module
 */
import { TcbFlags } from "./tcb_flags.ts";

/** Whether a SYN is being decided about. */
export type SynProgress = "none" | "pending" | "accepted";

const DECISIONS: readonly SynProgress[] = ["none", "pending", "accepted"];

const EVENTS = 0xf;
const DECISION = 4;
const DECISION_MASK = 0b11 << DECISION;
const SEND_SHIFT = 6;
const SEND_SHIFT_MASK = 0xf << SEND_SHIFT;
const RECEIVE_SHIFT = 10;
const RECEIVE_SHIFT_MASK = 0xf << RECEIVE_SHIFT;
const PACKET_ID = 16;
const PACKET_ID_MASK = 0xffff << PACKET_ID;

/** In one field: each of their own would be 8 bytes. */
export class TcbSmall extends TcbFlags {
  #bits = 0;

  /** Bits of `TCB_EVENT` that the owner has not seen. */
  get events(): number {
    return this.#bits & EVENTS;
  }
  set events(events: number) {
    this.#bits = (this.#bits & ~EVENTS) | events;
  }

  /** Whether the SYN is being decided about. */
  get synDecision(): SynProgress {
    return DECISIONS[(this.#bits & DECISION_MASK) >> DECISION]!;
  }
  set synDecision(decision: SynProgress) {
    this.#bits = (this.#bits & ~DECISION_MASK) | (DECISIONS.indexOf(decision) << DECISION);
  }

  /** Snd.Wind.Shift (RFC 7323 2.2). */
  get sndWndShift(): number {
    return (this.#bits & SEND_SHIFT_MASK) >> SEND_SHIFT;
  }
  set sndWndShift(shift: number) {
    this.#bits = (this.#bits & ~SEND_SHIFT_MASK) | (shift << SEND_SHIFT);
  }

  /** Rcv.Wind.Shift (RFC 7323 2.2). */
  get rcvWndShift(): number {
    return (this.#bits & RECEIVE_SHIFT_MASK) >> RECEIVE_SHIFT;
  }
  set rcvWndShift(shift: number) {
    this.#bits = (this.#bits & ~RECEIVE_SHIFT_MASK) | (shift << RECEIVE_SHIFT);
  }

  /** IPv4 identification of the last packet; atomic datagrams may use any (RFC 6864 4.1). */
  get packetId(): number {
    return this.#bits >>> PACKET_ID;
  }
  set packetId(id: number) {
    this.#bits = (this.#bits & ~PACKET_ID_MASK) | (id << PACKET_ID);
  }
}
