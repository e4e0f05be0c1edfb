/**
 * Lists, watches and resets open connections.
 *
 * @module
 */
import { systemClock } from "../../../core/api/environment.ts";
import { TcpError } from "../../../core/api/errors.ts";
import type { OpenConnection } from "../../../core/api/types.ts";
import {
  type ConnectionPage,
  type ConnectionRow,
  idOf,
  rowOf,
  selectConnections,
  type Selection,
} from "../admin/connections.ts";
import { streamEventLog } from "./event_log.ts";
import type { EventLogSource, OpenedStream } from "./stream_source.ts";

/** The open connections of a stack. */
export class OpenConnections {
  readonly #list: () => readonly OpenConnection[];
  /** The connection that was found last; a page requests one several times a second. */
  #found: { readonly id: string; readonly connection: OpenConnection } | undefined;

  constructor(list: () => readonly OpenConnection[]) {
    this.#list = list;
  }

  /** The rows of all connections. */
  rows(): ConnectionRow[] {
    return this.#list().map(rowOf);
  }

  /** A page of rows, filtered and sorted. */
  select(selection: Selection): Promise<ConnectionPage> {
    return selectConnections(this.#list(), selection);
  }

  /** The row of a connection; `undefined` if there is none with this ID. */
  row(id: string): ConnectionRow | undefined {
    const found = this.#find(id);
    return found && rowOf(found);
  }

  /** Resets a connection; returns false if there is none with this ID. */
  reset(id: string): boolean {
    const found = this.#find(id);
    found?.abort(new TcpError("CONNECTION_ABORTED", "Reset by the administrator"));
    return found !== undefined;
  }

  /** Opens the event log of a connection; `undefined` if there is none with this ID. */
  openEventLog(source: EventLogSource): OpenedStream | undefined {
    const connection = this.#find(source.id);
    return connection && streamEventLog(connection, source, systemClock);
  }

  #find(id: string): OpenConnection | undefined {
    if (this.#found?.id !== id || this.#found.connection.stats().state === "CLOSED") {
      const connection = this.#list().find((one) => idOf(one) === id);
      this.#found = connection && { id, connection };
    }
    return this.#found?.connection;
  }
}
