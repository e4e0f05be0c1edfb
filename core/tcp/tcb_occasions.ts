/**
 * What most connections never need: nothing was lost, nobody has set anything, nothing odd came.
 *
 * @module
 */
import type { RateSampler } from "./congestion/rate_sampler.ts";
import type { RateReduction } from "./recovery/prr.ts";
import type { Rack } from "./recovery/rack.ts";
import type { UndoPoint } from "./recovery/undo_point.ts";
import type { EndReason } from "./state.ts";

/** Why a segment goes whatever the congestion window says. */
export type Forced = "none" | "retransmit" | "tail-probe" | "window-probe" | "keep-alive";

/** How what was lost is being sent again. */
export type Recovery = "none" | "fast" | "timeout";

class Occasions {
  softError: EndReason | undefined = undefined;
  lingerMs: number | undefined = undefined;
  userTimeoutMs: number | undefined = undefined;
  keepAliveProbes: number = 0;
  persistBackoff: number = 0;
  urgentEnd: number = 0;
  outOfOrderFin: number | undefined = undefined;
  duplicateStart: number = 0;
  duplicateEnd: number = 0;
  duplicateAcks: number = 0;
  forced: Forced = "none";
  ecnPoint: number | undefined = undefined;
  rack: Rack | undefined = undefined;
  rtoBackoff: number = 0;
  recovery: Recovery = "none";
  recoveryPoint: number = 0;
  duplicateAcksReceived: number = 0;
  reduction: RateReduction | undefined = undefined;
  windowFullAt: number | undefined = undefined;
  undo: UndoPoint | undefined = undefined;
  spuriousRecoveries: number = 0;
  timeoutsInARow: number = 0;
  timedOutAt: number = 0;
  tailProbeEnd: number | undefined = undefined;
  tailProbeTsVal: number = 0;
  rate: RateSampler | undefined = undefined;
  pacedUntil: number = 0;
  raiseMtuAt: number = Infinity;
  raiseMtuTo: number = 0;
  retransmits: number = 0;
  outOfOrder: number = 0;
}

/** Of connections that had no occasion: it is replaced before anything is put into it. */
const NONE = new Occasions();
const NAMES = Object.keys(NONE) as (keyof Occasions)[];

/** An idle connection would be an eighth larger with these as fields of its own. */
export class TcbOccasions {
  #its = NONE;

  /** Static, as a private method would be a field of every connection. */
  static #own(tcb: TcbOccasions): Occasions {
    if (tcb.#its === NONE) tcb.#its = new Occasions();
    return tcb.#its;
  }

  /** Nothing is kept beyond what every connection has. */
  get isOrdinary(): boolean {
    return this.#its === NONE;
  }

  /** Gives back what occasions took that are over: where all is as it was before them. */
  forgetOccasions(): void {
    if (NAMES.every((name) => this.#its[name] === NONE[name])) this.#its = NONE;
  }

  /** What a router has said while nothing comes through: the reason, should it stay like that. */
  get softError(): EndReason | undefined {
    return this.#its.softError;
  }
  set softError(value: EndReason | undefined) {
    if (value !== this.#its.softError) TcbOccasions.#own(this).softError = value;
  }

  /** How long close() waits for acknowledgement, `undefined`: without end. */
  get lingerMs(): number | undefined {
    return this.#its.lingerMs;
  }
  set lingerMs(value: number | undefined) {
    if (value !== this.#its.lingerMs) TcbOccasions.#own(this).lingerMs = value;
  }

  /** Set for this connection (RFC 5482); `undefined`: as configured. */
  get userTimeoutMs(): number | undefined {
    return this.#its.userTimeoutMs;
  }
  set userTimeoutMs(value: number | undefined) {
    if (value !== this.#its.userTimeoutMs) TcbOccasions.#own(this).userTimeoutMs = value;
  }

  /** Keep-alive probes that nothing has answered. */
  get keepAliveProbes(): number {
    return this.#its.keepAliveProbes;
  }
  set keepAliveProbes(value: number) {
    if (value !== this.#its.keepAliveProbes) TcbOccasions.#own(this).keepAliveProbes = value;
  }

  /** Window probes since the window was shut, which double the interval. */
  get persistBackoff(): number {
    return this.#its.persistBackoff;
  }
  set persistBackoff(value: number) {
    if (value !== this.#its.persistBackoff) TcbOccasions.#own(this).persistBackoff = value;
  }

  /** Where the peer's urgent data ends, if there is any (RFC 9293 3.8.5). */
  get urgentEnd(): number {
    return this.#its.urgentEnd;
  }
  set urgentEnd(value: number) {
    if (value !== this.#its.urgentEnd) TcbOccasions.#own(this).urgentEnd = value;
  }

  /** Where a FIN lies that came ahead of a hole. */
  get outOfOrderFin(): number | undefined {
    return this.#its.outOfOrderFin;
  }
  set outOfOrderFin(value: number | undefined) {
    if (value !== this.#its.outOfOrderFin) TcbOccasions.#own(this).outOfOrderFin = value;
  }

  /** Text that arrived twice, for the next acknowledgement (RFC 2883 4). */
  get duplicateStart(): number {
    return this.#its.duplicateStart;
  }
  set duplicateStart(value: number) {
    if (value !== this.#its.duplicateStart) TcbOccasions.#own(this).duplicateStart = value;
  }

  get duplicateEnd(): number {
    return this.#its.duplicateEnd;
  }
  set duplicateEnd(value: number) {
    if (value !== this.#its.duplicateEnd) TcbOccasions.#own(this).duplicateEnd = value;
  }

  /** Acknowledgements that must each be a segment of its own (RFC 5681 4.2). */
  get duplicateAcks(): number {
    return this.#its.duplicateAcks;
  }
  set duplicateAcks(value: number) {
    if (value !== this.#its.duplicateAcks) TcbOccasions.#own(this).duplicateAcks = value;
  }

  /** One segment goes whatever the congestion window says. */
  get forced(): Forced {
    return this.#its.forced;
  }
  set forced(value: Forced) {
    if (value !== this.#its.forced) TcbOccasions.#own(this).forced = value;
  }

  /** SND.NXT when the window was cut for an echo, until that is acknowledged (RFC 3168 6.1). */
  get ecnPoint(): number | undefined {
    return this.#its.ecnPoint;
  }
  set ecnPoint(value: number | undefined) {
    if (value !== this.#its.ecnPoint) TcbOccasions.#own(this).ecnPoint = value;
  }

  /** What was lost is being sent again. */
  get recovery(): Recovery {
    return this.#its.recovery;
  }
  set recovery(value: Recovery) {
    if (value !== this.#its.recovery) TcbOccasions.#own(this).recovery = value;
  }

  /** SND.NXT when recovery began (RFC 6582 3.2). */
  get recoveryPoint(): number {
    return this.#its.recoveryPoint;
  }
  set recoveryPoint(value: number) {
    if (value !== this.#its.recoveryPoint) TcbOccasions.#own(this).recoveryPoint = value;
  }

  /** Duplicate acknowledgements in a row. */
  get duplicateAcksReceived(): number {
    return this.#its.duplicateAcksReceived;
  }
  set duplicateAcksReceived(value: number) {
    if (value !== this.#its.duplicateAcksReceived) {
      TcbOccasions.#own(this).duplicateAcksReceived = value;
    }
  }

  /** SND.NXT when the congestion window was full last; `undefined`: it has room for more since. */
  get windowFullAt(): number | undefined {
    return this.#its.windowFullAt;
  }
  set windowFullAt(value: number | undefined) {
    if (value !== this.#its.windowFullAt) TcbOccasions.#own(this).windowFullAt = value;
  }

  /** Of the latest fast recovery, if there was any. */
  get reduction(): RateReduction | undefined {
    return this.#its.reduction;
  }
  set reduction(value: RateReduction | undefined) {
    if (value !== this.#its.reduction) TcbOccasions.#own(this).reduction = value;
  }

  /** What recovery has changed, until it is known whether it was right. */
  get undo(): UndoPoint | undefined {
    return this.#its.undo;
  }
  set undo(value: UndoPoint | undefined) {
    if (value !== this.#its.undo) TcbOccasions.#own(this).undo = value;
  }

  /** Recoveries that turned out to be wrong. */
  get spuriousRecoveries(): number {
    return this.#its.spuriousRecoveries;
  }
  set spuriousRecoveries(value: number) {
    if (value !== this.#its.spuriousRecoveries) TcbOccasions.#own(this).spuriousRecoveries = value;
  }

  /** Timeouts between which nothing was acknowledged. */
  get timeoutsInARow(): number {
    return this.#its.timeoutsInARow;
  }
  set timeoutsInARow(value: number) {
    if (value !== this.#its.timeoutsInARow) TcbOccasions.#own(this).timeoutsInARow = value;
  }

  /** When the first of them was. */
  get timedOutAt(): number {
    return this.#its.timedOutAt;
  }
  set timedOutAt(value: number) {
    if (value !== this.#its.timedOutAt) TcbOccasions.#own(this).timedOutAt = value;
  }

  /** SND.NXT when a tail loss probe was sent (RFC 8985 7.3). */
  get tailProbeEnd(): number | undefined {
    return this.#its.tailProbeEnd;
  }
  set tailProbeEnd(value: number | undefined) {
    if (value !== this.#its.tailProbeEnd) TcbOccasions.#own(this).tailProbeEnd = value;
  }

  /** The timestamp of that, where it was old data. */
  get tailProbeTsVal(): number {
    return this.#its.tailProbeTsVal;
  }
  set tailProbeTsVal(value: number) {
    if (value !== this.#its.tailProbeTsVal) TcbOccasions.#own(this).tailProbeTsVal = value;
  }

  /** Delivery rate samples, for algorithms that want them. */
  get rate(): RateSampler | undefined {
    return this.#its.rate;
  }
  set rate(value: RateSampler | undefined) {
    if (value !== this.#its.rate) TcbOccasions.#own(this).rate = value;
  }

  /** Until then the algorithm's pace forbids another segment. */
  get pacedUntil(): number {
    return this.#its.pacedUntil;
  }
  set pacedUntil(value: number) {
    if (value !== this.#its.pacedUntil) TcbOccasions.#own(this).pacedUntil = value;
  }

  /** A larger packet size is tried again at this time, `Infinity`: there is none. */
  get raiseMtuAt(): number {
    return this.#its.raiseMtuAt;
  }
  set raiseMtuAt(value: number) {
    if (value !== this.#its.raiseMtuAt) TcbOccasions.#own(this).raiseMtuAt = value;
  }

  /** And which it is. */
  get raiseMtuTo(): number {
    return this.#its.raiseMtuTo;
  }
  set raiseMtuTo(value: number) {
    if (value !== this.#its.raiseMtuTo) TcbOccasions.#own(this).raiseMtuTo = value;
  }

  /** Only while something is outstanding of which a part has arrived, or once reordering was seen. */
  get rack(): Rack | undefined {
    return this.#its.rack;
  }
  set rack(value: Rack | undefined) {
    if (value !== this.#its.rack) TcbOccasions.#own(this).rack = value;
  }

  /** Doublings of the RTO since the last sample of new data (RFC 6298 5.5). */
  get rtoBackoff(): number {
    return this.#its.rtoBackoff;
  }
  set rtoBackoff(value: number) {
    if (value !== this.#its.rtoBackoff) TcbOccasions.#own(this).rtoBackoff = value;
  }

  /** Segments sent again. */
  get retransmits(): number {
    return this.#its.retransmits;
  }
  set retransmits(value: number) {
    if (value !== this.#its.retransmits) TcbOccasions.#own(this).retransmits = value;
  }

  /** Segments that came ahead of a hole. */
  get outOfOrder(): number {
    return this.#its.outOfOrder;
  }
  set outOfOrder(value: number) {
    if (value !== this.#its.outOfOrder) TcbOccasions.#own(this).outOfOrder = value;
  }
}
