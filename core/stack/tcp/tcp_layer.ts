/**
 * TCP of a stack: segments in and out, and the calls of RFC 9293 3.10.
 *
 * @module
 */
import type { OutgoingPacket } from "../../buffers/outgoing_packet.ts";
import { acceptSyn } from "../../tcp/arrive/listen.ts";
import { endConnection } from "../../tcp/close_connection.ts";
import type { KeyedHash } from "../../tcp/isn.ts";
import { nextSegment } from "../../tcp/output.ts";
import type { Tcb } from "../../tcp/tcb.ts";
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
 * Peers that are sent probes and retransmissions before they are heard: the answers to 100,000 at once
 * would not fit into the queue of any device, and who is not heard is taken for dead.
 */
const MAX_ASKED = 128;

/** All connections and listeners. */
export class TcpLayer {
  readonly #own: OwnAddresses;
  readonly #hash: KeyedHash;
  readonly #demux: Demux;
  readonly #connections: Connections;
  readonly #sharding: Sharding;
  readonly #stats: Stats;
  readonly #input: TcpInput;

  constructor(tables: TcpTables, hash: KeyedHash) {
    const { own, demux, connections, outbox, sharding, stats } = tables;
    this.#own = own;
    this.#hash = hash;
    this.#demux = demux;
    this.#connections = connections;
    this.#sharding = sharding;
    this.#stats = stats;
    this.#input = new TcpInput(tables, new PassiveOpen(connections, outbox, stats, hash));
  }

  // ---------------------------------------------------------------- packets

  /** Takes a segment in; nothing of `packet` is kept. */
  receive(
    ip: IpHeader,
    packet: Uint8Array,
    checksum: ChecksumState,
    segmentSize: number,
    now: number,
  ): DropReason | undefined {
    return this.#input.receive(ip, packet, checksum, segmentSize, now);
  }

  /** Writes the next segment to `out`; false: there is none now. */
  pollTransmit(out: OutgoingPacket, now: number): boolean {
    for (;;) {
      const tcb = this.#connections.output.shift();
      if (tcb === undefined) return false;
      tcb.inOutputQueue = false;
      if (nextSegment(tcb, now, out)) {
        // It goes to the end of the queue: connections take turns.
        this.#connections.settle(tcb);
        return true;
      }
      if (!tcb.released) this.#connections.deadlines.update(tcb);
    }
  }

  // ---------------------------------------------------------------- events

  /** The next connection that something has happened to; its `events` say what. */
  pollConnection(): Tcb | undefined {
    const tcb = this.#connections.events.shift();
    if (tcb !== undefined) tcb.inEventQueue = false;
    return tcb;
  }

  /** The next listener with something in `ready` or `undecided`. */
  pollListener(): Listener | undefined {
    const listener = this.#connections.listenerNews.shift();
    if (listener !== undefined) listener.inEventQueue = false;
    return listener;
  }

  // ---------------------------------------------------------------- time

  /** When {@link TcpLayer.handleTimeout} has to be called; may be too early. */
  nextTimeout(): number {
    return this.#connections.deadlines.next();
  }

  /**
   * Does what is due at `now`, until {@link MAX_ASKED} peers are to answer: when there is more,
   * {@link TcpLayer.nextTimeout} is not after `now`. A connection that is due again at once has its
   * next turn when the others have had theirs, after what else waits for the event loop.
   */
  handleTimeout(now: number): void {
    const { deadlines } = this.#connections;
    let asked = 0;
    for (let left = deadlines.count; left > 0 && asked < MAX_ASKED; left--) {
      const tcb = deadlines.takeDue(now);
      if (tcb === undefined) return;
      if (handleTimeouts(tcb, now)) asked++;
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

  /** The decision about a SYN: SYN,ACK, RST, or nothing is sent and kept. */
  decide(tcb: Tcb, verdict: SynVerdict): void {
    if (tcb.synDecision !== "pending" || tcb.released) return;
    if (verdict === "accept") {
      acceptSyn(tcb);
    } else if (verdict === "refuse") {
      // RFC 9293 3.10.7.1: the answer to a SYN that nobody wants.
      tcb.synDecision = "none";
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

  /** SEND: takes what there is room for from `from` on; returns how much. */
  send(tcb: Tcb, bytes: Uint8Array, from: number, now: number): number {
    const taken = calls.sendText(tcb, bytes, from, now);
    this.#connections.settle(tcb);
    return taken;
  }

  /** RECEIVE: copies what is there; returns how much. */
  read(tcb: Tcb, target: Uint8Array, now: number): number {
    const count = calls.receiveText(tcb, target, now);
    this.#connections.settle(tcb);
    return count;
  }

  /** RECEIVE without a copy: `count` bytes of `tcb.receive.view()` have been dealt with. */
  consume(tcb: Tcb, count: number, now: number): void {
    calls.consumeText(tcb, count, now);
    this.#connections.settle(tcb);
  }

  /** Everything read so far has been dealt with. */
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

  /** Turns Nagle's algorithm off or on (RFC 9293 3.7.4); what it held goes when it is off. */
  setNoDelay(tcb: Tcb, on: boolean): void {
    tcb.noDelay = on;
    this.#connections.settle(tcb);
  }

  /** How long close() waits: 0 is a RST at once, `undefined` without end. */
  setLinger(tcb: Tcb, ms: number | undefined): void {
    calls.setLinger(tcb, ms);
  }

  /** Only full segments leave while it is on. */
  setCork(tcb: Tcb, on: boolean): void {
    calls.setCork(tcb, on);
    this.#connections.settle(tcb);
  }

  /** How long the peer may say nothing (RFC 5482). */
  setUserTimeout(tcb: Tcb, ms: number): void {
    calls.setUserTimeout(tcb, ms);
  }

  /** Turns keep-alive probes on or off (RFC 9293 3.8.4). */
  setKeepAlive(tcb: Tcb, on: boolean, now: number): void {
    calls.setKeepAlive(tcb, on, now);
    this.#connections.settle(tcb);
  }

  /** Ends the connections of addresses that are not own ones any more; nothing is sent. */
  endForeign(): void {
    for (const tcb of this.#demux.connections.all()) {
      if (this.#own.has(tcb.local)) continue;
      endConnection(tcb, "ADDRESS_NOT_AVAILABLE");
      this.#connections.settle(tcb);
    }
  }

  /** Resets every connection and forgets every listener. */
  shutDown(): void {
    for (const listener of this.#demux.listeners.values()) this.closeListener(listener);
    for (const tcb of this.#demux.connections.all()) {
      // To a peer that has all there was for it a RST would say that something is missing.
      if (isWithoutOwner(tcb)) endConnection(tcb, tcb.readClosed ? undefined : "STACK_CLOSED");
      else calls.abort(tcb, "STACK_CLOSED");
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
