/**
 * Calls of a connection to whoever uses it: objects instead of functions, since very many connections may be
 * idle.
 *
 * @module
 */

/** Called when there may be something to read. */
export interface ReadableListener {
  onReadable(): void;
}

/** Called when there is room for more bytes. */
export interface WritableListener {
  onWritable(): void;
}

/** Called once when the connection has ended, with the error if it broke. */
export interface ClosedListener {
  onClosed(error: unknown): void;
  /** Called instead if the connection moves to another owner, before anything else happens to it. */
  onHeld?(): void;
}
