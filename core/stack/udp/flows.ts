/**
 * The table of a stack's UDP flows, with idle timeouts and eviction.
 *
 * @module
 */
import { type Source, Sources } from "../../buffers/sources.ts";
import type { UdpConfig } from "../../udp/config.ts";
import type { QueueMemory } from "../../udp/datagram.ts";
import type { NotificationQueue } from "../../udp/notification_queue.ts";
import { Flow, type FlowEnd, type FlowPort } from "../../udp/flow.ts";
import type { IpAddress } from "../../wire/address.ts";
import { DeadlineHeap } from "../deadline_heap.ts";
import { EndpointTable } from "../endpoint_table.ts";
import type { Stats } from "../stats.ts";

/** A source with up to this many flows is not singled out for eviction. */
const MIN_PER_SOURCE = 64;
/** Maximum number of flows of a source that are examined to find one to evict. */
const EVICTION_CANDIDATES = 16;

/** State shared with the rest of UDP. */
export interface FlowsOptions {
  readonly config: UdpConfig;
  readonly memory: QueueMemory;
  readonly events: NotificationQueue;
  readonly stats: Stats;
  /** Keeps peers from predicting hash collisions. */
  readonly seed: number;
}

/** All flows of a stack. */
export class Flows {
  readonly table: EndpointTable<Flow>;
  readonly #options: FlowsOptions;
  readonly #deadlines: DeadlineHeap<Flow> = new DeadlineHeap();
  readonly #sources: Sources<Flow> = new Sources(MIN_PER_SOURCE);

  constructor(options: FlowsOptions) {
    this.#options = options;
    this.table = new EndpointTable(options.seed);
  }

  /** Creates a flow that is not in the table yet. */
  create(
    port: FlowPort,
    local: IpAddress,
    localPort: number,
    remote: IpAddress,
    remotePort: number,
    now: number,
  ): Flow {
    const { memory, config } = this.#options;
    const { flowIdleMs } = config;
    const source = this.#sources.of(remote);
    const flow = new Flow(port, memory, flowIdleMs, local, localPort, remote, remotePort, source);
    flow.touch(now);
    return flow;
  }

  /** Enters a flow into the table and notifies the owner of its port. */
  enter(flow: Flow): void {
    const { config, stats, events } = this.#options;
    if (this.table.count >= config.maxFlows) this.#evict();
    this.table.add(flow);
    this.#sources.add(flow, flow.source);
    this.#deadlines.update(flow);
    stats.flowsOpened++;
    flow.port.fresh.push(flow);
    events.push(flow.port);
  }

  /**
   * Evicts a flow of the source with the most flows or, if no source has many, the flow that would
   * time out first. So neither a client with many ports nor one with many addresses can crowd out
   * others.
   */
  #evict(): void {
    const largest = this.#sources.largest();
    if (largest !== undefined) {
      this.#options.stats.flowsEvicted++;
      return this.end(this.#quietOf(largest), "evicted");
    }
    for (;;) {
      const flow = this.#deadlines.takeDue(Infinity)!;
      // Its key in the heap may be older than its last datagram.
      if (flow.earliestTimer <= this.#deadlines.next()) {
        this.#options.stats.flowsEvicted++;
        return this.end(flow, "evicted");
      }
      this.#deadlines.update(flow);
    }
  }

  /**
   * The oldest flow without a datagram since it was last examined; flows with datagrams move to the
   * end.
   */
  #quietOf({ items }: Source<Flow>): Flow {
    for (let looked = 1;; looked++) {
      const [flow] = items;
      if (flow!.earliestTimer === this.#deadlines.keyOf(flow!) || looked === EVICTION_CANDIDATES) {
        return flow!;
      }
      this.#deadlines.remove(flow!);
      this.#deadlines.update(flow!);
      items.delete(flow!);
      items.add(flow!);
    }
  }

  /** Ends a flow; datagrams already queued can still be read. */
  end(flow: Flow, end: FlowEnd): void {
    if (flow.end !== undefined) return;
    flow.end = end;
    this.#deadlines.remove(flow);
    this.table.remove(flow);
    this.#sources.delete(flow);
    this.#options.stats.flowsEnded++;
    this.#options.events.push(flow);
  }

  /** Ends a flow and drops its unread datagrams. */
  close(flow: Flow): void {
    this.end(flow, "closed");
    this.#options.stats.drop("udp-unread", flow.queue.clear());
  }

  /**
   * Ends a flow whose handler has returned. Unread datagrams open a new flow, so that a handler may
   * read a single datagram and return.
   */
  finish(flow: Flow, now: number): void {
    const hasMore = flow.end === undefined && !flow.port.closed && flow.queue.count > 0;
    this.end(flow, "closed");
    if (!hasMore) return this.close(flow);
    const { port, local, localPort, remote, remotePort } = flow;
    const next = this.create(port, local, localPort, remote, remotePort, now);
    next.opening = flow.opening;
    for (let one = flow.queue.shift(); one !== undefined; one = flow.queue.shift()) {
      next.queue.push(one);
    }
    this.enter(next);
  }

  /** Sets the idle timeout and restarts it. */
  setIdleTimeout(flow: Flow, ms: number, now: number): void {
    flow.idleMs = ms;
    flow.touch(now);
    if (flow.end === undefined) this.#deadlines.update(flow);
  }

  /** When {@link Flows.handleTimeout} has to be called; may be too early. */
  nextTimeout(): number {
    return this.#deadlines.next();
  }

  /** Ends the flows whose idle timeout has expired. */
  handleTimeout(now: number): void {
    for (;;) {
      const flow = this.#deadlines.takeDue(now);
      if (flow === undefined) return;
      if (flow.earliestTimer > now) this.#deadlines.update(flow);
      else this.end(flow, "idle");
    }
  }
}
