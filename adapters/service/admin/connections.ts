/**
 * Open connections as the admin API lists them.
 *
 * @module
 */
import { z } from "zod";
import { formatHostPort } from "../../../core/api/host_port.ts";
import type { OpenConnection, TcpStats, WaitReason } from "../../../core/api/types.ts";

/** A connection; it can be sent to another thread. */
export interface ConnectionRow extends TcpStats {
  /** Local and remote address; unique among open connections. */
  readonly id: string;
  readonly local: string;
  readonly remote: string;
  /** The plugins that serve it; absent for connections that plugins have opened. */
  readonly plugin?: string | undefined;
  readonly ageSeconds: number;
  /** What the connection waits for. */
  readonly waitsFor: WaitReason;
}

/** A whole number in a query. */
export const digits: z.ZodType<number, string> = z.string()
  .regex(/^\d{1,9}$/, "expected a whole number").transform(Number);

/** The schema of the criteria in a query: at most `most` rows, by default `usual`. */
export const selectionSchema = (most: number, usual: number) =>
  z.strictObject({
    filter: z.string().optional(),
    sort: z.string().regex(/^-?[a-zA-Z]+$/, "expected a field such as bytesIn, or -bytesIn")
      .optional(),
    limit: digits.refine((rows) => rows <= most, `expected at most ${most}`).default(usual),
    offset: digits.default(0),
  });

/** The criteria of {@link selectConnections}. */
export interface Selection {
  /** Selects rows with this text in any field. */
  readonly filter?: string | undefined;
  /** The field to sort by; a `-` in front of it sorts the largest first. */
  readonly sort?: string | undefined;
  /** Number of rows, and of rows before them. */
  readonly limit: number;
  readonly offset: number;
}

/** The rows of a selection. */
export interface ConnectionPage {
  /** The number of connections that match the filter. */
  readonly total: number;
  readonly connections: readonly ConnectionRow[];
}

/** Number of connections that are examined or sorted before timers and I/O get their turn. */
const SLICE = 2000;

/** Identifies a connection while it is open. */
export function idOf({ localAddr, remoteAddr }: OpenConnection): string {
  return `${formatHostPort(localAddr)}-${formatHostPort(remoteAddr)}`;
}

/** The row of a connection. */
export function rowOf(connection: OpenConnection): ConnectionRow {
  const { localAddr, remoteAddr, plugin, ageSeconds, waitsFor } = connection;
  return {
    id: idOf(connection),
    local: formatHostPort(localAddr),
    remote: formatHostPort(remoteAddr),
    ...plugin !== undefined && { plugin },
    ageSeconds,
    waitsFor,
    ...connection.stats(),
  };
}

/**
 * Filters and sorts connections, and returns a page of them. Rows are made only for the page; filtering and sorting
 * examine every connection, {@link SLICE} at a time.
 */
export async function selectConnections(
  open: readonly OpenConnection[],
  { filter, sort, limit, offset }: Selection,
): Promise<ConnectionPage> {
  const found = filter === undefined
    ? open
    : await collect(open, (one) => matches(rowOf(one), filter) ? one : undefined);
  if (limit === 0) return { total: found.length, connections: [] };
  const sorted = sort === undefined ? found : await sortedBy(found, sort, offset + limit);
  const connections = sorted.slice(offset, offset + limit).map(rowOf);
  return { total: found.length, connections };
}

/** The page of several threads; `pages` are their first `offset + limit` rows. */
export function mergePages(
  pages: readonly ConnectionPage[],
  { sort, limit, offset }: Selection,
): ConnectionPage {
  const rows = pages.flatMap(({ connections }) => connections);
  if (sort !== undefined) {
    const { key, direction } = orderOf(sort);
    rows.sort((a, b) => direction * compare(a[key], b[key]));
  }
  return {
    total: pages.reduce((sum, { total }) => sum + total, 0),
    connections: rows.slice(offset, offset + limit),
  };
}

function matches(row: ConnectionRow, text: string): boolean {
  return Object.values(row).some((value) => String(value).includes(text));
}

/** The first `count` connections in this order. */
async function sortedBy(
  open: readonly OpenConnection[],
  sort: string,
  count: number,
): Promise<OpenConnection[]> {
  const { key, direction } = orderOf(sort);
  const keyed = await collect(open, (one) => ({ one, key: valueOf(one, key) }));
  const inOrder = (a: Keyed, b: Keyed) => direction * compare(a.key, b.key);
  const candidates = typeof keyed[0]?.key === "number" ? firstOf(keyed, direction, count) : keyed;
  const sorted = await sortedInTurns(candidates, inOrder, count);
  return sorted.slice(0, count).map(({ one }) => one);
}

interface Keyed {
  readonly one: OpenConnection;
  readonly key: unknown;
}

/**
 * At least the first `count` in order. Slices are sorted one at a time, and then merged: sorting 100,000 strings at
 * once would block the event loop for several hundred milliseconds.
 */
async function sortedInTurns<T>(
  all: readonly T[],
  inOrder: (a: T, b: T) => number,
  count: number,
): Promise<T[]> {
  const isPage = count <= SLICE;
  let runs: T[][] = [];
  for (let at = 0; at < all.length; at += SLICE) {
    if (at > 0) await nextTurn();
    const slice = all.slice(at, at + SLICE);
    if (!isPage) {
      runs.push(slice.sort(inOrder));
      continue;
    }
    const first = runs[0] ?? [];
    const last = first.length < count ? undefined : first[count - 1];
    // Most rows of a slice come after the page's last row so far, and need no sorting.
    const before = last === undefined ? slice : slice.filter((one) => inOrder(one, last) < 0);
    runs = [(await merged(first, before.sort(inOrder), inOrder)).slice(0, count)];
  }
  while (runs.length > 1) {
    const longer: T[][] = [];
    for (let i = 0; i < runs.length; i += 2) {
      longer.push(i + 1 < runs.length ? await merged(runs[i]!, runs[i + 1]!, inOrder) : runs[i]!);
    }
    runs = longer;
  }
  return runs[0] ?? [];
}

/** Two sorted lists as one; of equals, those of the first list come first. */
async function merged<T>(
  one: readonly T[],
  other: readonly T[],
  inOrder: (a: T, b: T) => number,
): Promise<T[]> {
  const all: T[] = [];
  let [i, j] = [0, 0];
  while (i < one.length || j < other.length) {
    if (all.length > 0 && all.length % (2 * SLICE) === 0) await nextTurn();
    const takesOne = j >= other.length || (i < one.length && inOrder(one[i]!, other[j]!) <= 0);
    all.push(takesOne ? one[i++]! : other[j++]!);
  }
  return all;
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => void setTimeout(resolve));
}

/** Leaves out rows that cannot be among the first `count`, because comparing all would take several times as long. */
function firstOf<T extends { readonly key: unknown }>(
  keyed: readonly T[],
  direction: 1 | -1,
  count: number,
): T[] {
  const keys = Float64Array.from(keyed, ({ key }) => direction * (key as number)).sort();
  const last = keys[Math.min(count, keys.length) - 1]!;
  const ties = count - keys.findIndex((key) => key === last);
  let taken = 0;
  return keyed.filter(({ key }) => {
    const value = direction * (key as number);
    return value < last || (value === last && taken++ < ties);
  });
}

function orderOf(sort: string): { key: keyof ConnectionRow; direction: 1 | -1 } {
  return sort.startsWith("-")
    ? { key: sort.slice(1) as keyof ConnectionRow, direction: -1 }
    : { key: sort as keyof ConnectionRow, direction: 1 };
}

function valueOf(connection: OpenConnection, key: keyof ConnectionRow): unknown {
  switch (key) {
    case "id":
      return idOf(connection);
    case "local":
      return formatHostPort(connection.localAddr);
    case "remote":
      return formatHostPort(connection.remoteAddr);
    case "plugin":
      return connection.plugin;
    case "ageSeconds":
      return connection.ageSeconds;
    case "waitsFor":
      return connection.waitsFor;
    default:
      return connection.stats()[key];
  }
}

function compare(a: unknown, b: unknown): number {
  if (typeof a === "number" && typeof b === "number") return a - b;
  return TEXT_ORDER.compare(String(a ?? ""), String(b ?? ""));
}

const TEXT_ORDER = new Intl.Collator("en", { numeric: true });

/** The defined results of `take`. */
async function collect<T>(
  open: readonly OpenConnection[],
  take: (connection: OpenConnection) => T | undefined,
): Promise<T[]> {
  const taken: T[] = [];
  for (const [index, one] of open.entries()) {
    if (index > 0 && index % SLICE === 0) await nextTurn();
    const value = take(one);
    if (value !== undefined) taken.push(value);
  }
  return taken;
}
