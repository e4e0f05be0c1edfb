/**
 * The tables and queues of a stack's connections: lookup, output, events and deadlines.
 *
 * @module
 */
import { Queue } from "../../buffers/queue.ts";
import { endConnection } from "../../tcp/close_connection.ts";
import type { TcpConfig } from "../../tcp/config.ts";
import { initialSequence, type KeyedHash } from "../../tcp/isn.ts";
import { Tcb, TCB_EVENT, type TcpEnvironment } from "../../tcp/tcb.ts";
import { TCB } from "../../tcp/tcb_flags.ts";
import { isWithoutOwner } from "../../tcp/timers/time_wait.ts";
import type { IpAddress } from "../../wire/address.ts";
import { DeadlineHeap } from "../deadline_heap.ts";
import type { Demux } from "../demux.ts";
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
 * The connections of a stack. After every change of a connection, {@link Connections.settle}
 * updates the tables and queues.
 */
export class Connections {
  readonly deadlines: DeadlineHeap<Tcb> = new DeadlineHeap();
  /** Connections that may have segments to send. */
  readonly output: Queue<Tcb> = new Queue();
  /** Connections and listeners whose owners have to be notified. */
  readonly events: Queue<Tcb> = new Queue();
  readonly listenerEvents: Queue<Listener> = new Queue();
  readonly #options: ConnectionsOptions;
  readonly #timeWait = new Set<Tcb>();
  #portCounter: number;

  constructor(options: ConnectionsOptions) {
    this.#options = options;
    this.#portCounter = options.firstPort;
  }

  get isFull(): boolean {
    return this.#options.demux.connections.count >= this.#options.maxConnections;
  }

  /** Creates a connection that is not in the tables yet. */
  create(local: IpAddress, localPort: number, remote: IpAddress, remotePort: number): Tcb {
    const { tcp, environment, hash } = this.#options;
    const tcb = new Tcb(tcp, environment, local, localPort, remote, remotePort);
    tcb.tsOffset = hash.connection(remote, remotePort, local, localPort);
    return tcb;
  }

  /** Enters a connection into the tables, so that segments reach it. */
  enter(tcb: Tcb): void {
    tcb.set(TCB.IN_TABLES);
    this.#options.demux.connections.add(tcb);
    this.#options.stats.connectionsOpened++;
  }

  initialSequence({ local, localPort, remote, remotePort }: Tcb, now: number): number {
    return initialSequence(this.#options.hash, local, localPort, remote, remotePort, now);
  }

  /** Chooses an ephemeral port (RFC 6056); `offset` is a hash of the destination. */
  freePort(offset: number, isFree: (port: number) => boolean): number | undefined {
    return choosePort(offset, this.#portCounter++, isFree);
  }

  /** Updates tables, queues and deadlines after a change of the connection. */
  settle(tcb: Tcb): void {
    if (tcb.listener !== undefined) this.#settleListener(tcb, tcb.listener as Listener);
    if (tcb.events !== 0 && !tcb.has(TCB.IN_EVENT_QUEUE)) {
      tcb.set(TCB.IN_EVENT_QUEUE);
      this.events.push(tcb);
    }
    if (tcb.has(TCB.RELEASED)) {
      this.#forget(tcb);
      return;
    }
    if (isWithoutOwner(tcb)) this.#boundTimeWait(tcb);
    this.deadlines.update(tcb);
    if (!tcb.has(TCB.IN_OUTPUT_QUEUE)) {
      tcb.set(TCB.IN_OUTPUT_QUEUE);
      this.output.push(tcb);
    }
  }

  /** Queues a listener whose owner has to be notified. */
  notify(listener: Listener): void {
    if (listener.inEventQueue) return;
    listener.inEventQueue = true;
    this.listenerEvents.push(listener);
  }

  /** A connection belongs to its listener until the application accepts it. */
  #settleListener(tcb: Tcb, listener: Listener): void {
    if (tcb.has(TCB.RELEASED)) {
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
    endConnection(oldest!, undefined);
    this.settle(oldest!);
  }

  #forget(tcb: Tcb): void {
    this.deadlines.remove(tcb);
    if (!tcb.has(TCB.IN_TABLES)) return;
    tcb.clear(TCB.IN_TABLES);
    this.#timeWait.delete(tcb);
    this.#options.demux.connections.remove(tcb);
    this.#options.stats.connectionsEnded++;
    if (tcb.error === "CONNECTION_RESET") this.#options.stats.connectionsReset++;
  }
}
