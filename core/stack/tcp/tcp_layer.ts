/**
 * TCP of a stack: segments in and out, and the user calls of RFC 9293 3.10.
 *
 * @module
 */
import type { OutgoingPacket } from "../../buffers/outgoing_packet.ts";
import { acceptSyn } from "../../tcp/arrive/listen.ts";
import { endConnection } from "../../tcp/close_connection.ts";
import type { KeyedHash } from "../../tcp/isn.ts";
import { nextSegment } from "../../tcp/output.ts";
import type { Tcb } from "../../tcp/tcb.ts";
import { TCB } from "../../tcp/tcb_flags.ts";
import { isWithoutOwner } from "../../tcp/timers/time_wait.ts";
import { handleTimeouts } from "../../tcp/timers/timeouts.ts";
import * as calls from "../../tcp/user_calls.ts";
import type { DropReason } from "../../wire/drop_reason.ts";
import type { IpHeader } from "../../wire/ip.ts";
import type { Demux } from "../demux.ts";
import type { OwnAddresses } from "../ip/own_addresses.ts";
import type { ChecksumState } from "../link.ts";
import type { BindRefusal, ConnectRequest, ListenRequest, SynVerdict } from "../requests.ts";
import type { Sharding } from "../sharding/shard.ts";
import type { Stats } from "../stats.ts";
import type { Connections } from "./connections.ts";
import { Listener } from "./listener.ts";
import { PassiveOpen } from "./passive_open.ts";
import { TcpInput, type TcpTables } from "./tcp_input.ts";

/**
 * Maximum number of connections that send a probe or retransmission in one turn. If 100,000 did so
 * at once, the replies would overflow any device's queue, and connections whose replies are lost
 * would seem dead.
 */
const MAX_PROBED = 128;

/** All connections and listeners of a stack. */
export class TcpLayer {
  readonly #own: OwnAddresses;
  readonly #hash: KeyedHash;
  readonly #demux: Demux;
  readonly #connections: Connections;
  readonly #sharding: Sharding;
  readonly #stats: Stats;
  readonly #input: TcpInput;

  constructor(tables: TcpTables, hash: KeyedHash) {
    const { own, demux, connections, transmitQueue, sharding, stats } = tables;
    this.#own = own;
    this.#hash = hash;
    this.#demux = demux;
    this.#connections = connections;
    this.#sharding = sharding;
    this.#stats = stats;
    this.#input = new TcpInput(tables, new PassiveOpen(connections, transmitQueue, stats, hash));
  }

  // ---------------------------------------------------------------- packets

  /** Processes a received segment; `packet` may be reused afterwards. */
  receive(
    ip: IpHeader,
    packet: Uint8Array,
    checksum: ChecksumState,
    segmentSize: number,
    now: number,
  ): DropReason | undefined {
    return this.#input.receive(ip, packet, checksum, segmentSize, now);
  }

  /** Writes the next segment to send to `out`; returns false if there is none. */
  pollTransmit(out: OutgoingPacket, now: number): boolean {
    for (;;) {
      const tcb = this.#connections.output.shift();
      if (tcb === undefined) return false;
      tcb.clear(TCB.IN_OUTPUT_QUEUE);
      if (nextSegment(tcb, now, out)) {
        // Back to the end of the queue, so that connections take turns.
        this.#connections.settle(tcb);
        return true;
      }
      if (!tcb.has(TCB.RELEASED)) this.#connections.deadlines.update(tcb);
    }
  }

  // ---------------------------------------------------------------- events

  /** Removes the next connection with events from the queue. */
  pollConnection(): Tcb | undefined {
    const tcb = this.#connections.events.shift();
    if (tcb !== undefined) tcb.clear(TCB.IN_EVENT_QUEUE);
    return tcb;
  }

  /** Removes the next listener with connections in `ready` or `undecided` from the queue. */
  pollListener(): Listener | undefined {
    const listener = this.#connections.listenerEvents.shift();
    if (listener !== undefined) listener.inEventQueue = false;
    return listener;
  }

  /** Has {@link TcpLayer.pollListener} return a listener whose owner has left something for later. */
  notifyLater(listener: Listener): void {
    this.#connections.notify(listener);
  }

  // ---------------------------------------------------------------- time

  /** When {@link TcpLayer.handleTimeout} has to be called; may be too early. */
  nextTimeout(): number {
    return this.#connections.deadlines.next();
  }

  /**
   * Runs the timers due at `now`, until {@link MAX_PROBED} of them have sent a probe or
   * retransmission. If more are due, {@link TcpLayer.nextTimeout} is not after `now`. A connection
   * that is due again at once has to wait until the others, and the event loop, have had a turn.
   */
  handleTimeout(now: number): void {
    const { deadlines } = this.#connections;
    let probed = 0;
    for (let left = deadlines.count; left > 0 && probed < MAX_PROBED; left--) {
      const tcb = deadlines.takeDue(now);
      if (tcb === undefined) return;
      if (handleTimeouts(tcb, now)) probed++;
      this.#connections.settle(tcb);
    }
  }

  // ---------------------------------------------------------------- calls

  /** LISTEN. */
  listen(request: ListenRequest): Listener | BindRefusal {
    const { subnet, firstPort } = request;
    if (subnet !== undefined && !this.#own.overlaps(subnet)) return "ADDRESS_NOT_AVAILABLE";
    const listeners = this.#demux.listeners;
    if (firstPort > 0) return this.#bind(new Listener(request));
    const port = this.#connections.freePort(0, (candidate) => !listeners.hasPort(candidate));
    if (port === undefined) return "ADDRESS_NOT_AVAILABLE";
    return this.#bind(new Listener({ ...request, firstPort: port, lastPort: port }));
  }

  #bind(listener: Listener): Listener | BindRefusal {
    return this.#demux.listeners.add(listener, listener) ? listener : "ADDRESS_IN_USE";
  }

  /** Stops listening; connections that were not accepted are reset. */
  closeListener(listener: Listener): void {
    this.#demux.listeners.remove(listener);
    for (const tcb of [...listener.halfOpen, ...listener.ready]) {
      tcb.listener = undefined;
      calls.abort(tcb, "CONNECTION_ABORTED");
      this.#connections.settle(tcb);
    }
    listener.clear();
  }

  /** Applies the decision about a SYN. */
  decide(tcb: Tcb, verdict: SynVerdict): void {
    if (!tcb.has(TCB.SYN_UNDECIDED) || tcb.has(TCB.RELEASED)) return;
    if (verdict === "accept") {
      acceptSyn(tcb);
    } else if (verdict === "refuse") {
      // RFC 9293 3.10.7.1: answered with RST, as in state CLOSED.
      tcb.clear(TCB.SYN_UNDECIDED);
      calls.abort(tcb, "CONNECTION_ABORTED");
    } else {
      this.#stats.drop("tcp-syn-ignored");
      endConnection(tcb, "CONNECTION_ABORTED");
    }
    this.#connections.settle(tcb);
  }

  /** OPEN, active. */
  connect(request: ConnectRequest, now: number): Tcb | BindRefusal {
    const { remote, remotePort } = request;
    if (!this.#own.isUnicast(remote) || remotePort === 0) return "INVALID_ADDRESS";
    const local = request.local ?? this.#own.sourceFor(remote);
    if (local === undefined || local.isV4 !== remote.isV4 || !this.#own.has(local)) {
      return "ADDRESS_NOT_AVAILABLE";
    }
    if (this.#connections.isFull) return "ADDRESS_NOT_AVAILABLE";
    const isFree = (port: number) =>
      this.#demux.connections.get(local, port, remote, remotePort) === undefined;
    const isOurs = (port: number) => this.#sharding.isOurs(local, port, remote, remotePort);
    const offset = this.#hash.connection(local, 0, remote, remotePort);
    const localPort = request.localPort > 0
      ? request.localPort
      : this.#connections.freePort(offset, (port) => isOurs(port) && isFree(port));
    if (localPort === undefined || !isOurs(localPort)) return "ADDRESS_NOT_AVAILABLE";
    if (!isFree(localPort)) return "ADDRESS_IN_USE";
    const tcb = this.#connections.create(local, localPort, remote, remotePort);
    this.#connections.enter(tcb);
    calls.openActive(tcb, this.#connections.initialSequence(tcb, now), now);
    this.#connections.settle(tcb);
    return tcb;
  }

  /** SEND: takes as many bytes from `from` on as fit; returns their number. */
  send(tcb: Tcb, bytes: Uint8Array, from: number, now: number): number {
    const taken = calls.sendText(tcb, bytes, from, now);
    this.#connections.settle(tcb);
    return taken;
  }

  /** RECEIVE: copies the bytes available; returns their number. */
  read(tcb: Tcb, target: Uint8Array, now: number): number {
    const count = calls.receiveText(tcb, target, now);
    this.#connections.settle(tcb);
    return count;
  }

  /** RECEIVE without a copy: releases `count` bytes of `tcb.receive.view()`. */
  consume(tcb: Tcb, count: number, now: number): void {
    calls.consumeText(tcb, count, now);
    this.#connections.settle(tcb);
  }

  /** Acknowledges everything read so far as processed. */
  markProcessed(tcb: Tcb, now: number): void {
    calls.markProcessed(tcb, now);
    this.#connections.settle(tcb);
  }

  closeWrite(tcb: Tcb): void {
    calls.closeWrite(tcb);
    this.#connections.settle(tcb);
  }

  close(tcb: Tcb, now: number): void {
    calls.close(tcb, now);
    this.#connections.settle(tcb);
  }

  abort(tcb: Tcb): void {
    calls.abort(tcb, "CONNECTION_ABORTED");
    this.#connections.settle(tcb);
  }

  /** Turns Nagle's algorithm off or on (RFC 9293 3.7.4); turning it off sends the data it held. */
  setNoDelay(tcb: Tcb, on: boolean): void {
    tcb.set(TCB.NO_DELAY, on);
    this.#connections.settle(tcb);
  }

  /** How long close() waits for delivery; 0 sends RST at once, `undefined` waits without limit. */
  setLinger(tcb: Tcb, ms: number | undefined): void {
    calls.setLinger(tcb, ms);
  }

  /** Turns corking on or off: while it is on, only full segments are sent. */
  setCork(tcb: Tcb, on: boolean): void {
    calls.setCork(tcb, on);
    this.#connections.settle(tcb);
  }

  /** Sets how long data may stay unacknowledged (RFC 5482). */
  setUserTimeout(tcb: Tcb, ms: number): void {
    calls.setUserTimeout(tcb, ms);
  }

  /** Turns keep-alive probes on or off (RFC 9293 3.8.4). */
  setKeepAlive(tcb: Tcb, on: boolean, now: number): void {
    calls.setKeepAlive(tcb, on, now);
    this.#connections.settle(tcb);
  }

  /** Ends the connections whose local address is no longer own, without sending anything. */
  endWithoutAddress(): void {
    for (const tcb of this.#demux.connections.all()) {
      if (this.#own.has(tcb.local)) continue;
      endConnection(tcb, "ADDRESS_NOT_AVAILABLE");
      this.#connections.settle(tcb);
    }
  }

  /** Resets all connections and closes all listeners. */
  shutDown(): void {
    for (const listener of this.#demux.listeners.values()) this.closeListener(listener);
    for (const tcb of this.#demux.connections.all()) {
      // A RST would tell a peer that has received everything that data is missing.
      if (isWithoutOwner(tcb)) {
        endConnection(tcb, tcb.has(TCB.READ_CLOSED) ? undefined : "STACK_CLOSED");
      } else calls.abort(tcb, "STACK_CLOSED");
      this.#connections.settle(tcb);
    }
  }

  /** Every connection in the tables. */
  connections(): Tcb[] {
    return this.#demux.connections.all();
  }

  get connectionCount(): number {
    return this.#demux.connections.count;
  }

  /** Connections with a deadline. */
  get timerCount(): number {
    return this.#connections.deadlines.count;
  }
}
