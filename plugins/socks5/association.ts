/**
 * UDP associations of SOCKS clients.
 *
 * @module
 */
import { messageOf } from "../../core/api/error_text.ts";
import { formatHostPort, type HostPort } from "../../core/api/host_port.ts";
import type { Context, NetAddr } from "../../core/api/types.ts";
import type { DatagramAddr, DatagramConn } from "../../core/api/udp/datagram.ts";
import { concatenate } from "../../core/wire/bytes.ts";
import { type Outbound, OutboundError } from "../shared/outbound.ts";
import type { Slot } from "../shared/shared_limit.ts";
import { AssociatedTarget } from "./associated_target.ts";
import { headerFrom, unwrap, type WrappedDatagram } from "./datagram.ts";

/** Limits of one association. */
export interface AssociationLimits {
  /** Maximum number of concurrent targets. */
  readonly maxTargets: number;
  /** Milliseconds without a datagram after which a target is closed. */
  readonly idleTimeoutMs: number;
}

/** Maximum number of datagrams waiting for sockets that are being opened. */
const MAX_WAITING = 64;
/** Maximum number of datagrams waiting for the socket of one target. */
const MAX_WAITING_OF_ONE = 16;

/**
 * Relays datagrams between a client and its targets (RFC 1928 7), with one socket of the stack for the
 * client and one socket for each target.
 */
export class Association {
  /** Datagrams to and from the targets; dropped ones by reason, under `drop.`. */
  readonly counts: Record<string, number> = { toTargets: 0, toClient: 0 };
  readonly #c: Context;
  readonly #outbound: Outbound;
  readonly #limits: AssociationLimits;
  readonly #slot: Slot;
  readonly #socket: DatagramConn;
  readonly #clientHostname: string;
  /**
   * The client's port: the announced one, or the source port of the first datagram from its
   * address.
   */
  #clientPort: number | undefined;
  /** Where the client's last datagram came from. */
  #client: DatagramAddr | undefined;
  /** Least recently used first. */
  readonly #targets = new Map<string, AssociatedTarget>();
  #waiting = 0;

  /**
   * Binds a port on the address that the client connected to. `claimed` is the address that the
   * client announced for its datagrams. It is ignored unless it is the client's actual address;
   * behind a NAT, the two differ.
   *
   * @throws {TcpError} There is no free port, or the address is not the stack's.
   * @throws {OutboundError} The limit of associations and connections is reached.
   */
  constructor(c: Context, claimed: HostPort, outbound: Outbound, limits: AssociationLimits) {
    this.#c = c;
    this.#outbound = outbound;
    this.#limits = limits;
    const { localAddr, remoteAddr } = c.socket;
    this.#clientHostname = remoteAddr.hostname;
    const isItself = claimed.hostname === remoteAddr.hostname && claimed.port !== 0;
    this.#clientPort = isItself ? claimed.port : undefined;
    this.#slot = outbound.enter(
      c,
      () => c.socket.abort(new Error("evicted in favour of another client")),
    );
    try {
      this.#socket = c.stack.listenDatagram({ port: 0, hostname: localAddr.hostname });
    } catch (error) {
      this.#slot.leave();
      throw error;
    }
    void this.#receive();
  }

  /** The address to which the client sends its datagrams. */
  get addr(): NetAddr {
    return this.#socket.addr;
  }

  /** Closes all sockets. */
  close(): void {
    this.#slot.leave();
    this.#socket.close();
    for (const target of this.#targets.values()) target.close();
    this.#targets.clear();
  }

  async #receive(): Promise<void> {
    for await (const [datagram, from] of this.#socket) {
      const unwrapped = this.#admit(datagram, from);
      if (unwrapped === undefined) continue;
      const target = this.#targetOf(unwrapped.target);
      if (target === undefined) this.#drop("overflow");
      else if (target.isOpen) await this.#send(target, unwrapped.payload);
      else void this.#send(target, unwrapped.payload);
    }
  }

  /** Unwraps a datagram of the client; counts any other as dropped. */
  #admit(datagram: Uint8Array, from: DatagramAddr): WrappedDatagram | undefined {
    // RFC 1928 7: datagrams from any other address MUST be dropped.
    const isClient = from.hostname === this.#clientHostname &&
      from.port === (this.#clientPort ?? from.port);
    if (!isClient) return void this.#drop("foreign");
    const unwrapped = unwrap(datagram);
    if (typeof unwrapped === "string") return void this.#drop(unwrapped);
    this.#clientPort = from.port;
    this.#client = from;
    return unwrapped;
  }

  async #send(target: AssociatedTarget, payload: Uint8Array): Promise<void> {
    this.#waiting++;
    try {
      await target.send(payload);
      this.counts["toTargets"]!++;
    } catch (error) {
      this.#drop(reasonOf(error));
    } finally {
      this.#waiting--;
    }
  }

  /**
   * The target at `address`; `undefined` if too many datagrams wait for sockets, in which case no
   * further socket is opened either.
   */
  #targetOf(address: HostPort): AssociatedTarget | undefined {
    const name = formatHostPort(address);
    const known = this.#targets.get(name);
    if (!known?.isOpen && !this.#mayWait(known?.waiting ?? 0)) return undefined;
    const target = known ?? this.#open(name, address);
    this.#targets.delete(name);
    this.#targets.set(name, target);
    return target;
  }

  #mayWait(before: number): boolean {
    return this.#waiting < MAX_WAITING && before < MAX_WAITING_OF_ONE;
  }

  #open(name: string, address: HostPort): AssociatedTarget {
    for (const [oldest, quiet] of this.#targets) {
      if (this.#targets.size < this.#limits.maxTargets) break;
      this.#targets.delete(oldest);
      quiet.close();
    }
    const { clock } = this.#c;
    const opened = this.#outbound.openDatagrams(address, this.#c);
    const target = new AssociatedTarget(opened, clock, this.#limits.idleTimeoutMs);
    void this.#answerFrom(target).finally(() => {
      if (this.#targets.get(name) === target) this.#targets.delete(name);
    });
    return target;
  }

  async #answerFrom(target: AssociatedTarget): Promise<void> {
    try {
      const header = headerFrom(await target.address);
      for await (const answer of target) await this.#answer(header, answer);
    } catch (error) {
      // The next datagram opens the target again.
      this.#c.log.debug("socks5: target ended", { reason: messageOf(error) });
    } finally {
      target.close();
    }
  }

  async #answer(header: Uint8Array, answer: Uint8Array): Promise<void> {
    try {
      await this.#socket.send(concatenate([header, answer]), this.#client!);
      this.counts["toClient"]!++;
    } catch {
      this.#drop("unsendable");
    }
  }

  #drop(reason: string): void {
    const name = `drop.${reason}`;
    this.counts[name] = (this.counts[name] ?? 0) + 1;
  }
}

/** The fault of an {@link OutboundError}; other failures come from sending. */
function reasonOf(error: unknown): string {
  return error instanceof OutboundError ? error.fault : "unsendable";
}
