/**
 * Callbacks of a connection. They are objects instead of closures, which saves memory: very many connections may
 * be idle.
 *
 * @module
 */

/** Waits for bytes. */
export interface ReadableListener {
  /** There may be something to read. */
  onReadable(): void;
}

/** Waits for room. */
export interface WritableListener {
  /** There is room for more bytes. */
  onWritable(): void;
}

/** Waits for the end of a connection. */
export interface ClosedListener {
  /** Called once when the connection has ended, with the error if it broke. */
  onClosed(error: unknown): void;
  /** Called instead if the connection moves to another owner, before anything else happens to it. */
  onHeld?(): void;
}
