/**
 * Open connections as the admin API lists them.
 *
 * @module
 */
import { formatHostPort } from "../../../core/api/host_port.ts";
import type { OpenConnection, TcpStats } from "../../../core/api/types.ts";

/** A connection; it can be sent to another thread. */
export interface ConnectionRow extends TcpStats {
  /** Local and remote address; unique among open connections. */
  readonly id: string;
  readonly local: string;
  readonly remote: string;
  /** The plugins that serve it; absent for connections that plugins have opened. */
  readonly plugin?: string | undefined;
  readonly ageSeconds: number;
}

/** The criteria of {@link selectConnections}. */
export interface Selection {
  /** Selects rows with this text in any field. */
  readonly filter?: string | undefined;
  /** The field to sort by; with `-` in front the largest come first. */
  readonly sort?: string | undefined;
  /** Number of rows, and of rows before them. */
  readonly limit: number;
  readonly offset: number;
}

/** Identifies a connection while it is open. */
export function idOf({ localAddr, remoteAddr }: OpenConnection): string {
  return `${formatHostPort(localAddr)}-${formatHostPort(remoteAddr)}`;
}

/** The row of a connection. */
export function rowOf(connection: OpenConnection): ConnectionRow {
  const { localAddr, remoteAddr, plugin, ageSeconds } = connection;
  return {
    id: idOf(connection),
    local: formatHostPort(localAddr),
    remote: formatHostPort(remoteAddr),
    ...plugin !== undefined && { plugin },
    ageSeconds,
    ...connection.stats(),
  };
}

/** Filters, sorts and pages; `total` is the number of rows that match the filter. */
export function selectConnections(
  rows: readonly ConnectionRow[],
  { filter, sort, limit, offset }: Selection,
): { readonly total: number; readonly connections: readonly ConnectionRow[] } {
  const found = filter === undefined
    ? [...rows]
    : rows.filter((row) => Object.values(row).some((value) => String(value).includes(filter)));
  if (sort !== undefined) {
    const descending = sort.startsWith("-");
    const key = (descending ? sort.slice(1) : sort) as keyof ConnectionRow;
    found.sort((a, b) => (descending ? -1 : 1) * compare(a[key], b[key]));
  }
  return { total: found.length, connections: found.slice(offset, offset + limit) };
}

function compare(a: unknown, b: unknown): number {
  if (typeof a === "number" && typeof b === "number") return a - b;
  return String(a ?? "").localeCompare(String(b ?? ""), "en", { numeric: true });
}
