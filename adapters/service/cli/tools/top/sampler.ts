/**
 * Reads what `berth top` shows from the admin API: counters, and a page of connections with their rates.
 *
 * @module
 */
import type { ConnectionPage, ConnectionRow } from "../../../admin/connections.ts";
import type { AdminClient } from "../admin_client.ts";
import type { RatedRow } from "./columns.ts";

/** Which connections to show, and in which order. */
export interface Query {
  readonly filter: string;
  /** A field, or `inRate` or `outRate`. */
  readonly sort: string;
  readonly descending: boolean;
  readonly offset: number;
  readonly limit: number;
}

/** A counter of dropped packets. */
export interface Drops {
  readonly reason: string;
  readonly total: number;
  readonly perSecond: number;
}

/** The state of the service at one time. */
export interface Sample {
  readonly ready: string;
  readonly listen: readonly { readonly where: string; readonly plugins: readonly string[] }[];
  readonly connections: number;
  readonly flows: number;
  /** Packets per second; 0 in the first sample. */
  readonly packetsIn: number;
  readonly packetsOut: number;
  readonly bitsIn: number;
  readonly bitsOut: number;
  /** The reasons, the currently most frequent one first. */
  readonly drops: readonly Drops[];
  /** Number of connections that match the filter. */
  readonly total: number;
  readonly rows: readonly RatedRow[];
}

/** The API has no rates, so an order by rate compares only this many connections, those with the most bytes. */
export const RATED_ROWS = 2000;

interface Previous {
  readonly at: number;
  readonly stats: Readonly<Record<string, number>>;
  readonly bytes: ReadonlyMap<string, readonly [number, number]>;
}

/** Takes samples; rates are differences to the one before. */
export class Sampler {
  readonly #service: Pick<AdminClient, "ask">;
  readonly #now: () => number;
  #previous: Previous | undefined;

  /** `now` returns milliseconds. */
  constructor(service: Pick<AdminClient, "ask">, now: () => number) {
    this.#service = service;
    this.#now = now;
  }

  /** @throws {Error} The service cannot be reached, or refuses. */
  async take(query: Query): Promise<Sample> {
    const [ready, { listen }, stats, page] = await Promise.all([
      this.#service.ask<{ ready: boolean; reason?: string }>("GET", "/readyz"),
      this.#service.ask<Pick<Sample, "listen">>("GET", "/listeners"),
      this.#service.ask<Record<string, number>>("GET", "/stats"),
      this.#service.ask<ConnectionPage>("GET", `/connections?${this.#parameters(query)}`),
    ]);
    const at = this.#now();
    const before = this.#previous;
    const seconds = before === undefined ? 0 : Math.max(0.001, (at - before.at) / 1000);
    const perSecond = (name: string) =>
      before === undefined
        ? 0
        : Math.max(0, (stats[name] ?? 0) - (before.stats[name] ?? 0)) / seconds;
    const rated = page.connections.map((row) => withRates(row, before?.bytes.get(row.id), seconds));
    this.#previous = {
      at,
      stats,
      bytes: new Map(page.connections.map((row) => [row.id, [row.bytesIn, row.bytesOut]])),
    };
    return {
      ready: ready.ready ? "ready" : ready.reason ?? "not ready",
      listen,
      connections: stats["connections"] ?? 0,
      flows: stats["flows"] ?? 0,
      packetsIn: perSecond("packetsIn"),
      packetsOut: perSecond("packetsOut"),
      bitsIn: perSecond("bytesIn") * 8,
      bitsOut: perSecond("bytesOut") * 8,
      drops: dropsOf(stats, perSecond),
      total: page.total,
      rows: isRate(query.sort) ? pageOf(rated, query) : rated,
    };
  }

  #parameters({ filter, sort, descending, offset, limit }: Query): URLSearchParams {
    const byRate = isRate(sort);
    const field = sort === "inRate" ? "bytesIn" : sort === "outRate" ? "bytesOut" : sort;
    return new URLSearchParams({
      ...filter !== "" && { filter },
      sort: descending || byRate ? `-${field}` : field,
      limit: String(byRate ? RATED_ROWS : limit),
      offset: String(byRate ? 0 : offset),
    });
  }
}

function isRate(sort: string): sort is "inRate" | "outRate" {
  return sort === "inRate" || sort === "outRate";
}

/** The row with its rates. A connection that was opened since the last sample has sent all of its bytes since then. */
function withRates(
  row: ConnectionRow,
  before: readonly [number, number] | undefined,
  seconds: number,
): RatedRow {
  if (seconds === 0) return { ...row, inRate: undefined, outRate: undefined };
  const [bytesIn, bytesOut] = before ?? (row.ageSeconds <= seconds ? [0, 0] : [NaN, NaN]);
  const rate = (bytes: number) => Number.isNaN(bytes) ? undefined : bytes * 8 / seconds;
  return { ...row, inRate: rate(row.bytesIn - bytesIn), outRate: rate(row.bytesOut - bytesOut) };
}

function pageOf(rows: readonly RatedRow[], { sort, descending, offset, limit }: Query): RatedRow[] {
  const rate = (row: RatedRow) => (sort === "inRate" ? row.inRate : row.outRate) ?? -1;
  const direction = descending ? -1 : 1;
  return rows.toSorted((a, b) => direction * (rate(a) - rate(b)) || a.id.localeCompare(b.id))
    .slice(offset, offset + limit);
}

function dropsOf(
  stats: Readonly<Record<string, number>>,
  perSecond: (name: string) => number,
): Drops[] {
  return Object.entries(stats).filter(([name, total]) => name.startsWith("drop.") && total > 0)
    .map(([name, total]) => ({
      reason: name.slice("drop.".length),
      total,
      perSecond: perSecond(name),
    }))
    .sort((a, b) => b.perSecond - a.perSecond || b.total - a.total);
}
