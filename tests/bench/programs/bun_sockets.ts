/**
 * The used part of Bun's sockets, which Deno's types lack.
 *
 * @module
 */

/** A connection, with data of its owner. */
export interface BunSocket<Data> {
  readonly data: Data;
  write(bytes: Uint8Array): number;
  shutdown(): void;
  terminate(): void;
}

/** The global object `Bun`. */
export interface BunSockets<Data> {
  connect(options: {
    hostname: string;
    port: number;
    data: Data;
    socket: Readonly<Record<string, (socket: BunSocket<Data>, what: Uint8Array) => void>>;
  }): Promise<BunSocket<Data>>;
}
