/**
 * The tables of a stack: where its connections are found, what is to be sent, who is to be told,
 * what is due.
 *
 * @module
 */
import { Queue } from "../../buffers/queue.ts";
import { endConnection } from "../../tcp/close_connection.ts";
import type { TcpConfig } from "../../tcp/config.ts";
import { initialSequence, type KeyedHash } from "../../tcp/isn.ts";
import { Tcb, TCB_EVENT, type TcpEnvironment } from "../../tcp/tcb.ts";
import { isWithoutOwner } from "../../tcp/timers/time_wait.ts";
import type { IpAddress } from "../../wire/address.ts";
import { DeadlineHeap } from "../deadline_heap.ts";
import type { Demux } from "../demux.ts";
import { choosePort } from "../ports.ts";
import type { Stats } from "../stats.ts";
import type { Listener } from "./listener.ts";

/** What the tables are made of. */
export interface ConnectionsOptions {
  readonly demux: Demux;
  readonly hash: KeyedHash;
  readonly stats: Stats;
  readonly environment: TcpEnvironment;
  readonly tcp: TcpConfig;
  /** Connections at the same time, at most. */
  readonly maxConnections: number;
  /** Of these in TIME-WAIT, or closed and in FIN-WAIT-2, at most; the oldest goes first. */
  readonly maxTimeWait: number;
  /** Where the counter of ephemeral ports begins. */
  readonly firstPort: number;
}

/** After every change of a connection {@link Connections.settle} brings the tables up to date. */
export class Connections {
  readonly deadlines: DeadlineHeap<Tcb> = new DeadlineHeap();
  /** Connections that may have something to send. */
  readonly output: Queue<Tcb> = new Queue();
  /** Connections and listeners whose owners have something to look at. */
  readonly events: Queue<Tcb> = new Queue();
  readonly listenerNews: Queue<Listener> = new Queue();
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

  /** A connection that is in no table yet. */
  create(local: IpAddress, localPort: number, remote: IpAddress, remotePort: number): Tcb {
    const { tcp, environment, hash } = this.#options;
    const tcb = new Tcb(tcp, environment, local, localPort, remote, remotePort);
    tcb.tsOffset = hash.connection(remote, remotePort, local, localPort);
    return tcb;
  }

  /** From now on its segments reach it. */
  enter(tcb: Tcb): void {
    tcb.inTables = true;
    this.#options.demux.connections.add(tcb);
    this.#options.stats.connectionsOpened++;
  }

  initialSequence({ local, localPort, remote, remotePort }: Tcb, now: number): number {
    return initialSequence(this.#options.hash, local, localPort, remote, remotePort, now);
  }

  /** An ephemeral port (RFC 6056); `offset` differs from destination to destination. */
  freePort(offset: number, isFree: (port: number) => boolean): number | undefined {
    return choosePort(offset, this.#portCounter++, isFree);
  }

  /** Something of the connection has changed: tables, queues and deadlines follow. */
  settle(tcb: Tcb): void {
    if (tcb.listener !== undefined) this.#settleListener(tcb, tcb.listener as Listener);
    if (tcb.events !== 0 && !tcb.inEventQueue) {
      tcb.inEventQueue = true;
      this.events.push(tcb);
    }
    if (tcb.released) {
      this.#forget(tcb);
      return;
    }
    if (isWithoutOwner(tcb)) this.#boundTimeWait(tcb);
    this.deadlines.update(tcb);
    if (!tcb.inOutputQueue) {
      tcb.inOutputQueue = true;
      this.output.push(tcb);
    }
  }

  /** A listener's owner has something to look at. */
  notify(listener: Listener): void {
    if (listener.inEventQueue) return;
    listener.inEventQueue = true;
    this.listenerNews.push(listener);
  }

  /** A connection is its listener's until the application takes it. */
  #settleListener(tcb: Tcb, listener: Listener): void {
    if (tcb.released) {
      // One that was established is handed out, whatever became of it: what the peer has sent may
      // be read, and then the application learns how it ended.
      if (!listener.leave(tcb)) return;
      tcb.listener = undefined;
      this.notify(listener);
    } else if ((tcb.events & TCB_EVENT.OPENED) !== 0 && listener.leave(tcb)) {
      this.#options.stats.connectionsAccepted++;
      listener.ready.push(tcb);
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
    if (!tcb.inTables) return;
    tcb.inTables = false;
    this.#timeWait.delete(tcb);
    this.#options.demux.connections.remove(tcb);
    this.#options.stats.connectionsEnded++;
    if (tcb.error === "CONNECTION_RESET") this.#options.stats.connectionsReset++;
  }
}
