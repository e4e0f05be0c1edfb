/**
 * TCP of a stack: segments in and out, and the user calls of RFC 9293 3.10.
 *
 * @module
 */
import type { OutgoingPacket } from "../../buffers/outgoing_packet.ts";
import { acceptSyn, refuseSyn } from "../../tcp/arrive/listen.ts";
import { endConnection, releaseResources } from "../../tcp/close_connection.ts";
import type { KeyedHash } from "../../tcp/isn.ts";
import type { FieldCodec } from "../../tcp/frozen/field_codec.ts";
import type { FieldReader } from "../../tcp/frozen/field_reader.ts";
import { noEndpoints, visitEndpoints, visitPolicies } from "../../tcp/frozen/format.ts";
import { canMove, leaveMoved, readTcb, writeTcb } from "../../tcp/frozen/freeze.ts";
import type { Tcb } from "../../tcp/tcb.ts";
import type { TcpCounts } from "../../tcp/tcp_counts.ts";
import { READ_CLOSED, RELEASED, SYN_UNDECIDED } from "../../tcp/tcb_flags.ts";
import { isWithoutOwner } from "../../tcp/timers/time_wait.ts";
import { probeSoon } from "../../tcp/timers/timeouts.ts";
import * as calls from "../../tcp/user_calls.ts";
import type { DropReason } from "../../wire/drop_reason.ts";
import { type IpHeader, PROTOCOL } from "../../wire/ip.ts";
import type { Demux } from "../demux.ts";
import type { OwnAddresses } from "../ip/own_addresses.ts";
import type { ChecksumState } from "../link.ts";
import type { BindRefusal, ConnectRequest, ListenRequest, SynVerdict } from "../requests.ts";
import type { QuotedPacket } from "../icmp/quoted.ts";
import type { Peers } from "../peers/peers.ts";
import type { Sharding } from "../sharding/shard.ts";
import type { Stats } from "../stats.ts";
import type { Connections } from "./connections.ts";
import type { EventLogEvent, EventLogs } from "./event_logs.ts";
import { Listener } from "./listener.ts";
import { MovedConnection, type MovedConnections, type MovedPacket } from "./moved_connections.ts";
import { PassiveOpen } from "./passive_open.ts";
import { TcpInput, type TcpTables } from "./tcp_input.ts";

/** Why a record cannot become a connection of this stack. */
export interface ThawRefusal {
  /** What is wrong with the record. */
  readonly fault?: string;
  /** Why the stack cannot have the connection. */
  readonly refusal?: BindRefusal | "INSUFFICIENT_RESOURCES";
}

/** All connections and listeners of a stack. */
export class TcpLayer {
  readonly #own: OwnAddresses;
  readonly #hash: KeyedHash;
  readonly #demux: Demux;
  readonly #connections: Connections;
  readonly #moved: MovedConnections;
  readonly #sharding: Sharding;
  readonly #peers: Peers | undefined;
  readonly #stats: Stats;
  readonly #input: TcpInput;

  constructor(tables: TcpTables, hash: KeyedHash) {
    const { own, demux, connections, moved, transmitQueue, sharding, peers, stats } = tables;
    const sharesKey = (sharding.generations?.number ?? 1) > 1;
    this.#own = own;
    this.#hash = hash;
    this.#demux = demux;
    this.#connections = connections;
    this.#moved = moved;
    this.#sharding = sharding;
    this.#peers = peers;
    this.#stats = stats;
    this.#input = new TcpInput(
      tables,
      new PassiveOpen(connections, transmitQueue, stats, hash, sharesKey, peers),
    );
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

  /** Queues an ICMP error about a connection that has moved away; returns false if it has not. */
  redirectError(ip: IpHeader, quoted: QuotedPacket, packet: Uint8Array): boolean {
    if (this.#moved.count === 0 || quoted.protocol !== PROTOCOL.TCP) return false;
    if (this.#peers?.isLastHop) return false;
    const { local, localPort, remote, remotePort } = quoted;
    const moved = this.#moved.get(local, localPort, remote, remotePort);
    if (moved === undefined) return false;
    this.#moved.keep(moved, packet.slice(0, ip.payloadEnd), 0);
    this.#stats.redirected++;
    return true;
  }

  /** Removes the next packet for a connection that has moved away. */
  pollMoved(): MovedPacket | undefined {
    return this.#moved.next();
  }

  /** Writes the next segment to send to `out`; returns false if there is none. */
  pollTransmit(out: OutgoingPacket, now: number): boolean {
    return this.#connections.pollTransmit(out, now);
  }

  // ---------------------------------------------------------------- events

  /** Removes the next connection with events from the queue. */
  pollConnection(): Tcb | undefined {
    return this.#connections.pollConnection();
  }

  /** Removes the next listener with connections in `ready` or `undecided` from the queue. */
  pollListener(): Listener | undefined {
    return this.#connections.pollListener();
  }

  /** Removes the next event log with new events, or request for one that has a connection. */
  pollEventLog(): EventLogEvent | undefined {
    return this.eventLogs.poll();
  }

  /** Queues a listener again whose owner has left connections for a later turn. */
  notifyLater(listener: Listener): void {
    this.#connections.notify(listener);
  }

  // ---------------------------------------------------------------- time

  /** When {@link TcpLayer.handleTimeout} has to be called; may be too early. */
  nextTimeout(): number {
    return this.#connections.nextTimeout();
  }

  /** Runs timers due at `now`; if not all of them, {@link TcpLayer.nextTimeout} is not after `now`. */
  handleTimeout(now: number): void {
    this.#connections.handleTimeout(now);
  }

  /** Probes the peers of all connections; the timers limit how many probes are sent in one turn. */
  probeAll(now: number): void {
    for (const tcb of this.#demux.connections.all()) this.#connections.apply(probeSoon, tcb, now);
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
      this.#connections.apply(calls.abort, tcb, "CONNECTION_ABORTED");
    }
    listener.clear();
  }

  /** Applies the decision about a SYN: SYN,ACK, RST, or no answer. */
  decide(tcb: Tcb, verdict: SynVerdict): void {
    if (!tcb.has(SYN_UNDECIDED) || tcb.has(RELEASED)) return;
    if (verdict === "accept") {
      this.#connections.apply(acceptSyn, tcb);
    } else if (verdict === "refuse") {
      this.#connections.apply(refuseSyn, tcb);
    } else {
      this.#stats.drop("tcp-syn-ignored");
      this.#connections.apply(endConnection, tcb, "CONNECTION_ABORTED");
    }
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
      this.#demux.connections.get(local, port, remote, remotePort) === undefined &&
      this.#moved.get(local, port, remote, remotePort) === undefined;
    const isOurs = (port: number) => this.#sharding.isOurs(local, port, remote, remotePort);
    const offset = this.#hash.connection(local, 0, remote, remotePort);
    const localPort = request.localPort > 0
      ? request.localPort
      : this.#connections.freePort(offset, (port) => isOurs(port) && isFree(port));
    if (localPort === undefined || !isOurs(localPort)) return "ADDRESS_NOT_AVAILABLE";
    if (!isFree(localPort)) return "ADDRESS_IN_USE";
    const tcb = this.#connections.create(local, localPort, remote, remotePort);
    this.#connections.enter(tcb);
    this.#stats.activeOpens++;
    const iss = this.#connections.initialSequence(tcb, now);
    this.#connections.apply(calls.openActive, tcb, iss, now);
    return tcb;
  }

  /** SEND: takes as many bytes from `from` on as fit; returns their number. */
  send(tcb: Tcb, bytes: Uint8Array, from: number, now: number): number {
    return this.#connections.apply(calls.sendText, tcb, bytes, from, now);
  }

  /** SEND without a copy: `fill` writes at most `max` bytes into the send buffer; returns their number. */
  fill(
    tcb: Tcb,
    max: number,
    fill: (room: Uint8Array<ArrayBuffer>) => number,
    now: number,
  ): number {
    return this.#connections.apply(calls.fillText, tcb, max, fill, now);
  }

  /** Notifies the owner when there is more room in the send buffer. */
  awaitRoom(tcb: Tcb): void {
    this.#connections.apply(calls.awaitRoom, tcb);
  }

  /** RECEIVE: copies the bytes available; returns their number. */
  read(tcb: Tcb, target: Uint8Array, now: number): number {
    return this.#connections.apply(calls.receiveText, tcb, target, now);
  }

  /** RECEIVE without a copy: releases `count` bytes of `tcb.receive.view()`. */
  consume(tcb: Tcb, count: number, now: number): void {
    this.#connections.apply(calls.consumeText, tcb, count, now);
  }

  /** Acknowledges everything read so far as processed. */
  markProcessed(tcb: Tcb, now: number): void {
    this.#connections.apply(calls.markProcessed, tcb, now);
  }

  closeWrite(tcb: Tcb): void {
    this.#connections.apply(calls.closeWrite, tcb);
  }

  close(tcb: Tcb, now: number): void {
    this.#connections.apply(calls.close, tcb, now);
  }

  abort(tcb: Tcb): void {
    this.#connections.apply(calls.abort, tcb, "CONNECTION_ABORTED");
  }

  /** Turns Nagle's algorithm off or on (RFC 9293 3.7.4); turning it off sends the data it held. */
  setNoDelay(tcb: Tcb, on: boolean): void {
    this.#connections.apply(calls.setNoDelay, tcb, on);
  }

  /** Acknowledgements wait, for a limited time, for the answer to what was read. */
  delayAcks(tcb: Tcb): void {
    this.#connections.apply(calls.delayAcks, tcb);
  }

  /** How long close() waits for delivery; 0 sends RST at once, `undefined` waits without limit. */
  setLinger(tcb: Tcb, ms: number | undefined): void {
    this.#connections.apply(calls.setLinger, tcb, ms);
  }

  /** Turns corking on or off: while it is on, only full segments are sent. */
  setCork(tcb: Tcb, on: boolean): void {
    this.#connections.apply(calls.setCork, tcb, on);
  }

  /** Sets how long data may stay unacknowledged (RFC 5482). */
  setUserTimeout(tcb: Tcb, ms: number): void {
    this.#connections.apply(calls.setUserTimeout, tcb, ms);
  }

  /** Turns keep-alive probes on or off (RFC 9293 3.8.4). */
  setKeepAlive(tcb: Tcb, on: boolean, now: number): void {
    this.#connections.apply(calls.setKeepAlive, tcb, on, now);
  }

  /** Why {@link TcpLayer.freeze} cannot be called; `undefined`: it can. */
  immovable(tcb: Tcb): string | undefined {
    if (!canMove(tcb)) return `it is in ${tcb.state}`;
    // The end that stays could not reach the other: its segments would not leave this stack.
    return this.#own.has(tcb.remote) ? "both of its ends are in this stack" : undefined;
  }

  /**
   * Writes the record of the connection, and ends the connection here without sending a segment. Packets that arrive
   * for it are queued for {@link TcpLayer.pollMoved} until {@link TcpLayer.forgetMoved}.
   */
  freeze(tcb: Tcb, codec: FieldCodec): MovedConnection {
    const { local, localPort, remote, remotePort, config } = tcb;
    visitEndpoints({ local, localPort, remote, remotePort }, codec);
    visitPolicies(config, codec);
    writeTcb(tcb, codec);
    this.#connections.apply(leaveMoved, tcb);
    const moved = new MovedConnection(local, localPort, remote, remotePort);
    this.#moved.add(moved);
    this.#stats.connectionsFrozen++;
    return moved;
  }

  /** No more packets are queued for the connection. */
  forgetMoved(moved: MovedConnection): void {
    this.#moved.remove(moved);
  }

  /**
   * Reads a connection from its record. It enters the tables with {@link TcpLayer.enterThawed}. Returns the reason if
   * the record cannot be read or the stack cannot have the connection.
   */
  thaw(reader: FieldReader): Tcb | ThawRefusal {
    const endpoints = noEndpoints();
    visitEndpoints(endpoints, reader);
    const { local, localPort, remote, remotePort } = endpoints;
    const differs = visitPolicies(this.#connections.config, reader);
    if (reader.fault !== undefined) return { fault: reader.fault };
    if (differs !== undefined) return { fault: differs };
    if (local.isV4 !== remote.isV4) return { fault: "its addresses are of different families" };
    if (localPort === 0 || remotePort === 0) return { fault: "its port is 0" };
    if (!this.#own.isUnicast(remote)) return { refusal: "INVALID_ADDRESS" };
    if (!this.#own.has(local)) return { refusal: "ADDRESS_NOT_AVAILABLE" };
    if (!this.#sharding.isOfShard(local, localPort, remote, remotePort)) {
      return { refusal: "ADDRESS_NOT_AVAILABLE" };
    }
    const existing = this.#demux.connections.get(local, localPort, remote, remotePort);
    if (existing !== undefined && !isHalfOpen(existing)) return { refusal: "ADDRESS_IN_USE" };
    if (this.#connections.isFull || this.#peers?.isFull) {
      return { refusal: "INSUFFICIENT_RESOURCES" };
    }
    const tcb = this.#connections.create(local, localPort, remote, remotePort);
    const fault = readTcb(tcb, reader);
    if (fault === undefined) return tcb;
    this.discardThawed(tcb);
    return { fault };
  }

  /** Releases the resources of a thawed connection that is not entered into the tables. */
  discardThawed(tcb: Tcb): void {
    releaseResources(tcb);
    tcb.receive.clear();
  }

  /** Enters a thawed connection into the tables, and sends what it has to send. */
  enterThawed(tcb: Tcb, now: number): void {
    const { local, localPort, remote, remotePort } = tcb;
    const moved = this.#moved.get(local, localPort, remote, remotePort);
    if (moved !== undefined) this.#moved.remove(moved);
    // A router sends a retransmitted SYN to another instance: the peer has the thawed connection, not this attempt.
    const attempt = this.#demux.connections.get(local, localPort, remote, remotePort);
    if (attempt !== undefined) this.#connections.apply(endConnection, attempt, undefined);
    const wasTakenOver =
      this.#sharding.generations?.forget(local, localPort, remote, remotePort) === true;
    this.#connections.enter(tcb);
    this.#peers?.takeOver(tcb, now, wasTakenOver);
    this.#stats.connectionsThawed++;
    this.#connections.apply(() => {}, tcb);
  }

  /** The listener for the local end of a connection. */
  listenerFor({ local: { w0, w1, w2, w3 }, localPort }: Tcb): Listener | undefined {
    return this.#demux.listeners.find(w0, w1, w2, w3, localPort);
  }

  /** Ends the connections whose local address no longer belongs to the stack, without sending anything. */
  endWithoutAddress(): void {
    for (const tcb of this.#demux.connections.all()) {
      if (this.#own.has(tcb.local)) continue;
      this.#connections.apply(endConnection, tcb, "ADDRESS_NOT_AVAILABLE");
    }
  }

  /** Resets all connections and closes all listeners. */
  shutDown(): void {
    for (const listener of this.#demux.listeners.values()) this.closeListener(listener);
    for (const tcb of this.#demux.connections.all()) {
      // After a RST, a peer that has received everything would conclude that data is missing.
      if (!isWithoutOwner(tcb)) this.#connections.apply(calls.abort, tcb, "STACK_CLOSED");
      else {
        const reason = tcb.has(READ_CLOSED) ? undefined : "STACK_CLOSED";
        this.#connections.apply(endConnection, tcb, reason);
      }
    }
  }

  /** The event logs of connections. */
  get eventLogs(): EventLogs {
    return this.#connections.eventLogs;
  }

  /** Every connection in the tables. */
  connections(): Tcb[] {
    return this.#demux.connections.all();
  }

  /** The counts of all connections. */
  get counts(): Readonly<TcpCounts> {
    return this.#connections.counts;
  }

  get connectionCount(): number {
    return this.#demux.connections.count;
  }

  /** Connections that are half-open or not yet accepted. */
  get unacceptedCount(): number {
    let count = 0;
    for (const { halfOpen, ready } of this.#demux.listeners.values()) {
      count += halfOpen.size + ready.length;
    }
    return count;
  }

  /** Connections with a deadline. */
  get timerCount(): number {
    return this.#connections.timerCount;
  }
}

/** Whether the connection is an attempt of the peer that has not been acknowledged. */
function isHalfOpen({ state, listener }: Tcb): boolean {
  return state === "SYN-RECEIVED" && listener !== undefined;
}
