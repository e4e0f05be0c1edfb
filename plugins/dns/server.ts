/**
 * The DNS server: answers one query with one reply.
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
import { KnownReplies } from "./known_replies.ts";
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
import { queryUpstreams } from "./upstream.ts";
import { CLASS_IN, RCODE, TYPE } from "./wire.ts";

/** RFC 1035 4.2.2: the length field has two bytes. */
const MAX_REPLY_LENGTH = 65_535;

/** Options of a server, checked. */
export interface DnsServerOptions {
  readonly names: Names;
  readonly host: HostDialer;
  readonly upstreams: readonly HostPort[];
  /** Timeout of each upstream, in milliseconds. */
  readonly timeoutMs: number;
  /**
   * Maximum number of queries waiting for upstreams. At the limit, the oldest query of the client
   * that has the most, or the new query, is answered with SERVFAIL.
   */
  readonly maxQueries: number;
}

/** The source of a query. */
export interface DnsClient {
  readonly transport: "tcp" | "udp";
  /** The address it was sent to. */
  readonly local: HostPort;
  /** The client's address. */
  readonly remote: HostPort;
  readonly clock: Clock;
  readonly log: Logger;
  /** Cancels the query. */
  readonly signal: AbortSignal;
}

/** Answers queries concurrently. */
export class DnsServer {
  readonly #options: DnsServerOptions;
  readonly #guard: LoopGuard;
  /** Replies over UDP from names of this server, which do not change. */
  readonly #known = new KnownReplies();
  /** Queries that wait for upstreams. */
  readonly #waiting: SharedLimit;

  constructor(options: DnsServerOptions) {
    this.#options = options;
    this.#waiting = new SharedLimit(options.maxQueries);
    this.#guard = new LoopGuard(options.host.routeIntoStack);
  }

  /** Releases the server. */
  dispose(): void {
    this.#guard.dispose();
  }

  /** Total time limit of the upstreams, in milliseconds; over TCP, each may be queried twice. */
  upstreamTimeoutMs(transport: DnsClient["transport"]): number {
    const { upstreams, timeoutMs } = this.#options;
    // For TCP: a query over UDP, a connection, and a query on it.
    return upstreams.length * timeoutMs * (transport === "udp" ? 1 : 3);
  }

  /**
   * The reply, at once unless upstreams have to be asked; `undefined`: no reply. Never throws or rejects.
   * `message` must not be changed afterwards.
   */
  answer(
    message: Uint8Array,
    asker: DnsClient,
  ): Uint8Array<ArrayBuffer> | undefined | Promise<Uint8Array<ArrayBuffer>> {
    const isDatagram = asker.transport === "udp";
    const known = isDatagram ? this.#known.find(message) : undefined;
    if (known !== undefined) return known;
    const query = parseQuery(message);
    if (query === undefined) return undefined;
    if (typeof query === "number") return writeError(message, query);
    const limit = isDatagram ? udpLimitOf(query) : MAX_REPLY_LENGTH;
    const own = this.#ownReply(query);
    if (own === undefined) return this.#answerFromUpstreams(query, asker, limit);
    const reply = this.#write(query, own, limit);
    if (isDatagram) this.#known.keep(message, reply);
    return reply;
  }

  async #answerFromUpstreams(
    query: Query,
    asker: DnsClient,
    limit: number,
  ): Promise<Uint8Array<ArrayBuffer>> {
    const evicted = new AbortController();
    const evict = () => evicted.abort(new Error("evicted in favour of another client's query"));
    const slot = this.#waiting.enter(asker.remote.hostname, evict, {
      also: this.#options.host.limits?.datagrams,
    });
    if (slot === undefined) return this.#write(query, { rcode: RCODE.SERVFAIL }, limit);
    try {
      const signal = AbortSignal.any([asker.signal, evicted.signal]);
      return await this.#forward(query, { ...asker, signal }, limit);
    } finally {
      slot.leave();
    }
  }

  /** The reply of this server alone; `undefined`: upstreams have to be asked. */
  #ownReply(query: Query): Reply | undefined {
    if (query.edns !== undefined && query.edns.version > 0) return { rcode: RCODE.BADVERS };
    const rcode = rcodeOfMeta(query.type);
    if (rcode !== undefined) return { rcode };
    if (query.class !== CLASS_IN) return { rcode: RCODE.REFUSED };
    const { names, upstreams } = this.#options;
    return names.answer(query.name, query.type) ??
      (upstreams.length === 0 ? { rcode: RCODE.REFUSED } : undefined);
  }

  async #forward(
    query: Query,
    { transport, local, clock, log, signal }: DnsClient,
    limit: number,
  ): Promise<Uint8Array<ArrayBuffer>> {
    const { upstreams, timeoutMs } = this.#options;
    try {
      const limits = { clock, timeoutMs, signal };
      const reply = await queryUpstreams(
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

  /** The host's network, which refuses upstreams that lead back to where the query arrived. */
  #hostFor(arrival: Arrival): HostDialer {
    const { dial, dialDatagrams } = this.#options.host;
    return {
      dial: async (target, signal, dialOptions) => {
        this.#guard.requireNoLoop("tcp", target, arrival);
        return await dial(target, signal, dialOptions);
      },
      dialDatagrams: async (target, signal) => {
        this.#guard.requireNoLoop("udp", target, arrival);
        return await dialDatagrams(target, signal);
      },
    };
  }

  #write(query: Query, reply: Reply, limit: number): Uint8Array<ArrayBuffer> {
    return writeReply(query, reply, this.#options.upstreams.length > 0, limit);
  }
}

/** The RCODE for types that are not records (RFC 6895 3.1). */
function rcodeOfMeta(type: number): number | undefined {
  switch (type) {
    // No zone transfers.
    case TYPE.AXFR:
    case TYPE.IXFR:
      return RCODE.REFUSED;
    // Obsolete since RFC 973.
    case TYPE.MAILA:
    case TYPE.MAILB:
      return RCODE.NOTIMP;
    // Meta types are not valid in a question.
    case TYPE.OPT:
    case TYPE.TKEY:
    case TYPE.TSIG:
      return RCODE.FORMERR;
    default:
      return undefined;
  }
}
