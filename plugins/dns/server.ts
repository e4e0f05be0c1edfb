/**
 * A query in, a reply out.
 *
 * @module
 */
import type { Clock, Logger } from "../../core/api/environment.ts";
import { messageOf } from "../../core/api/error_text.ts";
import type { HostPort } from "../../core/api/host_port.ts";
import type { HostDialer } from "../shared/host_network.ts";
import { type Arrival, LoopGuard } from "../shared/loop_guard.ts";
import { SharedLimit } from "../shared/shared_limit.ts";
import { formatName } from "./domain_name.ts";
import {
  markAsForwarded,
  rcodeOf,
  type Reply,
  udpLimitOf,
  writeError,
  writeReply,
  writeTruncated,
} from "./message.ts";
import type { Names } from "./names.ts";
import { parseQuery, type Query } from "./query.ts";
import { askUpstreams } from "./upstream.ts";
import { CLASS_IN, RCODE, TYPE } from "./wire.ts";

/** RFC 1035 4.2.2: the length field has two bytes. */
const LONGEST_REPLY = 65_535;

/** What a server is made of. */
export interface DnsServerOptions {
  readonly names: Names;
  readonly host: HostDialer;
  readonly upstreams: readonly HostPort[];
  /** For each upstream, in milliseconds. */
  readonly timeoutMs: number;
  /**
   * Queries that wait for upstreams, at most; more are answered with SERVFAIL, or the oldest of the
   * client that has the most.
   */
  readonly maxQueries: number;
}

/** What asks. */
export interface Asker {
  readonly transport: "tcp" | "udp";
  /** Where it asks. */
  readonly local: HostPort;
  /** Who asks. */
  readonly remote: HostPort;
  readonly clock: Clock;
  readonly log: Logger;
  /** Gives up. */
  readonly signal: AbortSignal;
}

/** Answers queries, many at a time. */
export class DnsServer {
  readonly #options: DnsServerOptions;
  readonly #guard: LoopGuard;
  /** Queries that wait for upstreams. */
  readonly #waiting: SharedLimit;

  constructor(options: DnsServerOptions) {
    this.#options = options;
    this.#waiting = new SharedLimit(options.maxQueries);
    this.#guard = new LoopGuard(options.host.leadsBack);
  }

  /** The server is not used any more. */
  dispose(): void {
    this.#guard.dispose();
  }

  /** Milliseconds that upstreams may take in all; over TCP each may be asked twice. */
  patience(transport: Asker["transport"]): number {
    const { upstreams, timeoutMs } = this.#options;
    // A datagram, then a connection and what is said on it.
    return upstreams.length * timeoutMs * (transport === "udp" ? 1 : 3);
  }

  /** The reply; `undefined` when there is to be none. Never throws. */
  async answer(
    message: Uint8Array,
    asker: Asker,
  ): Promise<Uint8Array<ArrayBuffer> | undefined> {
    const query = parseQuery(message);
    if (query === undefined) return undefined;
    if (typeof query === "number") return writeError(message, query);
    const limit = asker.transport === "udp" ? udpLimitOf(query) : LONGEST_REPLY;
    const own = this.#ownReply(query);
    if (own !== undefined) return this.#write(query, own, limit);
    const { upstreams } = this.#options;
    if (upstreams.length === 0) return this.#write(query, { rcode: RCODE.REFUSED }, limit);
    const evicted = new AbortController();
    const evict = () => evicted.abort(new Error("made room for the query of another client"));
    const slot = this.#waiting.enter(asker.remote.hostname, evict);
    if (slot === undefined) return this.#write(query, { rcode: RCODE.SERVFAIL }, limit);
    try {
      const signal = AbortSignal.any([asker.signal, evicted.signal]);
      return await this.#forward(query, { ...asker, signal }, limit);
    } finally {
      slot.leave();
    }
  }

  #ownReply(query: Query): Reply | undefined {
    if (query.edns !== undefined && query.edns.version > 0) return { rcode: RCODE.BADVERS };
    const rcode = rcodeOfMeta(query.type);
    if (rcode !== undefined) return { rcode };
    if (query.class !== CLASS_IN) return { rcode: RCODE.REFUSED };
    return this.#options.names.answer(query.name, query.type);
  }

  async #forward(
    query: Query,
    { transport, local, clock, log, signal }: Asker,
    limit: number,
  ): Promise<Uint8Array<ArrayBuffer>> {
    const { upstreams, timeoutMs } = this.#options;
    try {
      const limits = { clock, timeoutMs, signal };
      const reply = await askUpstreams(
        this.#hostFor({ transport, place: local, log }),
        upstreams,
        query,
        transport === "tcp",
        limits,
      );
      markAsForwarded(reply);
      return reply.length <= limit ? reply : writeTruncated(query, { rcode: rcodeOf(reply) }, true);
    } catch (error) {
      log.debug("no upstream answered", { name: formatName(query.name), reason: messageOf(error) });
      return this.#write(query, { rcode: RCODE.SERVFAIL }, limit);
    }
  }

  /** The host, but for upstreams that lead back to where the query has arrived. */
  #hostFor(arrival: Arrival): HostDialer {
    const { dial, dialDatagrams } = this.#options.host;
    return {
      dial: async (target, signal, dialOptions) => {
        this.#guard.requireWayOut("tcp", target, arrival);
        return await dial(target, signal, dialOptions);
      },
      dialDatagrams: async (target, signal) => {
        this.#guard.requireWayOut("udp", target, arrival);
        return await dialDatagrams(target, signal);
      },
    };
  }

  #write(query: Query, reply: Reply, limit: number): Uint8Array<ArrayBuffer> {
    return writeReply(query, reply, this.#options.upstreams.length > 0, limit);
  }
}

/** What questions are answered with that are about no records (RFC 6895 3.1). */
function rcodeOfMeta(type: number): number | undefined {
  switch (type) {
    // There is no zone to be had as a whole.
    case TYPE.AXFR:
    case TYPE.IXFR:
      return RCODE.REFUSED;
    // RFC 973, obsolete before most servers were.
    case TYPE.MAILA:
    case TYPE.MAILB:
      return RCODE.NOTIMP;
    // They belong to messages, not to names.
    case TYPE.OPT:
    case TYPE.TKEY:
    case TYPE.TSIG:
      return RCODE.FORMERR;
    default:
      return undefined;
  }
}
