/**
 * The tables and queues of a stack's connections: lookup, output, events and deadlines.
 *
 * @module
 */
import type { OutgoingPacket } from "../../buffers/outgoing_packet.ts";
import { FairQueue } from "../../buffers/fair_queue.ts";
import { Queue } from "../../buffers/queue.ts";
import { segmentArrives } from "../../tcp/arrive.ts";
import { endConnection } from "../../tcp/close_connection.ts";
import type { TcpConfig } from "../../tcp/config.ts";
import { initialSequence, type KeyedHash } from "../../tcp/isn.ts";
import { nextSegment } from "../../tcp/output.ts";
import { Tcb, TCB_EVENT, type TcpEnvironment } from "../../tcp/tcb.ts";
import { IN_EVENT_QUEUE, IN_OUTPUT_QUEUE, IN_TABLES, RELEASED } from "../../tcp/tcb_flags.ts";
import type { TcpCounts } from "../../tcp/tcp_counts.ts";
import { isWithoutOwner } from "../../tcp/timers/time_wait.ts";
import { handleTimeouts } from "../../tcp/timers/timeouts.ts";
import type { IpAddress } from "../../wire/address.ts";
import type { DropReason } from "../../wire/drop_reason.ts";
import type { Segment } from "../../wire/tcp.ts";
import { DeadlineHeap } from "../deadline_heap.ts";
import type { Demux } from "../demux.ts";
import { EventLogs } from "./event_logs.ts";
import type { Peers } from "../peers/peers.ts";
import { choosePort } from "../ports.ts";
import type { Stats } from "../stats.ts";
import type { Listener } from "./listener.ts";

/** Options of {@link Connections}. */
export interface ConnectionsOptions {
  readonly demux: Demux;
  readonly hash: KeyedHash;
  readonly stats: Stats;
  readonly environment: TcpEnvironment;
  readonly tcp: TcpConfig;
  /** The other instances, if there are any. */
  readonly peers: Peers | undefined;
  /** Maximum number of connections. */
  readonly maxConnections: number;
  /**
   * Maximum number of connections in TIME-WAIT, or closed and in FIN-WAIT-2; the oldest is evicted.
   */
  readonly maxTimeWait: number;
  /** Initial value of the counter for ephemeral ports. */
  readonly firstPort: number;
}

/**
 * Maximum number of connections that send a probe or retransmission in one turn. If 100,000 did so
 * at once, the replies would overflow the queue of any device, and connections whose replies are
 * lost would time out.
 */
const MAX_PROBED = 128;

/** A step of a connection: an arriving segment, a timer, a call of the user. */
type Step<A, B, C, Result> = (tcb: Tcb, a: A, b: B, c: C) => Result;

/**
 * The connections of a stack. Every change of a connection goes through {@link Connections.apply},
 * which updates the tables and queues.
 */
export class Connections {
  readonly #deadlines = new DeadlineHeap<Tcb>();
  /** Connections that may have segments to send. */
  readonly #output = new Queue<Tcb>();
  /** Connections and listeners whose owners have to be notified. */
  readonly #events = new FairQueue<Tcb>();
  readonly #listenerEvents = new Queue<Listener>();
  readonly #options: ConnectionsOptions;
  readonly #timeWait = new Set<Tcb>();
  /** The event logs of connections. */
  readonly eventLogs: EventLogs = new EventLogs();
  #portCounter: number;

  constructor(options: ConnectionsOptions) {
    this.#options = options;
    this.#portCounter = options.firstPort;
  }

  get isFull(): boolean {
    return this.#options.demux.connections.count >= this.#options.maxConnections;
  }

  /** The configuration of all connections. */
  get config(): TcpConfig {
    return this.#options.tcp;
  }

  /** Creates a connection that is not in the tables yet. */
  create(local: IpAddress, localPort: number, remote: IpAddress, remotePort: number): Tcb {
    const { tcp, environment, hash, peers } = this.#options;
    const tcb = new Tcb(tcp, environment, local, localPort, remote, remotePort);
    const offset = hash.connection(remote, remotePort, local, localPort);
    tcb.tsOffset = peers === undefined ? offset : (offset + peers.markOffset) | 0;
    return tcb;
  }

  /** Enters a connection into the tables, so that segments reach it. */
  enter(tcb: Tcb): void {
    tcb.set(IN_TABLES);
    this.#options.demux.connections.add(tcb);
    // A thawed connection is ESTABLISHED without a transition, and was opened elsewhere.
    if (tcb.state === "CLOSED") this.#options.stats.connectionsOpened++;
    else this.#options.environment.counts.states[tcb.state]++;
  }

  initialSequence({ local, localPort, remote, remotePort }: Tcb, now: number): number {
    const { hash, peers } = this.#options;
    // All instances share the clock, as they share the key (RFC 6528 3).
    const clock = peers?.wallNow(now) ?? now;
    return initialSequence(hash, local, localPort, remote, remotePort, clock);
  }

  /** Chooses an ephemeral port (RFC 6056); `offset` is a hash of the destination. */
  freePort(offset: number, isFree: (port: number) => boolean): number | undefined {
    return choosePort(offset, this.#portCounter++, isFree);
  }

  /**
   * Runs `step(tcb, a, b, c)`, and updates tables, queues and deadlines. The arguments are passed one
   * by one, so that a packet costs neither a closure nor an array.
   */
  apply<Result>(step: (tcb: Tcb) => Result, tcb: Tcb): Result;
  apply<A, Result>(step: (tcb: Tcb, a: A) => Result, tcb: Tcb, a: A): Result;
  apply<A, B, Result>(step: (tcb: Tcb, a: A, b: B) => Result, tcb: Tcb, a: A, b: B): Result;
  apply<A, B, C, Result>(step: Step<A, B, C, Result>, tcb: Tcb, a: A, b: B, c: C): Result;
  apply(
    step: Step<unknown, unknown, unknown, unknown>,
    tcb: Tcb,
    a?: unknown,
    b?: unknown,
    c?: unknown,
  ) {
    const result = this.eventLogs.isEmpty
      ? step(tcb, a, b, c)
      : this.#recordStep(step, tcb, a, b, c);
    this.#settle(tcb);
    return result;
  }

  /**
   * Records a step in the event log. Steps without a time argument, such as user calls, are recorded with the next step
   * that has one: output follows in the same turn.
   */
  #recordStep(
    step: Step<unknown, unknown, unknown, unknown>,
    tcb: Tcb,
    a: unknown,
    b: unknown,
    c: unknown,
  ): unknown {
    const recorder = this.eventLogs.recorderOf(tcb);
    if (recorder === undefined) return step(tcb, a, b, c);
    if (step === segmentArrives) {
      const now = b as number;
      recorder.arrives(a as Segment, now);
      const dropped = step(tcb, a, b, c) as DropReason | undefined;
      recorder.arrived(dropped, now);
      return dropped;
    }
    const result = step(tcb, a, b, c);
    if (step === handleTimeouts) recorder.observe(a as number);
    return result;
  }

  #recordOutput(tcb: Tcb, now: number, out: OutgoingPacket): boolean {
    const recorder = this.eventLogs.recorderOf(tcb);
    if (recorder === undefined) return nextSegment(tcb, now, out);
    const forced = recorder.sends(now);
    const isSent = nextSegment(tcb, now, out);
    if (isSent) recorder.sent(out, forced, now);
    else recorder.observe(now);
    return isSent;
  }

  /** Writes the next segment to send to `out`; returns false if there is none. */
  pollTransmit(out: OutgoingPacket, now: number): boolean {
    for (;;) {
      const tcb = this.#output.shift();
      if (tcb === undefined) return false;
      tcb.clear(IN_OUTPUT_QUEUE);
      const isSent = this.eventLogs.isEmpty
        ? nextSegment(tcb, now, out)
        : this.#recordOutput(tcb, now, out);
      if (isSent) {
        // Back to the end of the queue, so that connections take turns.
        this.#settle(tcb);
        return true;
      }
      if (!tcb.has(RELEASED)) this.#deadlines.update(tcb);
    }
  }

  /** Removes the next connection with events from the queue. */
  pollConnection(): Tcb | undefined {
    const tcb = this.#events.shift();
    tcb?.clear(IN_EVENT_QUEUE);
    return tcb;
  }

  /** Removes the next listener with connections in `ready` or `undecided` from the queue. */
  pollListener(): Listener | undefined {
    const listener = this.#listenerEvents.shift();
    if (listener !== undefined) listener.inNotificationQueue = false;
    return listener;
  }

  /** When {@link Connections.handleTimeout} has to be called; may be too early. */
  nextTimeout(): number {
    return this.#deadlines.next();
  }

  /**
   * Runs the timers due at `now`, until {@link MAX_PROBED} of them have sent a probe or
   * retransmission. If more are due, {@link Connections.nextTimeout} is not after `now`. A connection
   * that is due again at once has to wait until the others, and the event loop, have had a turn.
   */
  handleTimeout(now: number): void {
    let probed = 0;
    for (let left = this.#deadlines.count; left > 0 && probed < MAX_PROBED; left--) {
      const tcb = this.#deadlines.takeDue(now);
      if (tcb === undefined) return;
      if (this.apply(handleTimeouts, tcb, now)) probed++;
    }
  }

  get counts(): Readonly<TcpCounts> {
    return this.#options.environment.counts;
  }

  /** Number of connections with a deadline. */
  get timerCount(): number {
    return this.#deadlines.count;
  }

  #settle(tcb: Tcb): void {
    if (tcb.listener !== undefined) this.#settleListener(tcb, tcb.listener as Listener);
    if (tcb.events !== 0) this.#queueEvents(tcb);
    if (tcb.has(RELEASED)) {
      this.#forget(tcb);
      return;
    }
    if (isWithoutOwner(tcb)) this.#boundTimeWait(tcb);
    this.#deadlines.update(tcb);
    if (!tcb.has(IN_OUTPUT_QUEUE)) {
      tcb.set(IN_OUTPUT_QUEUE);
      this.#output.push(tcb);
    }
  }

  #queueEvents(tcb: Tcb): void {
    if (tcb.has(IN_EVENT_QUEUE)) return;
    tcb.set(IN_EVENT_QUEUE);
    this.#events.push(tcb);
  }

  /** Queues a listener whose owner has to be notified. */
  notify(listener: Listener): void {
    if (listener.inNotificationQueue) return;
    listener.inNotificationQueue = true;
    this.#listenerEvents.push(listener);
  }

  /** A connection belongs to its listener until the application accepts it. */
  #settleListener(tcb: Tcb, listener: Listener): void {
    if (tcb.has(RELEASED)) {
      // A connection that was established is accepted even if it has ended since: the application
      // can read the data received, and then learns how it ended.
      if (!listener.leave(tcb)) return;
      tcb.listener = undefined;
      this.notify(listener);
    } else if ((tcb.events & TCB_EVENT.OPENED) !== 0 && listener.leave(tcb)) {
      this.#options.stats.connectionsAccepted++;
      listener.addReady(tcb);
      this.notify(listener);
    }
  }

  #boundTimeWait(tcb: Tcb): void {
    this.#timeWait.add(tcb);
    if (this.#timeWait.size <= this.#options.maxTimeWait) return;
    const [oldest] = this.#timeWait;
    this.apply(endConnection, oldest!, undefined);
  }

  #forget(tcb: Tcb): void {
    this.#deadlines.remove(tcb);
    if (!this.eventLogs.isEmpty) this.eventLogs.forget(tcb);
    if (!tcb.has(IN_TABLES)) return;
    tcb.clear(IN_TABLES);
    this.#timeWait.delete(tcb);
    this.#options.peers?.forget(tcb);
    this.#options.demux.connections.remove(tcb);
    this.#options.stats.connectionsEnded++;
    if (tcb.error === "CONNECTION_RESET") this.#options.stats.connectionsReset++;
  }
}
