/**
 * The public interfaces of connections that move between stacks. Types only.
 *
 * @module
 */
import type { NetAddr, TcpSocket } from "../types.ts";

/** A value that JSON can express: the state that a plugin keeps for a connection that moves. */
export type JsonValue =
  | string
  | number
  | boolean
  | null
  | readonly JsonValue[]
  | { readonly [name: string]: JsonValue };

/**
 * Something outside of the stack that moves with a connection, such as a socket of the host. A plugin
 * attaches it in `freeze`, and gets it in `thaw`: the same object if the connection continues in the
 * same process, otherwise one made by the program that moves the connection.
 */
export interface Attachment {
  /** The connection is frozen: from now on, the attachment reads and writes nothing, and calls no callback. */
  hold(): void;
  /** The plugin's `thaw` uses it again. */
  resume(): void;
  /** Releases it here, because another process has it or nobody wants it. Further calls have no effect. */
  release(): void;
}

/** Options of {@link Stack.freeze}. */
export interface FreezeOptions {
  /**
   * Whether the caller can pass an attachment on. A connection with an attachment that it cannot pass on
   * does not move. Default: it can pass on none.
   */
  carries?: ((attachment: Attachment) => boolean) | undefined;
}

/** Receives packets for a connection that has moved away. */
export type PacketSink = (packet: Uint8Array<ArrayBuffer>, segmentSize: number) => void;

/**
 * A connection that was frozen. Its peer notices nothing: this stack sends nothing more for it, and
 * holds up to 256 KiB of packets that arrive for it until {@link redirect}, {@link resume} or
 * {@link release} is called. The caller must call one of them.
 */
export interface FrozenConnection {
  /** The connection, for {@link Stack.thaw}; it is not encrypted. */
  readonly record: Uint8Array<ArrayBuffer>;
  /** This side's address and port. */
  readonly localAddr: NetAddr;
  /** The peer's address and port. */
  readonly remoteAddr: NetAddr;
  /** Whether packets that arrive here belong to another stack; false after {@link release}, and once it has moved back. */
  readonly isAway: boolean;
  /** The names of the plugins that served it; `undefined` for sockets of `connect()` and `accept()`. */
  readonly plugin: string | undefined;
  /** The attachments of its plugins, for {@link ThawOptions.attachments}. */
  readonly attachments: readonly Attachment[];
  /**
   * Another stack has the connection. Passes the packets held, and those that still arrive here, to
   * `deliver`, which hands them to that stack's {@link Stack.receive}.
   */
  redirect(deliver: PacketSink): void;
  /**
   * Thaws the connection in this stack again, for example because the other one did not take it.
   *
   * @throws {TcpError} As {@link Stack.thaw}.
   */
  resume(): TcpSocket;
  /**
   * Forgets the connection; for use once its packets reach the other stack directly. If any still arrive here, they are
   * answered as packets of an unknown connection are.
   */
  release(): void;
}

/** Options of {@link Stack.thaw}. */
export interface ThawOptions {
  /**
   * How much time has passed since the connection was frozen, in milliseconds; its timers and
   * timestamps continue as if they had run meanwhile. Default 0.
   */
  elapsedMs?: number;
  /**
   * The attachments of the frozen connection, in their order; they belong to the stack unless it
   * throws. Default: none.
   */
  attachments?: readonly Attachment[];
}

/** Options of {@link Stack.receive}. */
export interface ReceiveOptions {
  /** Payload bytes per segment if the packet is a super-packet. Default 0: it is not. */
  segmentSize?: number;
}
