/**
 * The event logs of a stack's connections: the recorders, the readers with new events, and the requests for logs of
 * connections that do not exist yet.
 *
 * @module
 */
import { Queue } from "../../buffers/queue.ts";
import { EventQueue } from "../../tcp/event_log/event_queue.ts";
import { EventRecorder } from "../../tcp/event_log/recorder.ts";
import type { Tcb } from "../../tcp/tcb.ts";
import type { Subnet } from "../../wire/address.ts";
import type { Segment } from "../../wire/tcp.ts";

/** The event log of a connection for one reader: the recorder, and the queue of the reader's events. */
export interface EventLogSource {
  readonly recorder: EventRecorder;
  readonly queue: EventQueue;
}

/** A request for the log of the next connection that a peer opens. */
export class EventLogRequest {
  /** The local port; `undefined`: any. */
  readonly port: number | undefined;
  /** The peers; `undefined`: any. */
  readonly remote: Subnet | undefined;
  /** Maximum number of unread events. */
  readonly limit: number;
  /** The owner's object; opaque to the core. */
  handle: unknown = undefined;
  /** The connection, once there is one. */
  opened: { readonly tcb: Tcb; readonly source: EventLogSource } | undefined = undefined;

  constructor(port: number | undefined, remote: Subnet | undefined, limit: number) {
    this.port = port;
    this.remote = remote;
    this.limit = limit;
  }

  /** Whether a connection is one that was asked for. */
  matches({ localPort, remote }: Tcb): boolean {
    return (this.port === undefined || this.port === localPort) &&
      (this.remote?.contains(remote) ?? true);
  }
}

/** Something whose owner has to be notified. */
export type EventLogEvent = EventQueue | EventLogRequest;

/** All event logs of a stack. */
export class EventLogs {
  readonly #recorders = new Map<Tcb, EventRecorder>();
  readonly #requests = new Set<EventLogRequest>();
  readonly #events = new Queue<EventLogEvent>();

  /** Whether no connection has a log. Without one, logging costs a connection only this check. */
  get isEmpty(): boolean {
    return this.#recorders.size === 0;
  }

  /** The recorder of a connection. */
  recorderOf(tcb: Tcb): EventRecorder | undefined {
    return this.#recorders.get(tcb);
  }

  /** Starts a log, with at most `limit` unread events. */
  open(tcb: Tcb, limit: number, now: number): EventLogSource {
    const recorder = this.#recorders.get(tcb) ??
      new EventRecorder(tcb, (queue) => this.#notify(queue));
    if (!recorder.hasEnded) this.#recorders.set(tcb, recorder);
    return { recorder, queue: recorder.open(limit, now) };
  }

  /** Ends a log. */
  close(tcb: Tcb, { recorder, queue }: EventLogSource, now: number): void {
    if (recorder.close(queue, now)) this.#recorders.delete(tcb);
  }

  /** The connection has been released. */
  forget(tcb: Tcb): void {
    const recorder = this.#recorders.get(tcb);
    if (recorder === undefined) return;
    this.#recorders.delete(tcb);
    recorder.wakeReaders();
  }

  /** Adds a request. */
  request(request: EventLogRequest): void {
    this.#requests.add(request);
  }

  /** Withdraws a request. */
  withdraw(request: EventLogRequest): void {
    this.#requests.delete(request);
  }

  /**
   * A peer opens a connection: starts the logs that were asked for. `syn` has been processed; absent after a SYN
   * cookie, whose SYN left no connection.
   */
  connectionOpens(tcb: Tcb, syn: Segment | undefined, now: number): void {
    if (this.#requests.size === 0) return;
    for (const request of this.#requests) {
      if (!request.matches(tcb)) continue;
      this.#requests.delete(request);
      request.opened = { tcb, source: this.open(tcb, request.limit, now) };
      this.#events.push(request);
    }
    if (syn !== undefined) this.#recorders.get(tcb)?.openedBy(syn, now);
  }

  /** Removes the next log with new events, or request with a log. */
  poll(): EventLogEvent | undefined {
    const event = this.#events.shift();
    if (event instanceof EventQueue) event.isNotified = false;
    return event;
  }

  #notify(queue: EventQueue): void {
    if (queue.isNotified) return;
    queue.isNotified = true;
    this.#events.push(queue);
  }
}
